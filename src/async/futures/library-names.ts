/** Modules that tell nothing about what is in them. */
const silent = new Set(
  (
    "future futures proto conn dispatch service layer worker inner imp util legacy async_impl transport stream combinators types common core " +
    "private codec body rt"
  ).split(" "),
);

/**
 * "hyper::h1::Dispatcher" of `hyper::proto::h1::dispatch::Dispatcher`, "tower::buffer::Worker" of `tower::buffer::worker::Worker`: the crate, the
 * modules that tell one `Connection` or `ResponseFuture` from another, and the type. Takes a path without generic arguments.
 */
export function libraryTypeName(path: string): string {
  let name = made.get(path);
  if (name === undefined) {
    if (made.size >= maxMade) made.clear();
    made.set(path, (name = makeName(path)));
  }
  return name;
}

const made = new Map<string, string>();
const maxMade = 10_000;

function makeName(path: string): string {
  const segments = path.split("::");
  const last = segments.pop();
  const crate = segments.shift();
  if (last === undefined || crate === undefined) return path;
  const modules = segments.filter(
    (each, index) => !silent.has(each) && !isSame(each, segments[index + 1] ?? last) && !isSame(each, last),
  );
  return [crate, ...modules, last].join("::");
}

const isSame = (module: string, name: string): boolean => module.replaceAll("_", "") === name.toLowerCase();
