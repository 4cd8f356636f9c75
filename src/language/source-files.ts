import { readdirSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { mapPath } from "../autopsy/source-map";

export interface SourceSettings {
  /** Beginnings of source paths in the debug information, and where these sources are on this machine. */
  readonly sourceMap: Readonly<Record<string, string>>;
  /** Open folders. */
  readonly folders: readonly string[];
  /** Where cargo and rustup keep the sources of dependencies and of std. For tests; else from the environment. */
  readonly cargoHome?: string;
  readonly rustupHome?: string;
}

/** `tokio-1.54.1/src/time/sleep.rs`: a dependency and its version, which is how a report names the files of the registry. */
const dependency = /^[A-Za-z0-9_-]+-\d+\.\d+\.\d+[^\\/]*[\\/]/;
const standardLibrary = /^(?:core|alloc|std|proc_macro|test)[\\/]src[\\/]/;
/** Tells a component of a dependency inside a longer path, too: vendored or remapped sources. */
const dependencyInside = /[\\/]([A-Za-z0-9_-]+-\d+\.\d+\.\d+[^\\/]*[\\/](?:src|tests|examples|benches)[\\/].*)$/;

/** How long an answer of the file system holds. Long enough for one round of requests, short enough for a person who just copied the file. */
const freshFor = 3000;
/** A report of thousands of different files is not looked through whole. */
const mostRemembered = 20_000;

/**
 * Finds the files that a report names on this machine. Reports come from other machines and other people: nothing is opened, only looked up,
 * and network paths that only the report
 * names are not touched, since looking one up would log in there.
 */
export class SourceFiles {
  private readonly known = new Map<string, { readonly path: string | undefined; readonly until: number }>();
  private registries: readonly string[] | undefined;
  private settings: SourceSettings;

  constructor(settings: SourceSettings) {
    this.settings = settings;
  }

  configure(settings: SourceSettings): void {
    this.settings = settings;
    this.known.clear();
    this.registries = undefined;
  }

  /** The file that a report with this root means; undefined when it is not here. */
  find(path: string, root: string): string | undefined {
    const key = `${root}\0${path}`;
    const now = Date.now();
    const before = this.known.get(key);
    if (before !== undefined && before.until > now) return before.path;
    if (this.known.size >= mostRemembered) this.known.clear();
    let found: string | undefined;
    for (const candidate of this.candidates(path, root))
      if ((!isOnNetwork(candidate) || this.isChosen(candidate)) && isFile(candidate)) {
        found = candidate;
        break;
      }
    this.known.set(key, { path: found, until: now + freshFor });
    return found;
  }

  /** Below a path that the person chose herself. */
  private isChosen(path: string): boolean {
    return [...Object.values(this.settings.sourceMap), ...this.settings.folders].some((chosen) =>
      path.startsWith(chosen),
    );
  }

  private *candidates(path: string, root: string): Generator<string> {
    if (path.length > 1000 || path.includes("\0")) return;
    const { sourceMap, folders } = this.settings;
    const isOfDependency = !isAbsolute(path) && (dependency.test(path) || standardLibrary.test(path));
    if (!isOfDependency) {
      const whole = isAbsolute(path) ? path : root + path;
      const mapped = mapPath(whole, sourceMap);
      if (isAbsolute(mapped)) yield mapped;
      // Own files only: the end of a foreign path could fit a file here that is another one.
      const own = isAbsolute(path)
        ? root !== "" && path.startsWith(root)
          ? path.slice(root.length)
          : undefined
        : path;
      if (own !== undefined) yield* inFolders(own, folders);
    }
    const library = isOfDependency ? path : dependencyInside.exec(path)?.[1];
    if (library === undefined) return;
    if (standardLibrary.test(library)) yield* this.standardLibraries(library);
    else for (const registry of this.registriesHere()) yield join(registry, ...parts(library));
  }

  private registriesHere(): readonly string[] {
    const home = this.settings.cargoHome ?? process.env["CARGO_HOME"] ?? join(homedir(), ".cargo");
    this.registries ??= foldersIn(join(home, "registry", "src"));
    return this.registries;
  }

  /** Of which version the program was is not in the path: only where one toolchain is installed can it be no other. */
  private *standardLibraries(path: string): Generator<string> {
    const home = this.settings.rustupHome ?? process.env["RUSTUP_HOME"] ?? join(homedir(), ".rustup");
    const toolchains = foldersIn(join(home, "toolchains"));
    if (toolchains.length === 1) yield join(toolchains[0]!, "lib", "rustlib", "src", "rust", "library", ...parts(path));
  }
}

/** The path below an open folder; then without its first components, since the folder may be one of them. At least a folder and a name stay. */
function* inFolders(path: string, folders: readonly string[]): Generator<string> {
  const components = parts(path);
  if (components.includes("..")) return;
  for (let from = 0; from === 0 || (from <= 8 && components.length - from >= 2); from++)
    for (const folder of folders) yield join(folder, ...components.slice(from));
}

const parts = (path: string): string[] => path.split(/[\\/]/).filter((part) => part !== "" && part !== ".");

const isAbsolute = (path: string): boolean =>
  path.startsWith("/") || path.startsWith("\\") || /^[A-Za-z]:[\\/]/.test(path);

const isOnNetwork = (path: string): boolean => /^[\\/]{2}/.test(path);

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

function foldersIn(path: string): readonly string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
      .map((entry) => join(path, entry.name))
      .sort();
  } catch {
    return [];
  }
}
