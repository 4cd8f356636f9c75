import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { LinkAddress } from "../base/brand";
import { FileSource } from "../bytes/file-source";
import { ElfFile } from "../formats/elf/elf";
import { comparedSets, digest, sampleAddresses } from "../../test/compare/symbol-facts";
import { fixture } from "../../test/support/fixtures";
import { at, tag } from "./dwarf/constants";
import { Dwarf } from "./dwarf/dwarf";
import { dwarfSections } from "./dwarf/sections";
import { TypeReader } from "./dwarf/types";
import { entryKind } from "./dwarf/unit-table";
import { ElfModuleSymbols } from "./elf-module-symbols";
import type { TypeRef } from "./type-model";

interface Facts {
  readonly program: string;
  readonly types: { readonly count: number; readonly digest: string };
  readonly chains: { readonly count: number; readonly digest: string };
}
const facts = JSON.parse(readFileSync(join(__dirname, "../../test/compare/symbol-facts.json"), "utf8")) as Record<
  string,
  Facts
>;
const help = "see test/compare/symbol-facts.ts --lines for what llvm-dwarfdump and llvm-symbolizer say";

for (const set of comparedSets) {
  describe(`the debug information of ${set}`, function () {
    this.timeout(60_000);
    let elf: ElfFile;
    let expected: Facts;
    before(async () => {
      const { programPath, description } = await fixture(set);
      elf = ElfFile.open(FileSource.open(programPath))!;
      expected = facts[set]!;
      assert.equal(
        expected.program,
        description.program.sha256,
        "the facts are of this program; else write them again",
      );
    });
    after(() => {
      elf.close();
    });

    it("holds the structs, unions and enums that llvm-dwarfdump tells, with the same layouts", () => {
      const lines = typeLines(elf);
      assert.equal(lines.length, expected.types.count);
      assert.equal(digest(lines), expected.types.digest, help);
    });

    it("leads from addresses to the chains of inlined calls that llvm-symbolizer tells", () => {
      const symbols = new ElfModuleSymbols(elf, undefined);
      const lines = sampleAddresses(elf).map((address) => {
        const chain = symbols
          .framesAt(address as LinkAddress)
          .map(({ position }) => (position === undefined ? ":0" : `${position.file}:${String(position.line)}`));
        return [address.toString(16), ...chain].join(" ");
      });
      assert.equal(lines.length, expected.chains.count);
      assert.equal(digest(lines), expected.chains.digest, help);
    });
  });
}

function typeLines(elf: ElfFile): string[] {
  const dwarf = new Dwarf(dwarfSections(elf)!);
  const types = new TypeReader(dwarf);
  const kinds: Readonly<Record<number, string>> = {
    [tag.structureType]: "structure_type",
    [tag.unionType]: "union_type",
    [tag.enumerationType]: "enumeration_type",
  };
  const lines: string[] = [];
  for (const unit of dwarf.units()) {
    const table = dwarf.table(unit);
    for (let entry = 0; entry < table.count; entry++) {
      if (table.kinds[entry] !== entryKind.type) continue;
      const id = unit.dieId(table.positions[entry] ?? 0);
      const die = dwarf.die(id);
      const kind = kinds[die?.tag ?? 0];
      const type = types.type(id as TypeRef);
      if (kind === undefined || die?.string(at.name) === undefined || type.kind === "opaque") continue;
      let members: string[] = [];
      if (type.kind === "struct" || type.kind === "union")
        members = type.members.map((each) => `${each.name}@${String(each.offset)}`);
      else if (type.kind === "c-enum") members = type.enumerators.map((each) => each.name);
      else if (type.kind === "enum")
        // A coroutine's variants are numbers in the debug information, names in the model.
        members = type.variants.map(
          ({ name, when, offset }) =>
            `${type.isCoroutine && when !== "default" ? String(when.low) : name}@${String(offset)}`,
        );
      lines.push([kind, type.name, String(type.size), ...members].join("|"));
    }
  }
  return lines.sort();
}
