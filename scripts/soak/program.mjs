// One random program: Rust, and what has to be known about its text to read the book that it writes (functions, await sites, who awaits whom).
import { chance } from "./random.mjs";
import { driven, pokes, steps, weights } from "./steps.mjs";

/**
 * @typedef {{ name: string | null }} Fn a name as a person says it; null where only the line is compared
 * @typedef {{ fn: number, line: number, leaves: string[], exact: boolean, macro: string | null, joins?: number }} Site
 *   leaves: kinds that the frame may itself wait for at this await · exact: all of them, and nothing else · joins: the root function of
 *   all tasks in the JoinSet that is awaited here, which no other place starts
 * @typedef {{ seed: number, module: string, functions: Fn[], sites: Site[], parents: number[][], about: string, inside: boolean,
 *   delay: number }} Manifest parents: for each function the sites at which its frames are awaited; delay in microseconds
 */

const indent = (lines) => lines.map((line) => `    ${line}`);

/** What steps are written with. */
class Writer {
  constructor(seed, crate) {
    this.seed = seed;
    this.rng = chance(seed);
    this.module = `p${seed}`;
    this.prefix = `${crate}::${this.module}`;
    this.functions = [];
    this.sites = [];
    this.parents = [];
    this.items = [];
    this.names = 0;
    this.left = this.rng.between(16, 40);
  }

  fresh(letter) {
    return `${letter}${this.names++}`;
  }

  /** @param {string | null} name without the module */
  fn(name) {
    this.functions.push({ name: name === null ? null : `${this.prefix}::${name}` });
    this.parents.push([]);
    return this.functions.length - 1;
  }

  /** The next await in a function. Its line is where the comment `// sN` is. */
  site(fn, leaves, { exact = true, macro = null, joins } = {}) {
    this.sites.push({ fn, line: 0, leaves, exact, macro, ...(joins === undefined ? {} : { joins }) });
    return this.sites.length - 1;
  }

  awaitedAt(child, site) {
    this.parents[child].push(site);
  }

  /** A function that another frame awaits; returns its number. Its text is `n5(LINK, w.clone(), 0)`. */
  child(context) {
    const fn = this.fn(`n${this.functions.length}`);
    const inner = { ...context, fn, depth: context.depth + 1, root: false };
    const body = this.body(inner, this.rng.between(1, 3));
    this.items.push(
      `async fn n${fn}(up: Link, w: Arc<World>, d: u64) -> u64 {`,
      ...indent([`let f = up.enter(${fn});`, "let mut x = d;", ...body, "x"]),
      "}",
      "",
    );
    return fn;
  }

  /** A function that is a task's future. `n5(TASK, w.clone())`. */
  root(context) {
    const fn = this.fn(`n${this.functions.length}`);
    const inner = { ...context, fn, depth: context.depth + 1, root: true };
    const body = this.body(inner, this.rng.between(1, 4));
    const stays = context.stays === true;
    const end = stays ? steps.forever(this, inner) : [];
    this.items.push(
      `async fn n${fn}(t: Task, w: Arc<World>) -> u64 {`,
      ...indent([`let f = t.enter(${fn});`, "let mut x = 0_u64;", ...body, ...end, "t.finish() + x"]),
      "}",
      "",
    );
    return fn;
  }

  /** Some steps, perhaps again and again. A root that never ends sleeps in each round, so that it lets others run. */
  body(context, count) {
    const { rng } = this;
    const isEndless = context.root && context.stays && rng.percent(50);
    const inner = { ...context, root: false, canPanic: context.canPanic && context.root };
    const lines = [];
    for (let step = 0; step < count; step++) {
      if (rng.percent(45)) lines.push(pokes(this, inner));
      lines.push(...this.step(inner));
    }
    if (rng.percent(25)) lines.push(pokes(this, inner));
    if (isEndless) return ["loop {", ...indent([...lines, ...steps.sleep(this, inner)]), "}"];
    if (rng.percent(25)) return [`for _ in 0..${rng.between(2, 4)} {`, ...indent(lines), "}"];
    return lines;
  }

  step(context) {
    this.left--;
    const isDeep = context.depth >= 6 || this.left <= 0;
    const choices = Object.entries(weights).flatMap(([name, { weight, deep, when }]) =>
      (deep && isDeep) || (when !== undefined && !when(context)) ? [] : [[weight, name]],
    );
    return steps[this.rng.weighted(choices)](this, context);
  }
}

const prelude = `use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{FutureExt, join_all};
use futures::stream::{FuturesOrdered, FuturesUnordered, StreamExt};
use soak_witness::*;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{Barrier, Mutex, Notify, OnceCell, OwnedMutexGuard, RwLock, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet, LocalSet, spawn_blocking, yield_now};
use tokio::time::{Instant, interval, sleep, sleep_until, timeout};

type Boxed = Pin<Box<dyn Future<Output = u64> + Send>>;

tokio::task_local! {
    static SCOPE: u64;
}

/// A future of the program's own around another.
struct Wrapped<F> {
    inner: F,
}

impl<F: Future> Future for Wrapped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<F::Output> {
        unsafe { self.map_unchecked_mut(|this| &mut this.inner) }.poll(context)
    }
}

trait Stage {
    fn go(&self, up: Link, w: Arc<World>) -> Pin<Box<dyn Future<Output = u64> + Send + '_>>;
}

struct World {
    m0: Arc<Mutex<u64>>,
    m1: Arc<Mutex<u64>>,
    rw: RwLock<u64>,
    sem: Semaphore,
    notify0: Notify,
    notify1: Notify,
    barrier: Barrier,
    cell: OnceCell<u64>,
    tx: mpsc::Sender<u64>,
    rx: std::sync::Mutex<Option<mpsc::Receiver<u64>>>,
    utx: mpsc::UnboundedSender<u64>,
    urx: std::sync::Mutex<Option<mpsc::UnboundedReceiver<u64>>>,
    watch: watch::Sender<u64>,
    cast: broadcast::Sender<u64>,
    asked: std::sync::Mutex<Vec<oneshot::Sender<u64>>>,
    kept: std::sync::Mutex<Vec<JoinHandle<u64>>>,
}

impl World {
    fn new() -> Arc<World> {
        let (tx, rx) = mpsc::channel(2);
        let (utx, urx) = mpsc::unbounded_channel();
        Arc::new(World {
            m0: Arc::new(Mutex::new(0)),
            m1: Arc::new(Mutex::new(0)),
            rw: RwLock::new(0),
            sem: Semaphore::new(3),
            notify0: Notify::new(),
            notify1: Notify::new(),
            barrier: Barrier::new(2),
            cell: OnceCell::new(),
            tx,
            rx: std::sync::Mutex::new(Some(rx)),
            utx,
            urx: std::sync::Mutex::new(Some(urx)),
            watch: watch::channel(0).0,
            cast: broadcast::channel(4).0,
            asked: Default::default(),
            kept: Default::default(),
        })
    }

    fn answer(&self) {
        let first = self.asked.lock().unwrap().pop();
        if let Some(first) = first {
            let _ = first.send(1);
        }
    }
}
`;

/** After how many microseconds a program is dumped. */
export const instant = (rng) =>
  rng.weighted([
    [2, rng.between(500, 5_000)],
    [5, rng.between(5_000, 60_000)],
    [3, rng.between(60_000, 300_000)],
  ]);

/** @returns {{ source: string, manifest: Manifest }} */
export function generate(seed, crate) {
  const p = new Writer(seed, crate);
  const { rng } = p;
  p.host = p.fn("host");
  p.hostSite = p.site(p.host, []);
  p.relay = p.fn("relay");
  p.relaySite = p.site(p.relay, []);
  p.items.push(
    "async fn host(t: Task, w: Arc<World>, go: fn(Link, Arc<World>) -> Boxed) -> u64 {",
    `    let f = t.enter(${p.host});`,
    `    f.at(${p.hostSite});`,
    `    let x = go(f.link(), w).await; // s${p.hostSite}`,
    "    f.off();",
    "    t.finish() + x",
    "}",
    "",
    "async fn relay<F: Future<Output = u64>>(up: Link, make: impl FnOnce(Link) -> F) -> u64 {",
    `    let f = up.enter(${p.relay});`,
    `    f.at(${p.relaySite});`,
    `    let x = make(f.link()).await; // s${p.relaySite}`,
    "    f.off();",
    "    x",
    "}",
    "",
  );

  const workers = rng.pick([0, 1, 2, 2, 3, 4]);
  const isMulti = workers > 0;
  const context = { depth: 0, canPanic: false, inBlockOn: true, isMulti, local: false, stays: true };
  const main = [];
  const about = [isMulti ? `multi-thread, ${workers} workers` : "current-thread"];

  // Other threads with runtimes of their own.
  for (
    let island = rng.weighted([
      [5, 0],
      [3, 1],
      [1, 2],
    ]);
    island > 0;
    island--
  ) {
    // prettier-ignore
    const kind = rng.pick(["current", "local", "futures"]);
    about.push({ current: "a current-thread", local: "a LocalSet", futures: "futures::executor" }[kind]);
    const inner = { ...context, isMulti: kind === "futures" && isMulti, local: kind === "local" };
    const { root, future } = driven(p, inner);
    const drive = {
      current: "runtime.block_on(watched(slot, future));",
      local: "LocalSet::new().block_on(&runtime, watched(slot, future));",
      futures: "let _entered = handle.enter(); futures::executor::block_on(watched(slot, future));",
    }[kind];
    main.push(
      "{",
      ...indent([
        "let w = w.clone();",
        "let handle = runtime.handle().clone();",
        "std::thread::spawn(move || {",
        ...indent([
          "let runtime = Builder::new_current_thread().enable_all().build().unwrap();",
          `let t = Task::new(${root}, BLOCK_ON);`,
          "let slot = t.slot();",
          `let future = ${future("t", "w")};`,
          drive,
        ]),
        "});",
      ]),
      "}",
    );
  }
  // Enough to do: the tree that hangs below the root is often small.
  const first = [];
  for (let task = rng.between(3, 7); task > 0; task--) {
    p.left = Math.max(p.left, 8);
    const [j, slot] = [p.fresh("j"), p.fresh("slot")];
    first.push(...steps.start(p, { ...context, inBlockOn: false }, j, slot), `drop(${j});`);
  }
  const root = p.root(context);
  const text = [
    "#![allow(warnings)]",
    `//! Made by scripts/soak from seed ${seed}: ${about.join(", ")}.`,
    "",
    prelude,
    ...p.items,
    "pub fn run() {",
    ...indent([
      "let w = World::new();",
      isMulti
        ? `let runtime = Builder::new_multi_thread().worker_threads(${workers}).enable_all().build().unwrap();`
        : "let runtime = Builder::new_current_thread().enable_all().build().unwrap();",
      "soak_witness::runtime(runtime.handle());",
      ...main,
      "{",
      ...indent(["let _entered = runtime.enter();", ...first]),
      "}",
      `let t = Task::new(${root}, BLOCK_ON);`,
      "let slot = t.slot();",
      `runtime.block_on(watched(slot, n${root}(t, w)));`,
      "loop { std::thread::park(); }",
    ]),
    "}",
    "",
  ].join("\n");
  text.split("\n").forEach((line, index) => {
    const site = /\/\/ s(\d+)$/.exec(line)?.[1];
    if (site !== undefined) p.sites[Number(site)].line = index + 1;
  });
  const manifest = {
    seed,
    module: p.module,
    about: about.join(", "),
    functions: p.functions,
    sites: p.sites,
    parents: p.parents,
    inside: rng.percent(35),
    delay: instant(rng),
  };
  return { source: text, manifest };
}
