import { closeSync, openSync, readSync } from "node:fs";

// The book of a generated program (scripts/soak/witness/witness.rs writes it), and the words of the dump that say whether it can be believed.
// Read without anything of the product.

export interface BookTask {
  readonly slot: number;
  /** 1 made, 2 polled at least once, 3 its future is gone. */
  readonly phase: number;
  /** 0 until the spawner has written it down. */
  readonly id: number;
  readonly header: number;
  readonly fn: number;
  readonly kind: "spawned" | "blocking" | "block_on";
  readonly thread: number;
  /** 1 it came to its end, 2 it panicked. */
  readonly outcome: number;
  /** Of a block_on: its root is being polled. */
  readonly isPolled: boolean;
}

export interface BookFrame {
  readonly slot: number;
  readonly task: number;
  readonly fn: number;
  /** The await that it is at, or that it is about to be at; undefined: it runs between awaits. */
  readonly site: number | undefined;
  /** Address of what is awaited, slot + 1 of a task, or an instant of the monotonic clock in ns. */
  readonly value: number;
  readonly size: number;
  /** How often it came to an await. */
  readonly count: number;
  readonly children: BookFrame[];
}

export interface BookHold {
  readonly task: number;
  readonly address: number;
  readonly size: number;
}

export interface Book {
  readonly isFull: boolean;
  readonly diedInTask: boolean;
  readonly tasks: readonly BookTask[];
  /** Root frames by task slot; dead frames are left out. */
  readonly roots: ReadonlyMap<number, BookFrame>;
  readonly holds: readonly BookHold[];
}

const headWords = 64;
const taskWords = 8;
const frameWords = 8;
const holdWords = 4;
const maxTasks = 8192;
const maxFrames = 1 << 19;

export function readBook(path: string): Book {
  const file = openSync(path, "r");
  try {
    const words = (at: number, count: number): number[] => {
      const bytes = Buffer.alloc(count * 8);
      readSync(file, bytes, 0, bytes.length, at * 8);
      return Array.from({ length: count }, (_, index) => Number(bytes.readBigUInt64LE(index * 8)));
    };
    const [, taskCount = 0, frameCount = 0, holdCount = 0, full = 0, diedIn = 0] = words(0, headWords);
    const rows = (at: number, size: number, count: number): number[][] => {
      const all = words(at, size * count);
      return Array.from({ length: count }, (_, index) => all.slice(index * size, (index + 1) * size));
    };
    const kinds = ["spawned", "spawned", "blocking", "block_on"] as const;
    const tasks = rows(headWords, taskWords, Math.min(taskCount, maxTasks)).map(
      ([phase = 0, id = 0, header = 0, fn = 0, kind = 0, thread = 0, outcome = 0, polling = 0], slot): BookTask => ({
        slot,
        phase,
        id,
        header,
        fn,
        kind: kinds[kind] ?? "spawned",
        thread,
        outcome,
        isPolled: polling === 1,
      }),
    );
    const roots = new Map<number, BookFrame>();
    const frames = new Map<number, BookFrame>();
    const framesAt = headWords + maxTasks * taskWords;
    rows(framesAt, frameWords, Math.min(frameCount, maxFrames)).forEach((row, slot) => {
      const [alive = 0, task = 0, parent = 0, fn = 0, site = 0, value = 0, awaits = 0, size = 0] = row;
      if (alive !== 1) return;
      // Site numbers are written one higher, so that 0 is none.
      const frame: BookFrame = {
        slot,
        task,
        fn,
        site: site === 0 ? undefined : site - 1,
        count: awaits,
        value,
        size,
        children: [],
      };
      frames.set(slot, frame);
      if (parent === 0) roots.set(task, frame);
      else frames.get(parent - 1)?.children.push(frame);
    });
    const holds = rows(framesAt + maxFrames * frameWords, holdWords, holdCount)
      .filter(([alive]) => alive === 1)
      .map(([, task = 0, address = 0, size = 0]): BookHold => ({ task, address, size }));
    return { isFull: full === 1, diedInTask: diedIn === 1, tasks, roots, holds };
  } finally {
    closeSync(file);
  }
}

/** Reads words of an ELF core's memory: program headers, nothing else. */
export function coreWords(path: string): { word: (address: number) => number | undefined; close: () => void } {
  const file = openSync(path, "r");
  const read = (at: number, length: number): Buffer => {
    const bytes = Buffer.alloc(length);
    readSync(file, bytes, 0, length, at);
    return bytes;
  };
  const header = read(0, 64);
  const table = Number(header.readBigUInt64LE(32));
  const count = header.readUInt16LE(56);
  const segments = Array.from({ length: count }, (_, index) => {
    const row = read(table + index * 56, 56);
    const [offset, address] = [Number(row.readBigUInt64LE(8)), Number(row.readBigUInt64LE(16))];
    return { isLoad: row.readUInt32LE(0) === 1, offset, address, size: Number(row.readBigUInt64LE(32)) };
  }).filter((segment) => segment.isLoad);
  return {
    word(address) {
      const segment = segments.find((each) => address >= each.address && address + 8 <= each.address + each.size);
      if (segment === undefined) return undefined;
      return Number(read(segment.offset + address - segment.address, 8).readBigUInt64LE(0));
    },
    close: () => {
      closeSync(file);
    },
  };
}
