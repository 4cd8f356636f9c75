/**
 * What a type's name says about where it comes from, without the parts that differ between two builds of one source:
 * generic arguments, the numbers of impl blocks, and rustc's names for the state machines of async code.
 */
export interface TypePath {
  /** coroutine: the state machine of an async fn, block or closure. closure: a plain closure. type: everything else. */
  readonly kind: "async fn" | "async block" | "async closure" | "closure" | "type";
  /** "tokio::sync::mutex::lock" of "tokio::sync::mutex::{impl#3}::lock::{async_fn_env#0}<u32>". */
  readonly path: string;
  /** The first segment: the crate. Empty for tuples, references, slices. */
  readonly crate: string;
}

/** Splits at `::` outside of any bracket; the ">" of "->" closes nothing. */
export function segmentsOf(name: string): string[] {
  const segments: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < name.length; at++) {
    const char = name[at];
    if (char === "<" || char === "(" || char === "[" || char === "{") depth++;
    else if (char === ")" || char === "]" || char === "}") depth--;
    else if (char === ">" && name[at - 1] !== "-") depth--;
    else if (char === ":" && depth === 0 && name[at + 1] === ":") {
      segments.push(name.slice(start, at));
      at++;
      start = at + 1;
    }
  }
  segments.push(name.slice(start));
  return segments;
}

/** "lock<u32>" -> "lock"; "{impl#3}" and "<impl Foo>" stay. */
function withoutArguments(segment: string): string {
  const open = segment.indexOf("<");
  return open > 0 ? segment.slice(0, open) : segment;
}

const environment = /^\{(async_fn|async_block|async_closure|closure|coroutine|gen_block|gen_fn)_env#\d+\}$/;
const enclosing = /^\{(?:async_fn|async_block|async_closure|closure|coroutine|gen_block|gen_fn|impl|constant)#\d+\}$/;
/** A path begins with a crate; `dyn A`, `fn(A)`, `&A` and tuples do not. */
const plainPath = /^[A-Za-z_]\w*(?:::|<|$)/;

export function typePath(name: string): TypePath {
  if (!plainPath.test(name)) return { kind: "type", path: name, crate: "" };
  const segments = segmentsOf(name).map(withoutArguments);
  const last = segments[segments.length - 1] ?? "";
  const found = environment.exec(last);
  const crate = segments[0] ?? "";
  if (found === null) return { kind: "type", path: segments.filter((each) => !enclosing.test(each)).join("::"), crate };
  const path = segments
    .slice(0, -1)
    .filter((each) => !enclosing.test(each))
    .join("::");
  const word = found[1];
  const kind =
    word === "closure"
      ? "closure"
      : word === "async_fn"
        ? "async fn"
        : word === "async_closure"
          ? "async closure"
          : "async block";
  return { kind, path, crate };
}

/** Crates that come with the language, an executor or the ecosystem's plumbing: their frames are folded away. */
const libraryCrates = new Set(
  (
    "core alloc std tokio tokio_util tokio_stream tokio_rustls tokio_native_tls tokio_openssl tokio_tungstenite futures futures_util futures_channel " +
    "futures_core futures_executor futures_io futures_sink futures_task futures_lite futures_timer futures_concurrency futures_buffered " +
    "pin_project pin_project_lite tracing tracing_core tracing_futures tracing_subscriber async_trait async_stream async_recursion " +
    "hyper hyper_util hyper_rustls h2 h3 quinn http http_body http_body_util tower tower_http tower_service tower_layer axum axum_core actix_rt actix_web actix_http " +
    "tonic reqwest sqlx sqlx_core sqlx_postgres sqlx_mysql sqlx_sqlite tokio_postgres deadpool bb8 redis rdkafka lapin mongodb sea_orm " +
    "async_task async_executor async_io async_lock async_channel async_global_executor async_std blocking event_listener event_listener_strategy smol " +
    "parking_lot lock_api parking_lot_core flume kanal crossbeam crossbeam_channel moka dashmap tarpc warp rocket backoff backon"
  ).split(" "),
);

/** Whether code of this crate, or from this source file, is a library's and not the program's own. */
export function isLibraryCode(crate: string, file: string | undefined): boolean {
  if (libraryCrates.has(crate)) return true;
  if (file === undefined) return false;
  return /(?:^\/rustc\/|[\\/]\.cargo[\\/](?:registry|git)[\\/]|[\\/]registry[\\/]src[\\/]|[\\/]rustlib[\\/]src[\\/]|^library[\\/])/.test(
    file,
  );
}
