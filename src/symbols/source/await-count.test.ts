import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { mutations } from "../../../test/fuzz/mutations";
import { asyncBodies } from "./await-count";
import type { AsyncBody } from "./await-count";

function bodies(text: string): readonly AsyncBody[] {
  const found = asyncBodies(text);
  assert.ok(found !== undefined);
  return found;
}

/** The only body's lines of awaits, or why they are in doubt. */
function only(inside: string): readonly number[] | string {
  const [first] = bodies(`async fn f() {\n${inside}\n}`);
  assert.ok(first !== undefined);
  return first.doubt ?? first.awaits;
}

describe("awaits in the source", () => {
  it("are counted in the order of evaluation, each on the line of its word", () => {
    assert.deepEqual(
      only("a().await;\nlet x = b(c().await)\n.d()\n.await?;\nif x.await { y.await } else { z.await }"),
      [2, 3, 5, 6, 6, 6],
    );
  });

  it("in comments, strings, raw names and inner functions are none", () => {
    assert.deepEqual(
      only('// x.await\n/* x.await */ "x.await"; r#"x.await"#; x.r#await;\nfn g() { x.await }\ny.await'),
      [5],
    );
  });

  it("of inner blocks and closures are theirs", () => {
    const found = bodies(
      "async fn f<T>(x: T) -> [u8; 2]\nwhere T: Fn() -> u8,\n{\n a.await;\n let b = async move {\n c.await;\n };\n let d = async |x: u8| e.await + 1; let g = g(async || {\n h.await\n }, i.await);\n}",
    );
    assert.deepEqual(
      found.map((each) => [each.kind, each.within, each.firstLine, each.openLine, each.lastLine, each.awaits]),
      [
        ["fn", "f", 1, 3, 11, [4, 10]],
        ["block", "f", 5, 5, 7, [6]],
        ["closure", "f", 8, 8, 8, [8]],
        ["closure", "f", 8, 8, 10, [9]],
      ],
    );
  });

  it("in macros of std count, in others they are in doubt", () => {
    assert.deepEqual(only('println!("{}", a.await);\nassert_eq!(b.await, c.await);'), [2, 3, 3]);
    assert.match(String(only('info!("{}", a.await);')), /inside of info!/);
    assert.match(String(only("info!(x = vec![a.await]);")), /inside of info!/);
    assert.match(String(only("mine!(a);")), /mine! may await/);
    assert.match(String(only("tokio::select! { _ = a => {} }")), /select! awaits by itself/);
    assert.match(String(only("join!(a, b);")), /join!/);
    assert.deepEqual(only("info!(a); if !(b.await) { return !c.await }"), [2, 2]);
  });

  it("of what a macro defines are none", () => {
    assert.deepEqual(bodies("macro_rules! m { ($x:expr) => { async fn g() { $x.await } } }"), []);
  });

  it("that are compiled under a condition are in doubt, and only those", () => {
    assert.deepEqual(only("#[cfg(unix)] let x = 1;\na.await;"), [3]);
    assert.match(String(only("#[cfg(unix)] a.await;")), /conditionally/);
    assert.match(String(only("#[cfg(unix)] { x(); } else { a.await; }")), /conditionally/);
    assert.match(String(only("match x { #[cfg(unix)] 1 => a.await, _ => 2 }")), /conditionally/);
    assert.deepEqual(only("#[cfg(unix)] { x(); }\na.await;"), [3]);
  });

  it("on both sides of an assignment are in doubt, since the right side comes first", () => {
    assert.match(String(only("*a.await =\nb.await;")), /another order/);
    assert.match(String(only("*get(a.await, 1) = if c { 1 } else { 2 }\n+ b.await;")), /another order/);
    assert.match(String(only("x[a.await] +=\nb.await;")), /another order/);
    assert.deepEqual(only("*a.await = b.await;"), [2, 2]);
    assert.deepEqual(only("let x = a.await;\ny = b.await;\nif let Some(z) = c.await { w = d.await; }"), [2, 3, 4, 4]);
    assert.deepEqual(only("if a.await { b(); }\n*c = d.await;"), [2, 3]);
  });

  it("tells which bodies an attribute may rewrite", () => {
    const found = bodies(
      '#[tokio::main]\npub(crate) async fn a() {}\n#[inline] async fn b() {}\n#[async_trait] impl X for Y { async fn c() {} }\nimpl Z { #[instrument(skip(x))] async fn d() {} async fn e() {} }\n#[cfg(unix)] mod m { async unsafe extern "C" fn g() {} }',
    );
    assert.deepEqual(
      found.map((each) => [each.within, each.mayBeRewritten]),
      [
        ["a", true],
        ["b", false],
        ["c", true],
        ["d", true],
        ["e", false],
        ["g", false],
      ],
    );
  });

  it("are not told of brackets that do not match", () => {
    for (const text of ["async fn f() { (] }", "async fn f() {", "}"]) assert.equal(asyncBodies(text), undefined);
  });

  const sources = join(__dirname, "../../../test/fixtures/programs/zoo/src");

  it("of any text are found in time, on its own lines", () => {
    const piece = fc.constantFrom(
      ...'async fn f ( ) { } [ ] | || move .await , ; = += => ! m!( #[cfg(x)] let if else impl for \'a "s" \n match vec![ < > :: x'.split(
        " ",
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 120 }), (parts) => {
        const text = parts.join(" ");
        const lines = text.split("\n").length;
        for (const each of asyncBodies(text) ?? [])
          assert.ok(
            each.firstLine <= each.lastLine && each.awaits.every((line) => line >= each.firstLine && line <= lines),
          );
      }),
      { numRuns: 3000 },
    );
    const [name] = readdirSync(sources);
    const good = readFileSync(join(sources, name ?? ""));
    for (const damaged of mutations(31, good, 150)) asyncBodies(Buffer.from(damaged).toString());
    assert.equal(asyncBodies("{".repeat(50_000)), undefined);
    assert.equal(asyncBodies("#[".repeat(50_000)), undefined);
    assert.equal(asyncBodies("fn a ".repeat(50_000))?.length, 0);
    assert.equal(
      asyncBodies(`async fn f() {${"(".repeat(1500)}${".await".repeat(50_000)}${")".repeat(1500)}}`)?.length,
      1,
    );
  });
});
