import { strict as assert } from "node:assert";
import { dirname, join } from "node:path";
import { randomFrom } from "../../../test/fuzz/mutations";
import { fixture } from "../../../test/support/fixtures";
import type { LinkAddress } from "../../base/brand";
import { runNow } from "../../base/work";
import { FileSource } from "../../bytes/file-source";
import { PeFile } from "../../formats/pe/pe";
import { codeTree } from "../pdb/code-tree";
import type { SwitchTable } from "../pdb/code-tree";
import { coroutineRefs } from "../pdb/coroutines";
import type { Procedure } from "../pdb/module-symbols-stream";
import { insideEnum, rustName } from "../pdb/names";
import { Pdb } from "../pdb/pdb";
import { PdbFile } from "../pdb/pdb-file";
import { AwaitLines, resumeName } from "./await-lines";
import { dispatchOf } from "./dispatch";

async function open(name: string): Promise<{ readonly image: PeFile; readonly pdb: Pdb }> {
  const { programPath, description } = await fixture(name);
  const image = PeFile.open(FileSource.open(programPath));
  const file = PdbFile.open(FileSource.open(join(dirname(programPath), description.pdb?.name ?? "")));
  assert.ok(image !== undefined && file?.dbi !== undefined);
  return { image, pdb: new Pdb(file, file.dbi) };
}

/** The tables that the compiler recorded (S_ARMSWITCHTABLE) are the truth about those that are found in the code. */
describe("awaits of Windows programs by their code", function () {
  this.timeout(60_000);

  for (const { name, least } of [
    { name: "zoo-win", least: 13 },
    { name: "zoo-win-debug", least: 28 },
    { name: "crash-win", least: 2 },
  ]) {
    it(`${name}: the jump by state found in the code is the one that the PDB records`, async () => {
      const { image, pdb } = await open(name);
      const { types } = pdb;
      assert.ok(types !== undefined);
      const entry = (rva: number): number | undefined => {
        const bytes = image.readAt(rva, 4).slice();
        return bytes.length < 4 ? undefined : new DataView(bytes.buffer).getInt32(0, true);
      };
      let compared = 0;
      for (const ref of runNow(coroutineRefs(types))) {
        const type = types.type(ref);
        const resume = resumeName(insideEnum(types.rawNameOf(ref)) ?? "");
        if (type.kind !== "enum" || resume === undefined || resume.endsWith(">")) continue;
        for (const { rawName, module, offset } of pdb.globals.procedures(rustName(resume))) {
          const stream = pdb.module(module);
          const procedure: Procedure | undefined = rawName === resume ? stream?.procedureAt(offset) : undefined;
          if (stream === undefined || procedure === undefined) continue;
          const code = image.readAt(procedure.low, procedure.high - procedure.low).slice();
          const found = dispatchOf({
            code,
            base: procedure.low,
            start: 0,
            stateOffset: type.discriminant?.offset,
            states: type.variants.length,
            entry,
          });
          if (found?.branch === undefined) continue;
          const at: number = procedure.low + found.branch;
          const table: SwitchTable | undefined = codeTree(stream, pdb.linesOf(stream), procedure).switches.find(
            (each) => each.branch === at,
          );
          assert.ok(table !== undefined, `${resume}: no table is recorded for the jump at ${at.toString(16)}`);
          assert.equal(table.count, type.variants.length);
          for (let state = 0; state < table.count; state++)
            assert.equal(
              found.targets[state],
              table.base + (entry(table.table + state * 4) ?? 0) - procedure.low,
              resume,
            );
          compared++;
        }
      }
      assert.ok(compared >= least, String(compared));
      pdb.close();
      image.close();
    });

    it(`${name}: without those records the same lines are found`, async () => {
      const { image, pdb } = await open(name);
      const { types } = pdb;
      assert.ok(types !== undefined);
      const code = (at: LinkAddress, length: number): Uint8Array => image.readAt(at, length);
      const recorded = new AwaitLines(pdb, code);
      const bare = new AwaitLines(pdb, code, false);
      let found = 0;
      for (const ref of runNow(coroutineRefs(types))) {
        const lines = recorded.of(ref).lines;
        assert.deepEqual(bare.of(ref).lines, lines, types.rawNameOf(ref));
        found += lines.size;
      }
      assert.ok(found >= least);
      pdb.close();
      image.close();
    });
  }

  it("of damaged code and odd sources are found in time, or are none", async () => {
    const { image, pdb } = await open("crash-win");
    const { types } = pdb;
    assert.ok(types !== undefined);
    const next = randomFrom(37);
    const random = (below: number): number => (below <= 0 ? 0 : next() % below);
    const damaged = (at: LinkAddress, length: number): Uint8Array => {
      const bytes = image.readAt(at, length).slice(0, length - random(3));
      for (let count = 0; count < 8; count++) bytes[random(bytes.length)] = random(256);
      return bytes;
    };
    const refs = runNow(coroutineRefs(types));
    assert.ok(refs.length > 0);
    for (let round = 0; round < 10; round++) {
      const lines = new AwaitLines(pdb, damaged, round % 2 === 0, () => new Uint8Array(random(50)).fill(random(256)));
      for (const ref of refs) for (const { position } of lines.of(ref).lines.values()) assert.ok(position.line > 0);
    }
    pdb.close();
    image.close();
  });
});
