import type { LinkAddress } from "../../base/brand";
import type { CodeNode, CodeTree } from "../pdb/code-tree";
import { codeTree } from "../pdb/code-tree";
import type { InlineRow } from "../pdb/inline-sites";
import type { ModuleLines } from "../pdb/lines";
import type { ModuleStream, Procedure } from "../pdb/module-symbols-stream";
import { insideEnum, lastStep, rustName } from "../pdb/names";
import type { Pdb } from "../pdb/pdb";
import type { EnumType, SourcePosition, TypeRef } from "../type-model";
import { dispatchOf, readsByte } from "./dispatch";
import { SourceOrders } from "./source-order";
import type { SourceOrder, SourceReader } from "./source-order";
import { decodeX86 } from "./x86-decode";

/** How the line of an await was found in the code, or in the source. */
export type AwaitRoute = "source order" | "state store" | "jump table" | "poll calls";

export interface RecoveredLine {
  readonly position: SourcePosition;
  readonly routes: readonly AwaitRoute[];
  /** Lines that other routes gave. */
  readonly others: readonly number[];
  /** Two signs that do not depend on each other agree, and none is against them. */
  readonly isCertain: boolean;
}

export interface RecoveredAwaits {
  /** By variant index; holes where no route found a line. */
  readonly lines: ReadonlyMap<number, RecoveredLine>;
  /** First line of the body, and its last where the source tells it: optimised code has no row for the end, nor for each await. */
  readonly body: { readonly file: string; readonly first: number; readonly last?: number } | undefined;
  /** Why the source was of no use, where another file would be. */
  readonly needsSource?: string;
}

const nothing: RecoveredAwaits = { lines: new Map(), body: undefined };
const firstSuspended = 3;
const largestFunction = 1 << 22;
const mostBodies = 4;
const mostModules = 4096;
/** Instructions of an inlined body's first line that are looked at. */
const mostStarts = 2000;
const entrySizes: ReadonlyMap<number, number> = new Map([
  [4, 4],
  [5, 4],
]);

/** The code of one coroutine: a procedure of its own, or a place where it was inlined. */
interface Body {
  readonly stream: ModuleStream;
  readonly lines: ModuleLines;
  readonly procedure: Procedure;
  readonly tree: CodeTree;
  readonly node: CodeNode;
  readonly isInlined: boolean;
  /** Of this very type, not of another instance of a generic function, whose layout may be another. */
  readonly isExact: boolean;
}

/** Line of a row by file. */
interface Found {
  readonly fileId: number;
  readonly line: number;
}

/**
 * Stable compilers do not write the lines of awaits into PDBs. The code of the coroutine has them: the store of each state's number, the
 * targets of the jump by state at its start, and the calls that poll what is awaited each lie in code of the await's line. The source that was compiled has them in order.
 */
export class AwaitLines {
  private readonly known = new Map<TypeRef, RecoveredAwaits>();
  private readonly sources: SourceOrders | undefined;

  constructor(
    private readonly pdb: Pdb,
    private readonly code: (at: LinkAddress, length: number) => Uint8Array,
    /** Whether the PDB's records of tables are believed. Without them the tables are found in the code. */
    private readonly records = true,
    source?: SourceReader,
  ) {
    this.sources = source === undefined ? undefined : new SourceOrders(source);
  }

  of(ref: TypeRef): RecoveredAwaits {
    const known = this.known.get(ref);
    if (known !== undefined) return known;
    const made = this.recover(ref);
    this.known.set(ref, made);
    return made;
  }

  private recover(ref: TypeRef): RecoveredAwaits {
    const { types } = this.pdb;
    const type = types?.type(ref);
    if (types === undefined || type?.kind !== "enum" || !type.isCoroutine) return nothing;
    const inner = insideEnum(types.rawNameOf(type.ref));
    const name = inner === undefined ? undefined : resumeName(inner);
    if (name === undefined) return nothing;
    const bodies = this.bodies(name);
    const [first] = bodies;
    if (first === undefined) return nothing;
    const lines = new Map<number, RecoveredLine>();
    const order = this.sources === undefined ? undefined : sourceOrder(this.sources, first, name, type);
    const bySource = new Map<number, Found>();
    const firstRow = first.node.rows[0];
    order?.lines?.forEach((line, index) => {
      if (firstRow !== undefined) bySource.set(firstSuspended + index, { fileId: firstRow.fileId, line });
    });
    const votes = bodies.map((body, index) => ({
      ...this.vote(body, type),
      "source order": index === 0 ? bySource : noVotes,
    }));
    const settled = new Map<number, Settled>();
    for (let index = firstSuspended; index < type.variants.length; index++) {
      const found = settle(votes, index);
      if (found !== undefined) settled.set(index, found);
    }
    for (const [index, found] of settled) {
      const file = (bodies[found.body] ?? first).lines.file(found.fileId);
      if (file === undefined || isBorrowed(index, found, settled)) continue;
      const isCertain =
        found.routes.length > 1 && found.others.length === 0 && found.routes.some((route) => !isWeak(route));
      lines.set(index, { position: { file, line: found.line }, routes: found.routes, others: found.others, isCertain });
    }
    const start = startOf(first);
    return {
      lines,
      body: start && {
        file: start.file,
        first: start.line,
        ...(order?.body === undefined ? {} : { last: order.body.lastLine }),
      },
      ...(order?.lines === undefined && order?.needsSource === true ? { needsSource: order.why } : {}),
    };
  }

  // --- where the code is

  private bodies(name: string): Body[] {
    const path = withoutOwnArguments(name);
    const found: Body[] = [];
    for (const reference of this.pdb.globals.procedures(withoutOwnArguments(rustName(name)))) {
      const stream = this.pdb.module(reference.module);
      if (stream === undefined || withoutOwnArguments(reference.rawName) !== path) continue;
      const procedure = stream.procedureAt(reference.offset);
      if (procedure === undefined) continue;
      const lines = this.pdb.linesOf(stream);
      const tree = codeTree(stream, lines, procedure);
      const isExact = reference.rawName === name;
      const body = { stream, lines, procedure, tree, node: tree.root, isInlined: false, isExact };
      // The very instance first: others have the same lines, but may have been optimised otherwise.
      if (isExact) found.unshift(body);
      else found.push(body);
    }
    return found.length > 0 ? found.slice(0, mostBodies) : firstOf(this.inlinedBodies(path), mostBodies);
  }

  private *inlinedBodies(path: string): IterableIterator<Body> {
    const at = path.lastIndexOf("::");
    if (at < 0) return;
    const ids = this.pdb.idIndex.named(path.slice(0, at), path.slice(at + 2));
    if (ids.length === 0) return;
    const count = Math.min(this.pdb.dbi.modules.length, mostModules);
    for (let index = 0; index < count; index++) {
      const stream = this.pdb.module(index);
      if (stream === undefined) continue;
      const seen = new Set<number>();
      let isHere = false;
      for (const id of ids) {
        for (const offset of stream.inlinedInto(id)) {
          const procedure = seen.has(offset) ? undefined : stream.procedureAt(offset);
          seen.add(offset);
          if (procedure === undefined || procedure.rawName.startsWith("core::ptr::drop_in_place<")) continue;
          const lines = this.pdb.linesOf(stream);
          const tree = codeTree(stream, lines, procedure);
          for (const node of nodesOf(tree.root)) {
            if (!ids.includes(node.inlinee)) continue;
            isHere = true;
            yield { stream, lines, procedure, tree, node, isInlined: true, isExact: false };
          }
        }
      }
      if (isHere) return;
    }
  }

  // --- what it tells

  private vote(body: Body, type: EnumType): Omit<Votes, "source order"> {
    const size = Math.min(body.procedure.high - body.procedure.low, largestFunction);
    const code = this.code(body.procedure.low, size).slice();
    const calls: Call[] = [];
    const stores = new Map<number, Found>();
    const conflicting = new Set<number>();
    const first = body.node.rows[0];
    const { discriminant } = type;
    // Code that was inlined stores the states of other coroutines too: this one's is where its first line reads a byte.
    const places = body.isExact ? new Set([discriminant?.offset]) : readPlaces(code, body.node);
    for (let at = 0; at < code.length;) {
      const instruction = decodeX86(code, at);
      if (instruction.length === 0) break;
      const end = at + instruction.length;
      if (instruction.kind === "call")
        calls.push({ at, target: (body.procedure.low + end + instruction.value) as LinkAddress });
      else if (
        instruction.kind === "store byte" &&
        instruction.value >= firstSuspended &&
        instruction.value < type.variants.length &&
        places.has(instruction.displacement) &&
        instruction.base >= 0 &&
        !(instruction.base === 4 && body.isInlined)
      ) {
        const row = ownRow(body.node, at);
        if (row !== undefined && row.line > 0 && row.line !== first?.line) {
          const earlier = stores.get(instruction.value);
          if (earlier !== undefined && earlier.line !== row.line) conflicting.add(instruction.value);
          stores.set(instruction.value, row);
        }
      }
      at = end;
    }
    for (const state of conflicting) stores.delete(state);
    return {
      "state store": stores,
      "jump table": this.byJumpTable(body, type, code),
      "poll calls": this.byPolls(body, type, calls),
    };
  }

  /** Targets of the jump by state: code of the await's line, or in debug builds a jump there. */
  private byJumpTable(body: Body, type: EnumType, code: Uint8Array): ReadonlyMap<number, Found> {
    const found = new Map<number, Found>();
    const { node } = body;
    const first = node.rows[0];
    if (first === undefined) return found;
    const targets = this.targets(body, type, code);
    const uses = new Map<number, number>();
    for (let state = 0; state < targets.length; state++) {
      // Returned and Panicked are often what is left for any other number.
      if (state > 0 && state < firstSuspended) continue;
      const target = targets[state] ?? -1;
      uses.set(target, (uses.get(target) ?? 0) + 1);
    }
    for (let state = firstSuspended; state < targets.length; state++) {
      let at = targets[state] ?? -1;
      // Code that several states share is not that of one await.
      if ((uses.get(at) ?? 0) > 1) continue;
      for (let steps = 0; steps < 12 && at >= 0 && at < code.length; steps++) {
        const row = rowAt(node.rows, at);
        if (row !== undefined && row.line > 0 && row.line !== first.line) {
          found.set(state, row);
          break;
        }
        const instruction = decodeX86(code, at);
        if (instruction.length === 0 || instruction.kind === "return" || instruction.kind === "jump away") break;
        at += instruction.length + (instruction.kind === "jump" ? instruction.value : 0);
      }
    }
    return found;
  }

  /** Where the code goes by state, as offsets in it: as its first instructions do, else by the PDB's record of the table. */
  private targets(body: Body, type: EnumType, code: Uint8Array): ArrayLike<number> {
    const { procedure, node, tree } = body;
    const states = type.variants.length;
    const stateOffset = type.discriminant?.offset;
    const entry = (rva: number): number | undefined => {
      const bytes = this.code(rva as LinkAddress, 4);
      return bytes.length < 4 ? undefined : new DataView(bytes.buffer, bytes.byteOffset, 4).getInt32(0, true);
    };
    const input = { code, base: procedure.low, states, entry };
    if (body.isExact && stateOffset !== undefined) {
      const followed = dispatchOf({ ...input, start: 0, stateOffset });
      if (followed !== undefined) return followed.targets;
    }
    const first = node.rows[0];
    const isFirstLine = (at: number): boolean => rowAt(node.rows, at)?.line === first?.line;
    const table = this.records
      ? tree.switches.find(
          (each) => each.count === states && entrySizes.has(each.kind) && isFirstLine(each.branch - procedure.low),
        )
      : undefined;
    if (table !== undefined) {
      const bytes = this.code(table.table, table.count * 4).slice();
      const view = new DataView(bytes.buffer);
      return Array.from({ length: Math.floor(bytes.length / 4) }, (_, state) =>
        Math.max(-1, table.base + view.getInt32(state * 4, true) - procedure.low),
      );
    }
    return body.isExact ? [] : this.inlinedTargets(input, node);
  }

  /** Of code that was inlined: the one place on its first line where a byte is read and all of the states lead elsewhere. */
  private inlinedTargets(
    input: {
      readonly code: Uint8Array;
      readonly base: number;
      readonly states: number;
      readonly entry: (rva: number) => number | undefined;
    },
    node: CodeNode,
  ): ArrayLike<number> {
    const line = node.rows[0]?.line;
    const found: Int32Array[] = [];
    let left = mostStarts;
    for (const row of node.rows) {
      if (row.line !== line) continue;
      for (let at = row.low; at < row.high && left > 0; left--) {
        const { length } = decodeX86(input.code, at);
        if (length === 0) break;
        if (readsByte(input.code, at)) {
          const targets = dispatchOf({ ...input, start: at, stateOffset: undefined })?.targets;
          if (targets?.every((target) => target >= 0) === true && new Set(targets).size > 2) found.push(targets);
        }
        at += length;
      }
    }
    const [only] = found;
    return only !== undefined && found.length === 1 ? only : [];
  }

  /**
   * Each await polls its future: a call, or code inlined, whose first parameter is `Pin<&mut F>`; `into_future` takes F. The lines of those of
   * one type, in order, are those of the awaits of that type, in order, when there are as many.
   */
  private byPolls(body: Body, type: EnumType, calls: readonly Call[]): ReadonlyMap<number, Found> {
    const exact = this.byPollsOf(body, type, calls, (name) => name);
    // The code may be that of another instance of a generic function: its futures have other arguments.
    return exact.size > 0 ? exact : this.byPollsOf(body, type, calls, withoutAnyArguments);
  }

  private byPollsOf(
    body: Body,
    type: EnumType,
    calls: readonly Call[],
    key: (name: string) => string,
  ): ReadonlyMap<number, Found> {
    const { types } = this.pdb;
    const found = new Map<number, Found>();
    if (types === undefined) return found;
    const wanted = new Map<string, number[]>();
    for (let index = firstSuspended; index < type.variants.length; index++) {
      const variant = type.variants[index];
      const member = variant === undefined ? undefined : types.rawMemberName(variant.type, "__awaitee");
      if (member === undefined) continue;
      const awaitee = key(member);
      const variants = wanted.get(awaitee);
      if (variants === undefined) wanted.set(awaitee, [index]);
      else variants.push(index);
    }
    const lines = new Map<string, Map<string, Found>>();
    const add = (polled: string | undefined, at: number): void => {
      const future = polled === undefined ? undefined : key(polled);
      if (future === undefined || !wanted.has(future)) return;
      const row = rowAt(body.node.rows, at);
      if (row === undefined || row.line === 0) return;
      const known = lines.get(future) ?? new Map<string, Found>();
      known.set(`${String(row.fileId)}:${String(row.line)}`, row);
      lines.set(future, known);
    };
    for (const child of body.node.children) {
      const start = child.rows.reduce((least, row) => Math.min(least, row.low), Infinity);
      const future = this.polledBy(this.pdb.ids.rawName(child.inlinee), this.pdb.idIndex.typeOf(child.inlinee));
      if (Number.isFinite(start)) add(future, start);
    }
    for (const { at, target } of calls) {
      if (ownRow(body.node, at) === undefined) continue;
      const callee = this.pdb.moduleAt(target)?.covering(target);
      if (callee?.low === target) add(this.polledBy(callee.rawName, callee.type), at);
    }
    for (const local of body.node.locals) {
      if (local.name !== "__awaitee" || local.block === undefined) continue;
      const raw = types.rawNameOf(local.type);
      const target = /^ptr_const\$<(.*?) ?>$/s.exec(raw)?.[1];
      add(
        target === undefined ? raw : `ref_mut$<${target}${target.endsWith(">") ? " >" : ">"}`,
        local.block - body.procedure.low,
      );
    }
    for (const [future, variants] of wanted) {
      const sorted = [...(lines.get(future)?.values() ?? [])].sort((a, b) => a.line - b.line);
      if (sorted.length !== variants.length) continue;
      variants.forEach((variant, index) => {
        const row = sorted[index];
        if (row !== undefined) found.set(variant, row);
      });
    }
    return found;
  }

  /** The future that a function polls, or makes of what is awaited. */
  private polledBy(rawName: string, functionType: number): string | undefined {
    const { types } = this.pdb;
    const into = /::into_future<(.*?) ?>$/s.exec(rawName)?.[1];
    if (into !== undefined) return into;
    const [parameter] = types?.parameters(functionType) ?? [];
    const raw = parameter === undefined ? undefined : types?.rawNameOf(parameter);
    return raw === undefined ? undefined : /^core::pin::Pin<ref_mut\$<(.*?) ?> >$/s.exec(raw)?.[1];
  }
}

interface Call {
  readonly at: number;
  readonly target: LinkAddress;
}

type Votes = Readonly<Record<AwaitRoute, ReadonlyMap<number, Found>>>;
const noVotes: ReadonlyMap<number, Found> = new Map();
const routes: readonly AwaitRoute[] = ["source order", "jump table", "poll calls", "state store"];

type Settled = Found & {
  readonly routes: readonly AwaitRoute[];
  readonly others: readonly number[];
  /** Which of the bodies told it: ids of files are those of its object file. */
  readonly body: number;
};

/**
 * Optimised code of an await that never had any (a future that is never ready) is that of a neighbour: a line by one sign of the state alone,
 * while the polls say that the line is another await's.
 */
function isBorrowed(state: number, found: Settled, all: ReadonlyMap<number, Settled>): boolean {
  if (found.routes.length > 1 || found.routes.includes("poll calls") || found.routes.includes("source order"))
    return false;
  for (const [other, settled] of all)
    if (other !== state && settled.line === found.line && settled.routes.includes("poll calls")) return true;
  return false;
}

/**
 * Optimised code that follows a state may begin with code of a line before the await, and be shared: of 1772 awaits of optimised programs the jump was
 * wrong about 40, and mostly where it was the only sign; stores and polls about none.
 */
const isWeak = (route: AwaitRoute): boolean => route === "jump table";
const weight = (given: readonly AwaitRoute[]): number => given.reduce((sum, route) => sum + (isWeak(route) ? 1 : 4), 0);

/** The line that most speaks for; among equals the first route's in the order above. The jump alone says nothing. */
function settle(votes: readonly Votes[], state: number): Settled | undefined {
  for (const [body, vote] of votes.entries()) {
    const byLine = new Map<number, { row: Found; routes: AwaitRoute[] }>();
    for (const route of routes) {
      const row = vote[route].get(state);
      if (row === undefined) continue;
      const known = byLine.get(row.line);
      if (known === undefined) byLine.set(row.line, { row, routes: [route] });
      else known.routes.push(route);
    }
    const [best, ...rest] = [...byLine.values()].sort((a, b) => weight(b.routes) - weight(a.routes));
    if (best === undefined || weight(best.routes) < 2) continue;
    return {
      fileId: best.row.fileId,
      line: best.row.line,
      routes: best.routes,
      others: rest.map((each) => each.row.line),
      body,
    };
  }
  return undefined;
}

/** Displacements from which the code of the body's first line reads bytes. */
function readPlaces(code: Uint8Array, node: CodeNode): ReadonlySet<number | undefined> {
  const places = new Set<number | undefined>();
  const line = node.rows[0]?.line;
  let left = mostStarts;
  for (const row of node.rows) {
    if (row.line !== line) continue;
    for (let at = row.low; at < row.high && left > 0; left--) {
      const { length, displacement } = decodeX86(code, at);
      if (length === 0) break;
      if (readsByte(code, at)) places.add(displacement);
      at += length;
    }
  }
  return places;
}

/** The awaits as the source has them, for the code of `body`. */
function sourceOrder(sources: SourceOrders, body: Body, resumeName: string, type: EnumType): SourceOrder {
  const { lines, node } = body;
  const start = startOf(body);
  if (start === undefined || node.rows[0]?.fileId !== start.fileId)
    return { why: "the PDB does not tell where it begins" };
  const own = node.rows.filter((row) => row.fileId === start.fileId && row.line > 0).map((row) => row.line);
  return sources.of({
    file: start.file,
    checksum: lines.checksum(start.fileId),
    resumeName,
    firstLine: start.line,
    lines: own,
    awaits: type.variants.length - firstSuspended,
  });
}

const rowAt = (rows: readonly InlineRow[], at: number): InlineRow | undefined =>
  rows.find((row) => at >= row.low && at < row.high);

/** The node's row at `at`, unless something inlined further covers it. */
const ownRow = (node: CodeNode, at: number): InlineRow | undefined =>
  node.children.some((child) => rowAt(child.rows, at) !== undefined) ? undefined : rowAt(node.rows, at);

function firstOf<T>(items: Iterable<T>, most: number): T[] {
  const found: T[] = [];
  for (const item of items) if (found.push(item) >= most) break;
  return found;
}

function* nodesOf(node: CodeNode): IterableIterator<CodeNode> {
  for (const child of node.children) {
    yield child;
    yield* nodesOf(child);
  }
}

/** Where the body begins: what the line table says of the function's first instruction, or of what was inlined. */
function startOf({
  lines,
  node,
  procedure,
  isInlined,
}: Body): { readonly fileId: number; readonly line: number; readonly file: string } | undefined {
  const start = isInlined ? lines.inlinee(node.inlinee) : lines.rowAt(procedure.low);
  const file = start === undefined || start.line === 0 ? undefined : lines.file(start.fileId);
  return start === undefined || file === undefined ? undefined : { fileId: start.fileId, line: start.line, file };
}

/** `a::f::async_fn$0<T>` of `a::f::async_fn_env$0<T>`: the function that resumes the coroutine of this type. */
export function resumeName(inner: string): string | undefined {
  const at = lastStep(inner);
  const step = inner.slice(at);
  const made = step.replace(/^(\w+)_env\$([0-9a-f]+)/, "$1$$$2");
  return made === step ? undefined : inner.slice(0, at) + made;
}

/** `enum2$` and the path of `enum2$<a::b<c>::d<e> >`, for a rough comparison. */
const withoutAnyArguments = (name: string): string => (insideEnum(name) ?? name).replace(/<.*$/s, "");

/** The path before the generic arguments of its last step. */
function withoutOwnArguments(path: string): string {
  const at = path.indexOf("<", lastStep(path));
  return at < 0 || !path.endsWith(">") ? path : path.slice(0, at);
}
