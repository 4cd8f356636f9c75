/**
 * Source paths as a person wants to read them. Debug info names files by the path of the build machine; in a report the part that all of the
 * program's own files share says nothing, and a dependency is known by its crate and version.
 */
export interface PathStyle {
  /** Directory that all of the program's own files share; said once at the head of a report. Ends with a separator; "" when there is none. */
  readonly root: string;
}

const registry = /^.*[\\/]registry[\\/]src[\\/][^\\/]+[\\/](.+)$/;
const gitCheckout = /^.*[\\/]git[\\/]checkouts[\\/]([^\\/]+)-[0-9a-f]+[\\/][0-9a-f]+[\\/](.+)$/;
const standardLibrary = /^.*[\\/](?:rustc[\\/][0-9a-f]{8,}|lib[\\/]rustlib[\\/]src[\\/]rust)[\\/]library[\\/](.+)$/;

/** A file of a dependency or of the standard library, not of the program itself. */
export function isLibraryPath(file: string): boolean {
  return registry.test(file) || gitCheckout.test(file) || standardLibrary.test(file) || file.startsWith("/rustc/");
}

/** `tokio-1.47.1/src/time/sleep.rs`, `core/src/future/poll_fn.rs`, or the path below the program's root. */
export function displayPath(file: string, style: PathStyle): string {
  const dependency = registry.exec(file)?.[1];
  if (dependency !== undefined) return dependency;
  const checkout = gitCheckout.exec(file);
  if (checkout?.[1] !== undefined && checkout[2] !== undefined) return `${checkout[1]}/${checkout[2]}`;
  const standard = standardLibrary.exec(file)?.[1];
  if (standard !== undefined) return standard;
  return style.root !== "" && file.startsWith(style.root) ? file.slice(style.root.length) : file;
}

/** The directory shared by all of `files` that are the program's own, down to at most the one above `src`. */
export function commonRoot(files: Iterable<string>): string {
  let shared: string[] | undefined;
  let separator = "/";
  for (const file of files) {
    if (isLibraryPath(file)) continue;
    const absolute = file.startsWith("/") || /^[A-Za-z]:[\\/]/.test(file);
    if (!absolute) continue;
    if (!file.includes("/")) separator = "\\";
    const parts = file.split(/[\\/]/).slice(0, -1);
    if (shared === undefined) {
      shared = parts;
      continue;
    }
    let same = 0;
    while (same < shared.length && same < parts.length && shared[same] === parts[same]) same++;
    shared = shared.slice(0, same);
  }
  if (shared === undefined) return "";
  if (shared.at(-1) === "src") shared = shared.slice(0, -1);
  if (shared.length <= 1) return "";
  return shared.join(separator) + separator;
}
