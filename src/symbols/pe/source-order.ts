import { createHash } from "node:crypto";
import type { FileChecksum } from "../pdb/lines";
import { asyncBodies } from "../source/await-count";
import type { AsyncBody } from "../source/await-count";

/** Gives the bytes of a source file by the path that debug information has for it; `undefined` where it is not at hand. */
export type SourceReader = (file: string) => Uint8Array | undefined;

/** What the code tells of a coroutine's body. */
export interface BodyInCode {
  readonly file: string;
  readonly checksum: FileChecksum | undefined;
  /** "zoo::f::async_fn$0": as the PDB names the function that resumes it. */
  readonly resumeName: string;
  /** Where the body begins by the line table. */
  readonly firstLine: number;
  /** Lines in this file that code of the body has. */
  readonly lines: readonly number[];
  /** How many states are awaits. */
  readonly awaits: number;
}

/** Lines of awaits, in the order of the states; or why they are not told. */
export type SourceOrder =
  | { readonly lines: readonly number[]; readonly body: AsyncBody }
  | {
      readonly lines?: undefined;
      readonly why: string;
      readonly body?: AsyncBody;
      /** The source as it was compiled would be of use. */
      readonly needsSource?: true;
    };

type Parsed =
  | { readonly bodies: readonly AsyncBody[] }
  | { readonly bodies?: undefined; readonly why: string; readonly needsSource?: true };

/** Files of one module that are read at most. */
const mostFiles = 4000;
const largestFile = 2 << 20;

/**
 * The K-th await in the order of the source is the K-th suspended state: rustc numbers them as it lowers the body (rustc_mir_transform, coroutine.rs).
 * Believed only of the very file that was compiled, and where as many are written as the coroutine has states.
 */
export class SourceOrders {
  private readonly files = new Map<string, Parsed>();

  constructor(private readonly read: SourceReader) {}

  of(code: BodyInCode): SourceOrder {
    const parsed = this.parsed(code.file, code.checksum);
    if (parsed.bodies === undefined) return parsed;
    const candidates = parsed.bodies.filter((each) => isMeant(each, code));
    const [body] = candidates;
    if (body === undefined) return { why: "the source has no such body there" };
    if (candidates.length > 1) return { why: "several bodies begin on the same line of the source" };
    if (code.lines.some((line) => line < body.firstLine || line > body.lastLine))
      return { why: "its code has lines outside of the body in the source" };
    if (body.doubt !== undefined) return { why: body.doubt, body };
    if (body.awaits.length !== code.awaits)
      return {
        why: `the source has ${String(body.awaits.length)} awaits there, the coroutine ${String(code.awaits)}`,
        body,
      };
    return { lines: body.awaits, body };
  }

  private parsed(file: string, checksum: FileChecksum | undefined): Parsed {
    const key = `${checksum?.value ?? ""} ${file}`;
    const known = this.files.get(key);
    if (known !== undefined) return known;
    const made: Parsed = this.files.size < mostFiles ? this.parse(file, checksum) : { why: "too many source files" };
    this.files.set(key, made);
    return made;
  }

  private parse(file: string, checksum: FileChecksum | undefined): Parsed {
    if (checksum === undefined) return { why: "the PDB has no checksum of the source" };
    const bytes = this.read(file);
    if (bytes === undefined || bytes.length > largestFile) return { why: `${file} is not at hand`, needsSource: true };
    if (createHash(checksum.algorithm).update(bytes).digest("hex") !== checksum.value)
      return { why: `${file} at hand is not as it was compiled`, needsSource: true };
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      return { why: "the source is not UTF-8" };
    }
    const bodies = asyncBodies(text);
    return bodies === undefined ? { why: "the source cannot be read as Rust" } : { bodies };
  }
}

function isMeant(body: AsyncBody, { resumeName, firstLine }: BodyInCode): boolean {
  const steps = withoutArguments(resumeName).split("::");
  const kind = /^async_(fn|block|closure)\$/.exec(steps.at(-1) ?? "")?.[1];
  const within = steps.filter((step) => !/^(?:async_fn|async_block|async_closure|closure|impl)\$/.test(step)).at(-1);
  if (within !== body.within) return false;
  if (firstLine !== body.openLine && firstLine !== body.firstLine) return false;
  if (kind === "fn") return body.kind === "fn" && !body.mayBeRewritten;
  // Attributes as #[tokio::main] and #[async_trait] make the body of an async fn a block.
  if (kind === "block") return body.kind === "block" || (body.kind === "fn" && body.mayBeRewritten);
  return kind === "closure" && body.kind === "closure";
}

/** The path without any generic arguments. */
function withoutArguments(path: string): string {
  let depth = 0;
  let made = "";
  for (let at = 0; at < path.length; at++) {
    const char = path[at]!;
    if (char === "<") depth++;
    else if (char === ">" && path[at - 1] !== "-") depth--;
    else if (depth === 0) made += char;
  }
  return made;
}
