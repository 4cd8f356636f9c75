import { closeSync, ftruncateSync, openSync, readSync, statSync, writeSync } from "node:fs";
import * as zlib from "node:zlib";
import type { Transform } from "node:stream";
import { Readable } from "node:stream";
import { ReadableStream } from "node:stream/web";
import { Decompress } from "fzstd";

export type Compression = "gzip" | "zstd" | "xz" | "lz4" | "bzip2";

/** By the first bytes of a file. */
export function compressionOf(magic: Uint8Array): Compression | undefined {
  const starts = (...bytes: number[]): boolean => bytes.every((byte, index) => magic[index] === byte);
  if (starts(0x1f, 0x8b)) return "gzip";
  if (starts(0x28, 0xb5, 0x2f, 0xfd)) return "zstd";
  if (starts(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00)) return "xz";
  if (starts(0x04, 0x22, 0x4d, 0x18)) return "lz4";
  if (starts(0x42, 0x5a, 0x68)) return "bzip2";
  return undefined;
}

/** Writes a file and leaves holes for zero blocks: cores are mostly holes, and copies of them blow up otherwise. */
class SparseWriter {
  private readonly fd: number;
  position = 0;

  constructor(path: string) {
    this.fd = openSync(path, "w", 0o600);
  }

  write(bytes: Uint8Array): void {
    const block = 4096;
    let at = 0;
    let pending = -1;
    const flush = (end: number): void => {
      if (pending < 0) return;
      let done = pending;
      while (done < end) done += writeSync(this.fd, bytes, done, end - done, this.position + done);
      pending = -1;
    };
    while (at < bytes.length) {
      // Blocks of the file, not of the chunk.
      const end = Math.min(bytes.length, at + block - ((this.position + at) % block));
      if (isZero(bytes, at, end)) flush(at);
      else if (pending < 0) pending = at;
      at = end;
    }
    flush(bytes.length);
    this.position += bytes.length;
  }

  close(): void {
    ftruncateSync(this.fd, this.position);
    closeSync(this.fd);
  }
}

function isZero(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (bytes[at] !== 0) return false;
  return true;
}

export interface UnpackResult {
  /** Bytes written. */
  readonly size: number;
  /** What was wrong with the stream, or that it was too large. */
  readonly problem?: { readonly what: string; readonly effect: string; readonly remedy?: string };
}

const chunkSize = 1 << 20;

/**
 * Unpacks one file into another, streaming. Stops at `limit` bytes of output. Rejects only for trouble with the target (disk full);
 * a damaged or cut stream ends early and says so.
 */
export async function unpackFile(
  path: string,
  kind: "gzip" | "zstd" | "xz",
  target: string,
  limit: number,
  onProgress?: (message: string, fraction?: number) => void,
): Promise<UnpackResult> {
  const total = statSync(path).size;
  const writer = new SparseWriter(target);
  let stopped = false;
  let trouble: string | undefined;
  let diskTrouble: unknown;
  const input = new FileChunks(path);
  try {
    for await (const chunk of unpacking(kind, input)) {
      const room = limit - writer.position;
      try {
        writer.write(chunk.length <= room ? chunk : chunk.subarray(0, Math.max(0, room)));
      } catch (error) {
        diskTrouble = error;
        break;
      }
      if (chunk.length > room) {
        stopped = true;
        break;
      }
      onProgress?.("Unpacking the dump", total === 0 ? 1 : Math.min(1, input.position / total));
    }
  } catch (error) {
    trouble = error instanceof Error ? error.message : String(error);
  } finally {
    input.close();
    writer.close();
  }
  if (diskTrouble !== undefined) throw diskTrouble instanceof Error ? diskTrouble : new Error("write failed");
  const size = writer.position;
  if (stopped)
    return {
      size,
      problem: {
        what: `It unpacks to more than ${String(limit)} bytes, where unpacking was stopped.`,
        effect: "The rest of the dump is missing.",
        remedy: "Make room on the disk, or unpack it yourself.",
      },
    };
  if (trouble !== undefined)
    return {
      size,
      problem: {
        what: `Its ${kind} stream is cut or damaged after ${String(size)} unpacked bytes (${trouble}).`,
        effect: "The rest of the dump is missing.",
        remedy: "Copy the file again.",
      },
    };
  return { size };
}

/** The file in chunks, pulled; knows how far it is. */
class FileChunks {
  private readonly fd: number;
  position = 0;
  private closed = false;

  constructor(path: string) {
    this.fd = openSync(path, "r");
  }

  next(): Uint8Array | undefined {
    if (this.closed) return undefined;
    const chunk = new Uint8Array(chunkSize);
    const got = readSync(this.fd, chunk, 0, chunkSize, this.position);
    this.position += got;
    return got === 0 ? undefined : chunk.subarray(0, got);
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    closeSync(this.fd);
  }
}

function unpacking(kind: "gzip" | "zstd" | "xz", input: FileChunks): AsyncIterable<Uint8Array> {
  if (kind === "gzip") return throughTransform(zlib.createGunzip({ chunkSize }), input);
  if (kind === "xz") return xz(input);
  const native = (zlib as { createZstdDecompress?: (options: object) => Transform }).createZstdDecompress;
  // Windows of up to 2 GiB (zstd --long=31) as zstd -d --long would take.
  const options = {
    chunkSize,
    params: { [(zlib.constants as Record<string, number>)["ZSTD_d_windowLogMax"] ?? 100]: 31 },
  };
  return native === undefined ? zstd(input) : throughTransform(native(options), input);
}

async function* throughTransform(transform: Transform, input: FileChunks): AsyncGenerator<Uint8Array> {
  const reading = Readable.from(
    (function* (): Generator<Uint8Array> {
      for (let chunk = input.next(); chunk !== undefined; chunk = input.next()) yield chunk;
    })(),
  );
  reading.pipe(transform);
  try {
    for await (const chunk of transform as AsyncIterable<Uint8Array>) yield chunk;
  } finally {
    reading.destroy();
    transform.destroy();
  }
}

/** fzstd, pushed in small pieces so that the output of one push stays small; yields to the event loop in between. */
async function* zstd(input: FileChunks): AsyncGenerator<Uint8Array> {
  const ready: Uint8Array[] = [];
  const stream = new Decompress((chunk) => ready.push(chunk));
  const push = (bytes: Uint8Array, last: boolean): Error | undefined => {
    try {
      stream.push(bytes, last);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  };
  for (let chunk = input.next(); chunk !== undefined; chunk = input.next()) {
    for (let at = 0; at < chunk.length; at += 64 << 10) {
      const error = push(chunk.subarray(at, at + (64 << 10)), false);
      // Blocks before the damaged one are good.
      yield* ready.splice(0);
      if (error !== undefined) throw error;
    }
    await new Promise<void>((resume) => {
      setImmediate(resume);
    });
  }
  const error = push(new Uint8Array(0), true);
  yield* ready.splice(0);
  if (error !== undefined) throw error;
}

async function* xz(input: FileChunks): AsyncGenerator<Uint8Array> {
  const { XzReadableStream } = await import("xz-decompress");
  const packed = new ReadableStream<Uint8Array>({
    pull(controller) {
      const chunk = input.next();
      if (chunk === undefined) controller.close();
      else controller.enqueue(chunk);
    },
  });
  const reader = (new XzReadableStream(packed) as unknown as ReadableStream<Uint8Array>).getReader();
  try {
    for (;;) {
      const step = await reader.read();
      if (step.done) return;
      yield step.value;
    }
  } finally {
    reader.cancel().catch(() => {
      // The stream has failed already.
    });
  }
}
