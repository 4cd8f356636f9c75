import { strict as assert } from "node:assert";
import type { CrashAnswer, VerdictAnswer } from "../../src/autopsy/answers";
import { openAutopsy } from "../../src/autopsy/open";
import { runNow } from "../../src/base/work";
import { deathLine, deathNames, deaths } from "../support/deaths";

interface Told {
  readonly crash: CrashAnswer;
  readonly verdict: VerdictAnswer;
  readonly signature: string;
  readonly stderr: string;
}

const told = new Map<string, Told>();
const of = (way: string): Told => {
  const found = told.get(way);
  assert.ok(found, `no core of ${way}`);
  return found;
};

/** What std prints of a panic: place, then the message to the end or to std's own next line. */
const panicText =
  /panicked at (?<file>.+?):(?<line>\d+):\d+:\n(?<message>[\s\S]*?)\n(?=note: run with|thread panicked while|thread caused|panicked at|$)/g;

describe("a core of a program that died says why, as the program printed it", function () {
  this.timeout(120_000);

  before(async () => {
    for (const death of deaths()) {
      const opened = await openAutopsy(death.corePath, { program: death.programPath });
      if ("error" in opened) throw new Error(opened.error.what);
      try {
        const crash = runNow(opened.autopsy.crash());
        const [verdict] = runNow(opened.autopsy.verdicts());
        const signature = runNow(opened.autopsy.signature());
        assert.ok(crash !== null && verdict !== undefined && signature !== undefined, death.way);
        told.set(death.way, { crash, verdict, signature, stderr: death.stderr });
      } finally {
        opened.autopsy.close();
      }
    }
  });

  const withoutPanic = "abort raise alloc vec-memory stack stack-thread null not-canonical code illegal".split(" ");
  for (const way of deathNames.filter((each) => !withoutPanic.includes(each))) {
    it(`${way}: the message and the place of the last panic`, () => {
      const { crash, verdict, stderr } = of(way);
      const last = [...`${stderr}\n`.matchAll(panicText)].at(-1)?.groups;
      assert.equal(verdict.kind, "panic");
      if (way === "long") assert.ok(crash.message?.startsWith("long long ") && crash.message.endsWith("(20000 bytes)"));
      else assert.equal(crash.message, last?.["message"]);
      // A panic of the runtime itself is told at the program's frame that it came from.
      if (way === "drop" || way === "extern-c") return;
      assert.equal(crash.location?.line, Number(last?.["line"]));
      assert.ok(crash.location.file.endsWith(last?.["file"]?.replace(/^.*\/(?=\w+\/\w+\.rs$)/, "") ?? "?"));
    });
  }

  it("reads a message only with the payload's vtable as its witness", () => {
    for (const [way, { crash }] of told)
      if (crash.message !== undefined)
        assert.equal(crash.evidence?.grade, way === "any" ? "inferred" : "verified", way);
  });

  it("tells the panics that were being unwound when another one came", () => {
    const drop = of("drop").verdict;
    assert.match(drop.summary, /the bomb went off while main was unwinding \(panic in a destructor during cleanup\)$/);
    assert.ok(drop.details?.some((detail) => detail.text === 'while unwinding from the panic "the first of two"'));
    assert.match(
      of("extern-c").verdict.summary,
      /C asked for an account that is not there \(in a function that cannot/,
    );
  });

  it("tells the panic that was being reported when its hook or its text panicked", () => {
    const reported = of("hook-panics").verdict.details?.find((detail) => detail.text.includes("being reported"));
    assert.match(reported?.text ?? "", /"reported by a broken hook"/);
    assert.equal(reported?.location?.line, deathLine("hook-panics"));
    assert.ok(of("hook").verdict.details?.some((detail) => detail.text.includes("its message was not formatted")));
  });

  it("says what ended a program that did not panic", () => {
    const expected: Readonly<Record<string, readonly [kind: string, summary: RegExp, marker: string]>> = {
      abort: ["abort", /: ways::die called std::process::abort$/, "abort"],
      raise: ["abort", /: ways::die raised SIGABRT$/, "raise"],
      alloc: ["abort", /: memory allocation (?:of 1048576 bytes )?failed$/, "alloc"],
      "vec-memory": ["abort", /: memory allocation (?:of 576460752303423488 bytes )?failed$/, "vec-memory"],
      null: ["crash", /SIGSEGV at 0x8 .*: a null pointer was followed/, "read"],
      "not-canonical": ["crash", /SIGSEGV .*not canonical/, "read"],
      code: ["crash", /SIGSEGV .* is code of /, "code"],
      illegal: ["crash", /SIGILL .* ud2/, "illegal"],
    };
    for (const [way, [kind, summary, marker]] of Object.entries(expected)) {
      const { verdict } = of(way);
      assert.equal(verdict.kind, kind, way);
      assert.match(verdict.summary, summary);
      assert.equal(verdict.details?.[0]?.location?.line, deathLine(marker), way);
    }
  });

  it("tells a stack overflow from a wild pointer, and who recurses, on the main thread and on another", () => {
    for (const way of ["stack", "stack-thread"]) {
      const { verdict } = of(way);
      assert.equal(verdict.kind, "stack overflow");
      assert.equal(verdict.evidence.grade, "verified");
      assert.match(verdict.summary, /ways::deeper recurses \(\d{3,} frames deep\)$/);
      assert.equal((verdict.details ?? []).filter((detail) => detail.text.includes("ways::deeper")).length, 1);
    }
  });

  it("shows the way there by the program's own functions alone, with their lines", () => {
    const texts = of("unwrap-err").verdict.details?.map((detail) => [detail.text, detail.location?.line]);
    assert.deepEqual(texts?.[0], ["panicked in ways::generic<u32, ways::bank::Refused>", deathLine("generic")]);
    assert.deepEqual(
      texts.slice(1).map(([text]) => text),
      ["called by ways::die", "called by ways::main"],
    );
  });

  it("gives the same signature to the same bug in another run, and another one to another bug", () => {
    assert.equal(of("unwrap-none2").signature, of("unwrap-none").signature);
    assert.equal(of("format2").signature, of("format").signature);
    const others = [...told].filter(([way]) => !way.endsWith("2")).map(([, each]) => each.signature);
    assert.equal(new Set(others).size, others.length, others.sort().join("\n"));
  });
});
