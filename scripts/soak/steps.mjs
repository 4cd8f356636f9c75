// What a generated async function does: each step is Rust text around one await or more. `f.at(S)` and its kin write the site down right
// before the await, `f.off()` says that it is over.

const indent = (lines) => lines.map((line) => `    ${line}`);
const milliseconds = (p) => `Duration::from_millis(${p.rng.weighted([[6, p.rng.between(1, 12)], [3, p.rng.between(20, 80)], [1, 100_000]])})`; // prettier-ignore

/** The line of an await. */
const await_ = (site, text) => `${text} // s${site}`;

// --- one await on one thing

function sleep(p, { fn }) {
  const site = p.site(fn, ["timer"]);
  if (p.rng.percent(15)) {
    const tick = p.fresh("tick");
    return [
      `let mut ${tick} = interval(${milliseconds(p)});`,
      `f.at(${site});`,
      await_(site, `${tick}.tick().await;`),
      "f.off();",
    ];
  }
  const at = p.fresh("at");
  return [
    `let ${at} = Instant::now() + ${milliseconds(p)};`,
    `f.timer(${site}, ${at});`,
    await_(site, `sleep_until(${at}).await;`),
    "f.off();",
  ];
}

function turn(p, { fn }) {
  const site = p.site(fn, ["yield"]);
  return [`f.at(${site});`, await_(site, "yield_now().await;"), "f.off();"];
}

/** What is done while a guard is held, and how it is given back. */
function held(p, context, guard, hold) {
  const lines = p.body({ ...context, root: false }, p.rng.between(0, 2));
  // A guard that was dropped leaves its bytes in the frame: nobody holds anything at the awaits behind this.
  if (p.rng.percent(70)) return [...lines, `drop(${hold});`, `drop(${guard});`];
  return lines;
}

function lock(p, context) {
  const site = p.site(context.fn, ["mutex"]);
  const [g, h] = [p.fresh("g"), p.fresh("h")];
  const m = `w.m${p.rng.between(0, 1)}`;
  const owned = p.rng.percent(25);
  return scoped(p, [
    `f.on(${site}, &*${m});`,
    await_(site, owned ? `let mut ${g} = ${m}.clone().lock_owned().await;` : `let mut ${g} = ${m}.lock().await;`),
    "f.off();",
    `let ${h} = f.holds(&*${m});`,
    `*${g} += 1;`,
    ...held(p, context, g, h),
  ]);
}

function shared(p, context) {
  const writes = p.rng.percent(40);
  const site = p.site(context.fn, [writes ? "rwlock-write" : "rwlock-read"]);
  const [g, h] = [p.fresh("g"), p.fresh("h")];
  return scoped(p, [
    `f.on(${site}, &w.rw);`,
    await_(site, `let ${g} = w.rw.${writes ? "write" : "read"}().await;`),
    "f.off();",
    `let ${h} = f.holds(&w.rw);`,
    ...held(p, context, g, h),
  ]);
}

function permits(p, context) {
  const site = p.site(context.fn, ["semaphore"]);
  const [g, h] = [p.fresh("g"), p.fresh("h")];
  return scoped(p, [
    `f.on(${site}, &w.sem);`,
    await_(site, `let ${g} = w.sem.acquire_many(${p.rng.between(1, 3)}).await;`),
    "f.off();",
    `let ${h} = f.holds(&w.sem);`,
    ...held(p, context, g, h),
  ]);
}

/** Guards live to the end of a block, or to the end of the function. */
const scoped = (p, lines) => (p.rng.percent(60) ? ["{", ...indent(lines), "}"] : lines);

function notified(p, { fn }) {
  const site = p.site(fn, ["notify"]);
  const notify = `w.notify${p.rng.between(0, 1)}`;
  return [`f.on(${site}, &${notify});`, await_(site, `${notify}.notified().await;`), "f.off();"];
}

function receive(p, { fn }) {
  const site = p.site(fn, ["mpsc-recv"]);
  const rx = p.fresh("rx");
  const from = p.rng.pick(["rx", "urx"]);
  return [
    `let ${rx} = w.${from}.lock().unwrap().take();`,
    `if let Some(mut ${rx}) = ${rx} {`,
    ...indent([
      `for _ in 0..${p.rng.between(1, 5)} {`,
      ...indent([`f.through(${site}, &${rx});`, await_(site, `x += ${rx}.recv().await.unwrap_or(0);`), "f.off();"]),
      "}",
      `*w.${from}.lock().unwrap() = Some(${rx});`,
    ]),
    "}",
  ];
}

function send(p, { fn }) {
  const site = p.site(fn, ["mpsc-send"]);
  return [`f.through(${site}, &w.tx);`, await_(site, "let _ = w.tx.send(x).await;"), "f.off();"];
}

function changed(p, { fn }) {
  const site = p.site(fn, ["watch"]);
  const seen = p.fresh("seen");
  return [
    `let mut ${seen} = w.watch.subscribe();`,
    `f.through(${site}, &w.watch);`,
    await_(site, `let _ = ${seen}.changed().await;`),
    "f.off();",
  ];
}

function broadcast(p, { fn }) {
  const site = p.site(fn, ["broadcast"]);
  const heard = p.fresh("heard");
  return [
    `let mut ${heard} = w.cast.subscribe();`,
    `f.through(${site}, &w.cast);`,
    await_(site, `let _ = ${heard}.recv().await;`),
    "f.off();",
  ];
}

function oneshot(p, { fn }) {
  const site = p.site(fn, ["oneshot"]);
  const [ask, answer] = [p.fresh("ask"), p.fresh("answer")];
  return [
    `let (${ask}, ${answer}) = oneshot::channel::<u64>();`,
    `w.asked.lock().unwrap().push(${ask});`,
    `f.through(${site}, &${answer});`,
    await_(site, `x += ${answer}.await.unwrap_or(0);`),
    "f.off();",
  ];
}

function barrier(p, { fn }) {
  const site = p.site(fn, ["barrier"]);
  return [`f.on(${site}, &w.barrier);`, await_(site, "w.barrier.wait().await;"), "f.off();"];
}

/** Who comes first fills it by a future of its own; the others wait for that. */
function once(p, context) {
  const site = p.site(context.fn, ["once-cell"], { exact: false });
  const future = callee(p, context, site);
  return [`f.on(${site}, &w.cell);`, await_(site, `x += *w.cell.get_or_init(|| ${future}).await;`), "f.off();"];
}

function forever(p, { fn }) {
  const site = p.site(fn, ["never"]);
  return [`f.at(${site});`, await_(site, "pending::<()>().await;"), "f.off();"];
}

// --- other tasks

/** Starts a task; its handle and its slot in the book are `j` and `slot`. */
function start(p, context, j, slot) {
  const local = context.local && p.rng.percent(60);
  const how = local ? "tokio::task::spawn_local" : "tokio::spawn";
  const inner = { ...context, depth: context.depth, canPanic: true, inBlockOn: false, local, stays: p.rng.percent(30) };
  const t = p.fresh("t");
  // Most tasks have one type: each further one costs the runtime's code once more.
  if (p.rng.percent(60)) {
    const child = p.child(inner);
    p.awaitedAt(child, p.hostSite);
    return [
      `let ${t} = Task::new(${p.host}, SPAWNED);`,
      `let ${slot} = ${t}.slot();`,
      `let ${j} = ${how}(host(${t}, w.clone(), |up, w| Box::pin(n${child}(up, w, 0))));`,
      `spawned(${slot}, ${j}.id(), &${j});`,
    ];
  }
  const root = p.root(inner);
  return [
    `let ${t} = Task::new(${root}, SPAWNED);`,
    `let ${slot} = ${t}.slot();`,
    `let ${j} = ${how}(n${root}(${t}, w.clone()));`,
    `spawned(${slot}, ${j}.id(), &${j});`,
  ];
}

function spawn(p, context) {
  const [j, slot] = [p.fresh("j"), p.fresh("slot")];
  const lines = start(p, context, j, slot);
  const { fn } = context;
  const what = p.rng.weighted([
    [4, "detach"],
    [4, "join"],
    [2, "keep"],
    [2, "abort"],
  ]);
  if (what === "detach") return [...lines, `drop(${j});`];
  if (what === "keep") return [...lines, `w.kept.lock().unwrap().push(${j});`];
  const between =
    what === "abort" ? [...sleep(p, context), `${j}.abort();`] : p.rng.percent(30) ? turn(p, context) : [];
  const site = p.site(fn, ["join"]);
  return [...lines, ...between, `f.task(${site}, ${slot});`, await_(site, `let _ = ${j}.await;`), "f.off();"];
}

/**
 * The root of a block_on: a function of its own, or the function that most tasks have. Its future is `future(TASK, WORLD)`.
 * @returns {{ root: number, future: (t: string, w: string) => string }}
 */
export function driven(p, context) {
  if (p.rng.percent(30)) {
    const child = p.child(context);
    p.awaitedAt(child, p.hostSite);
    return { root: p.host, future: (t, w) => `host(${t}, ${w}, |up, w| Box::pin(n${child}(up, w, 0)))` };
  }
  const root = p.root(context);
  return { root, future: (t, w) => `n${root}(${t}, ${w})` };
}

/** A closure on a thread that may block; it may drive a future there. */
function blocking(p, context) {
  const { fn } = context;
  const [t, j, slot] = [p.fresh("t"), p.fresh("j"), p.fresh("slot")];
  const closure = p.fn(null);
  const site = p.site(fn, ["blocking"]);
  const work = [`t.begin();`];
  if (p.rng.percent(45) && context.depth < 5) {
    const inner = { ...context, canPanic: false, inBlockOn: true, local: false, stays: false };
    const { root, future } = driven(p, inner);
    work.push(
      `let t2 = Task::new(${root}, BLOCK_ON);`,
      "let slot2 = t2.slot();",
      `Handle::current().block_on(watched(slot2, ${future("t2", "w2")}));`,
    );
  } else work.push(p.rng.percent(50) ? `std::thread::sleep(${milliseconds(p)});` : `spin(${p.rng.between(50, 3000)});`);
  return [
    `let ${t} = Task::new(${closure}, BLOCKING);`,
    `let ${slot} = ${t}.slot();`,
    `let ${j} = { let w2 = w.clone(); let t = ${t}; spawn_blocking(move || {`,
    ...indent([...work, "t.finish()"]),
    "}) };",
    `spawned(${slot}, ${j}.id(), &${j});`,
    `f.task(${site}, ${slot});`,
    await_(site, `let _ = ${j}.await;`),
    "f.off();",
  ];
}

function inPlace(p, context) {
  const inner = { ...context, canPanic: false, inBlockOn: true, local: false, stays: false };
  const { root, future } = driven(p, inner);
  return [
    "tokio::task::block_in_place(|| {",
    ...indent([
      `let t2 = Task::new(${root}, BLOCK_ON);`,
      "let slot2 = t2.slot();",
      `Handle::current().block_on(watched(slot2, ${future("t2", "w.clone()")}));`,
    ]),
    "});",
  ];
}

function joinSet(p, context) {
  const { fn } = context;
  const root = p.root({ ...context, canPanic: true, inBlockOn: false, local: false, stays: p.rng.percent(20) });
  const site = p.site(fn, ["join-set"], { joins: root });
  const set = p.fresh("set");
  return [
    `let mut ${set} = JoinSet::new();`,
    `for _ in 0..${p.rng.between(1, 4)} {`,
    ...indent([
      `let t = Task::new(${root}, SPAWNED);`,
      "let slot = t.slot();",
      `let handle = ${set}.spawn(n${root}(t, w.clone()));`,
      "spawned(slot, handle.id(), &handle);",
    ]),
    "}",
    "loop {",
    ...indent([
      `f.at(${site});`,
      await_(site, `let Some(done) = ${set}.join_next().await else { break };`),
      "f.off();",
      ...(p.rng.percent(30) ? ["break;"] : []),
    ]),
    "}",
    ...(p.rng.percent(30) ? [`drop(${set});`] : []),
  ];
}

// --- own futures, one at a time

/** A call of a function that is made for this place; returns the text of its future. */
function callee(p, context, site, link = "f.link()", d = "0") {
  const child = p.child(context);
  p.awaitedAt(child, site);
  return `n${child}(${link}, w.clone(), ${d})`;
}

/** Around a future: what of the libraries lies between it and its await. */
const wraps = {
  plain: (future) => future,
  boxed: (future) => `(Box::pin(${future}) as Boxed)`,
  pinned: (future) => `Box::pin(${future})`,
  local: (future) => `pin!(${future})`,
  map: (future) => `${future}.map(|v| v + 1)`,
  then: (future) => `${future}.then(|v| std::future::ready(v))`,
  fuse: (future) => `${future}.fuse()`,
  either: (future) => `futures::future::Either::<_, std::future::Ready<u64>>::Left(${future})`,
  option: (future) => `futures::future::OptionFuture::from(Some(${future})).map(|v| v.unwrap_or(0))`,
  scope: (future) => `SCOPE.scope(1, ${future})`,
  unconstrained: (future) => `tokio::task::unconstrained(${future})`,
  lazy: (future) => `async { ${future}.await }`,
  into: (future) => `Wrapped { inner: ${future} }`,
};
/** What is put around a future; none adds a frame of its own but "lazy", which is written out below. */
const wrapNames = Object.keys(wraps).filter((name) => name !== "lazy");

function call(p, context) {
  const site = p.site(context.fn, []);
  const future = wraps[p.rng.percent(35) ? "plain" : p.rng.pick(wrapNames)](callee(p, context, site));
  return [`f.at(${site});`, await_(site, `x += ${future}.await;`), "f.off();"];
}

/** An async block in the function's own text. */
function block(p, context) {
  const { fn } = context;
  const site = p.site(fn, []);
  const owner = p.functions[fn].name;
  const inner = p.fn(null);
  const how = p.rng.weighted([
    [3, ["async {", "}"]],
    [1, ["async move {", "}"]],
    [1, ["Box::pin(async {", "})"]],
    [1, ["(async || {", "})()"]],
  ]);
  p.functions[inner].name = owner === null || how[0] === "(async || {" ? null : `${owner}::{async block}`;
  p.awaitedAt(inner, site);
  const body = p.body({ ...context, fn: inner, depth: context.depth + 1, root: false }, p.rng.between(1, 2));
  const up = p.fresh("up");
  return [
    "{",
    ...indent([
      `let ${up} = f.link();`,
      ...(how[0] === "async move {" ? ["let w = w.clone();"] : []),
      `f.at(${site});`,
      `x += ${how[0]}`,
      ...indent([`let f = ${up}.enter(${inner});`, "let mut x = 0_u64;", ...body, "x"]),
      await_(site, `${how[1]}.await;`),
      "f.off();",
    ]),
    "}",
  ];
}

/** A closure that gives a future to a generic function. */
function relay(p, context) {
  const { fn } = context;
  const site = p.site(fn, []);
  const child = p.child(context);
  p.awaitedAt(child, p.relaySite);
  p.awaitedAt(p.relay, site);
  return [`f.at(${site});`, await_(site, `x += relay(f.link(), |up| n${child}(up, w.clone(), 1)).await;`), "f.off();"];
}

/** An async method, of a trait object or of the type itself. */
function dynamic(p, context) {
  const { fn } = context;
  const site = p.site(fn, []);
  const child = p.child(context);
  const method = p.fn(null);
  const inside = p.site(method, []);
  p.awaitedAt(method, site);
  p.awaitedAt(child, inside);
  const type = `K${method}`;
  if (p.rng.percent(40)) {
    p.items.push(
      `struct ${type}(u64);`,
      `impl ${type} {`,
      "    async fn go(&self, up: Link, w: Arc<World>) -> u64 {",
      `        let f = up.enter(${method});`,
      `        f.at(${inside});`,
      `        let v = n${child}(f.link(), w.clone(), self.0).await; // s${inside}`,
      "        f.off();",
      "        v + self.0",
      "    }",
      "}",
      "",
    );
    return [
      `let stage${method} = ${type}(1);`,
      `f.at(${site});`,
      await_(site, `x += stage${method}.go(f.link(), w.clone()).await;`),
      "f.off();",
    ];
  }
  p.items.push(
    `struct ${type};`,
    `impl Stage for ${type} {`,
    "    fn go(&self, up: Link, w: Arc<World>) -> Pin<Box<dyn Future<Output = u64> + Send + '_>> {",
    "        Box::pin(async move {",
    `            let f = up.enter(${method});`,
    `            f.at(${inside});`,
    `            let v = n${child}(f.link(), w.clone(), 0).await; // s${inside}`,
    "            f.off();",
    "            v",
    "        })",
    "    }",
    "}",
    "",
  );
  return [
    `let stage${method}: Box<dyn Stage + Send + Sync> = Box::new(${type});`,
    `f.at(${site});`,
    await_(site, `x += stage${method}.go(f.link(), w.clone()).await;`),
    "f.off();",
  ];
}

/** A function that calls itself. */
function recursion(p, context) {
  const { fn } = context;
  const site = p.site(fn, []);
  const me = p.fn(`n${p.functions.length}`);
  const again = p.site(me, []);
  const isDyn = p.rng.percent(60);
  const inner = { ...context, fn: me, depth: context.depth + 2, root: false };
  const [before, bottom] = [p.body(inner, p.rng.between(0, 1)), p.body(inner, 1)];
  p.awaitedAt(me, site);
  p.awaitedAt(me, again);
  p.items.push(
    `fn n${me}_again(up: Link, w: Arc<World>, d: u64) -> Boxed {`,
    `    Box::pin(n${me}(up, w, d))`,
    "}",
    "",
    `async fn n${me}(up: Link, w: Arc<World>, d: u64) -> u64 {`,
    ...indent([
      `let f = up.enter(${me});`,
      "let mut x = d;",
      ...before,
      "if d > 0 {",
      ...indent([
        `f.at(${again});`,
        isDyn
          ? `x += n${me}_again(f.link(), w.clone(), d - 1).await; // s${again}`
          : `x += Box::pin(n${me}(f.link(), w.clone(), d - 1)).await; // s${again}`,
        "f.off();",
      ]),
      "} else {",
      ...indent(bottom),
      "}",
      "x",
    ]),
    "}",
    "",
  );
  return [
    `f.at(${site});`,
    await_(site, `x += n${me}_again(f.link(), w.clone(), ${p.rng.between(1, 4)}).await;`),
    "f.off();",
  ];
}

/** The guard of a lock moves into the callee. */
function handOver(p, context) {
  const { fn } = context;
  const first = p.site(fn, ["mutex"]);
  const second = p.site(fn, []);
  const child = p.fn(`n${p.functions.length}`);
  const inner = { ...context, fn: child, depth: context.depth + 1, root: false };
  const body = p.body(inner, p.rng.between(1, 2));
  const [g, h] = [p.fresh("g"), p.fresh("h")];
  p.awaitedAt(child, second);
  p.items.push(
    `async fn n${child}(up: Link, w: Arc<World>, g: OwnedMutexGuard<u64>, h: Hold) -> u64 {`,
    ...indent([`let f = up.enter(${child});`, "let mut x = *g;", ...body, "drop(h);", "drop(g);"]),
    ...(p.rng.percent(50) ? indent(p.step({ ...inner, depth: 9 })) : []),
    ...indent(["x"]),
    "}",
    "",
  );
  return [
    `f.on(${first}, &*w.m0);`,
    await_(first, `let ${g} = w.m0.clone().lock_owned().await;`),
    "f.off();",
    `let ${h} = f.holds(&*w.m0);`,
    `f.at(${second});`,
    await_(second, `x += n${child}(f.link(), w.clone(), ${g}, ${h}).await;`),
    "f.off();",
  ];
}

// --- several futures at once

function timeout(p, context) {
  if (p.rng.percent(35)) {
    const [kind, text] = p.rng.pick(selectLeaves);
    const site = p.site(context.fn, ["timer", kind], { exact: false });
    return [`f.at(${site});`, await_(site, `let _ = timeout(${milliseconds(p)}, ${text}).await;`), "f.off();"];
  }
  const site = p.site(context.fn, ["timer"], { exact: false });
  const future = callee(p, context, site);
  return [
    `f.at(${site});`,
    await_(site, `x += timeout(${milliseconds(p)}, ${future}).await.unwrap_or(0);`),
    "f.off();",
  ];
}

function join(p, context) {
  const isMacro = p.rng.percent(60);
  const leaves = isMacro && p.rng.percent(40) ? [p.rng.pick(selectLeaves)] : [];
  const kinds = leaves.map(([kind]) => kind);
  const site = p.site(context.fn, kinds, { exact: false, macro: isMacro ? "join!" : null });
  const count = isMacro ? p.rng.between(2, 4) : 2;
  const futures = Array.from({ length: count }, () => callee(p, context, site));
  futures.push(...leaves.map(([, text]) => text));
  const text = isMacro
    ? `let _ = tokio::join!(${futures.join(", ")});`
    : p.rng.percent(50)
      ? `let _ = futures::future::join(${futures.join(", ")}).await;`
      : `let _ = futures::future::select(${futures.map((future) => `pin!(${future})`).join(", ")}).await;`;
  return [`f.at(${site});`, await_(site, text), "f.off();"];
}

const selectLeaves = [
  ["timer", "sleep(Duration::from_millis(7))"],
  ["timer", "sleep(Duration::from_millis(90_000))"],
  ["notify", "w.notify0.notified()"],
  ["mutex", "w.m1.lock()"],
  ["semaphore", "w.sem.acquire()"],
  ["never", "pending::<()>()"],
  ["rwlock-read", "w.rw.read()"],
  ["mpsc-send", "w.tx.send(1)"],
];

function select(p, context) {
  const { fn } = context;
  const leaves = Array.from({ length: p.rng.between(0, 2) }, () => p.rng.pick(selectLeaves));
  const site = p.site(fn, leaves.map(([kind]) => kind), { exact: false, macro: "select!" }); // prettier-ignore
  const arms = Array.from({ length: p.rng.between(1, 3) }, () => {
    const lines = p.rng.percent(30) ? ["f.off();", ...p.step({ ...context, depth: context.depth + 1 })] : [];
    return [`v = ${callee(p, context, site)} => {`, ...indent([...lines, "x += v;"]), "}"];
  });
  arms.push(...leaves.map(([, text]) => [`_ = ${text} => {}`]));
  return [
    `f.at(${site});`,
    `tokio::select! { // s${site}`,
    ...indent([...(p.rng.percent(30) ? ["biased;"] : []), ...arms.flat()]),
    "}",
    "f.off();",
  ];
}

/** A future that was begun in a select! and that nobody polls while another branch runs: it is not where the task waits. */
function idle(p, context) {
  const { fn } = context;
  const first = p.site(fn, ["timer"], { exact: false, macro: "select!" });
  const late = p.fresh("late");
  const future = callee(p, context, first);
  const child = p.parents.findIndex((sites) => sites.includes(first));
  const meanwhile = p.step({ ...context, depth: context.depth + 1 });
  const isTaken = p.rng.percent(60);
  const last = isTaken ? p.site(fn, []) : undefined;
  if (isTaken) p.awaitedAt(child, last);
  return [
    "{",
    ...indent([
      `let mut ${late} = pin!(${future});`,
      `f.at(${first});`,
      `tokio::select! { // s${first}`,
      ...indent([
        `v = &mut ${late} => { f.off(); x += v; }`,
        `_ = sleep(Duration::from_millis(${p.rng.between(1, 20)})) => {`,
        ...indent(["f.off();", ...meanwhile]),
        ...(isTaken ? indent([`f.at(${last});`, `x += ${late}.await; // s${last}`, "f.off();"]) : []),
        "}",
      ]),
      "}",
    ]),
    "}",
  ];
}

function many(p, context) {
  const { fn } = context;
  const site = p.site(fn, [], { exact: false });
  const future = callee(p, context, site, "f.link()", "i");
  const count = p.rng.weighted([
    [5, p.rng.between(2, 6)],
    [1, 34],
  ]);
  const each = `(0..${count}_u64).map(|i| ${future})`;
  const text = p.rng.pick([
    `x += join_all(${each}).await.len() as u64;`,
    `x += futures::future::select_all(${each}.map(|one| Box::pin(one) as Boxed)).await.0;`,
    `x += futures::stream::iter(${each}).buffer_unordered(3).fold(0, |sum, v| std::future::ready(sum + v)).await;`,
    `x += futures::stream::iter(${each}).buffered(2).collect::<Vec<_>>().await.len() as u64;`,
    `x += futures::stream::iter(0..${count}_u64).then(|i| ${future}).collect::<Vec<_>>().await.len() as u64;`,
  ]);
  return [`f.at(${site});`, await_(site, text), "f.off();"];
}

function unordered(p, context) {
  const { fn } = context;
  const site = p.site(fn, [], { exact: false });
  const future = callee(p, context, site, "f.link()", "i");
  const set = p.fresh("set");
  const type = p.rng.pick(["FuturesUnordered", "FuturesOrdered"]);
  return [
    `let mut ${set} = ${type}::new();`,
    `for i in 0..${p.rng.between(1, 6)}_u64 { ${set}.push${type === "FuturesOrdered" ? "_back" : ""}(${future}); }`,
    "loop {",
    ...indent([
      `f.at(${site});`,
      await_(site, `let Some(v) = ${set}.next().await else { break };`),
      "f.off();",
      "x += v;",
      // The others of the set are idle meanwhile.
      ...(p.rng.percent(40) ? p.step({ ...context, depth: 9 }) : []),
    ]),
    "}",
    `drop(${set});`,
  ];
}

/** What is done without waiting, mostly for the good of others. */
export function pokes(p, context) {
  return p.rng.weighted([
    [3, "w.notify0.notify_one();"],
    [2, "w.notify1.notify_waiters();"],
    [2, "w.watch.send_modify(|v| *v += 1);"],
    [2, "let _ = w.cast.send(1);"],
    [3, "w.answer();"],
    [2, "let _ = w.tx.try_send(1);"],
    [2, "let _ = w.utx.send(1);"],
    [4, `spin(${p.rng.between(20, 4000)});`],
    [3, "may_die();"],
    [context.canPanic && context.root ? 1 : 0, 'if x % 3 == 0 { t.panics(); panic!("soak"); }'],
  ]);
}

export const steps = {
  sleep, turn, lock, shared, permits, notified, receive, send, changed, broadcast, oneshot, barrier, once, forever, start, spawn, blocking, inPlace,
  joinSet, call, block, relay, dynamic, recursion, handOver, timeout, join, select, idle, many, unordered,
}; // prettier-ignore

/** How often; `deep`: not where the tree is deep already; `when`: only there. */
export const weights = {
  sleep: { weight: 10 },
  turn: { weight: 4 },
  lock: { weight: 6 },
  shared: { weight: 4 },
  permits: { weight: 4 },
  notified: { weight: 3 },
  receive: { weight: 3 },
  send: { weight: 3 },
  changed: { weight: 2 },
  broadcast: { weight: 2 },
  oneshot: { weight: 3 },
  barrier: { weight: 1 },
  once: { weight: 2, deep: true },
  forever: { weight: 1 },
  spawn: { weight: 9, deep: true },
  blocking: { weight: 2, deep: true },
  inPlace: { weight: 1, deep: true, when: (context) => context.isMulti && !context.inBlockOn && !context.local },
  joinSet: { weight: 2, deep: true },
  call: { weight: 12, deep: true },
  block: { weight: 4, deep: true },
  relay: { weight: 2, deep: true },
  dynamic: { weight: 2, deep: true },
  recursion: { weight: 3, deep: true },
  handOver: { weight: 2, deep: true },
  timeout: { weight: 4, deep: true },
  join: { weight: 5, deep: true },
  select: { weight: 5, deep: true },
  idle: { weight: 3, deep: true },
  many: { weight: 4, deep: true },
  unordered: { weight: 3, deep: true },
};
