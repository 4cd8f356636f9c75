import { strict as assert } from "node:assert";
import { elfWith } from "../../test/builders/dwarf-module";
import { runNow } from "../base/work";
import { SymbolPaths } from "./symbol-paths";

const hash = "17h0123456789abcdefE";
const names = [
  `_ZN3zoo4work28_$u7b$$u7b$closure$u7d$$u7d$${hash}`,
  `_ZN3zoo4work${hash}`,
  `_ZN3zoo6Keeper4feed28_$u7b$$u7b$closure$u7d$$u7d$${hash}`,
  `_ZN42_$LT$zoo..Keeper$u20$as$u20$zoo..Feeds$GT$4feed28_$u7b$$u7b$closure$u7d$$u7d$${hash}`,
  `_ZN3zoo33feed$LT$alloc..string..String$GT$${hash}`,
  `_ZN4zoo24work${hash}`,
  `_ZN11zoological_4work${hash}`,
  "_RNCNvCsabc_3zoo4work0",
  "_RNvNtCsabc_3zoo6keeper4feed",
  "_RINvCsabc_3zoo4workNtCsdef_5other1TE",
  "main",
  "zoo",
];

describe("functions of a symbol table by their paths", () => {
  const symbols =
    elfWith(
      {},
      names.map((name, index) => ({ name, value: 0x1000 + index * 16, size: 16 })),
    ).symbols(".symtab") ?? assert.fail();
  const paths = (): SymbolPaths => new SymbolPaths(symbols);
  const named = (indexes: Iterable<number>): readonly string[] =>
    [...indexes].sort((a, b) => a - b).map((index) => symbols.name(index));
  const whole = (): SymbolPaths => {
    const made = paths();
    runNow(made.indexAll());
    return made;
  };
  const work = [names[0], names[1], names[7], names[9]];

  it("are those with these plain steps, whatever the mangling and whatever comes behind them", () => {
    for (const made of [paths(), whole()]) {
      assert.deepEqual(named(made.withPath(["zoo", "work"])), work);
      assert.deepEqual(named(made.withPath(["zoo", "feed"])), [names[4]]);
      assert.deepEqual(named(made.withPath(["zoo", "keeper", "feed"])), [names[8]]);
      assert.deepEqual(named(made.withPath(["zoo2", "work"])), [names[5]]);
      assert.deepEqual(named(made.withPath(["zoological_", "work"])), [names[6]]);
      assert.deepEqual(named(made.withPath(["zoo", "absent"])), []);
      assert.ok(named(made.withPath(["main"])).includes("main"));
    }
  });

  it("are those with this last step, whoever the impl is of", () => {
    for (const made of [paths(), whole()])
      for (const name of [names[2], names[3], names[8]]) assert.ok(named(made.withLast("feed")).includes(name ?? ""));
  });

  it("are the same after so many questions that all are indexed", () => {
    const made = paths();
    for (const crate of ["a", "b", "c", "d", "e", "f"]) assert.deepEqual(named(made.withPath([crate, "work"])), []);
    assert.deepEqual(named(made.withPath(["zoo", "work"])), work);
    assert.ok(named(made.withLast("feed")).includes(names[3] ?? ""));
  });
});
