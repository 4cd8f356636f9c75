// Compares the unwind rows of an ELF file with those that `readelf -wF` prints, row by row.
//   node --import tsx test/compare/unwind-tables.ts FILE
import { spawnSync } from "node:child_process";
import { FileSource } from "../../src/bytes/file-source";
import { ElfFile } from "../../src/formats/elf/elf";
import { debugFrameIndex, ehFrameIndex } from "../../src/symbols/dwarf/cfi-index";
import type { FdeIndex } from "../../src/symbols/dwarf/cfi-index";
import { rowAt } from "../../src/symbols/dwarf/cfi-row";
import type { Row, Rule } from "../../src/symbols/dwarf/cfi-row";

const x86Names = ["rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp"];
const file = process.argv[2] ?? "";
const elf = ElfFile.open(FileSource.open(file));
if (elf === undefined) throw new Error(`${file} is no ELF file`);
const isAarch64 = elf.header.machine === 183;
const armName = (register: number): string =>
  register === 31 ? "sp" : register >= 64 ? `v${register - 64}` : `x${register}`;
const x86Name = (register: number): string => x86Names[register] ?? (register === 16 ? "ra" : `r${register}`);
const nameOf = isAarch64 ? armName : x86Name;

const offsetText = (base: string, offset: number): string => `${base}${offset < 0 ? "-" : "+"}${Math.abs(offset)}`;

function ruleText(rule: Rule | undefined): string {
  switch (rule?.kind) {
    case undefined:
    case "undefined":
      return "u";
    case "same":
      return "s";
    case "offset":
      return offsetText("c", rule.offset);
    case "value offset":
      return offsetText("v", rule.offset);
    case "register":
      return nameOf(rule.register);
    case "expression":
      return "exp";
    case "value expression":
      return "vexp";
  }
}

const cfaText = (row: Row): string =>
  row.cfa === undefined
    ? "?"
    : row.cfa.kind === "expression"
      ? "exp"
      : offsetText(nameOf(row.cfa.register), row.cfa.offset);

const sectionOf = (
  name: string,
): { bytes: NonNullable<ReturnType<ElfFile["sectionSource"]>>; at: never } | undefined => {
  const bytes = elf.hasData(name) ? elf.sectionSource(name) : undefined;
  return bytes === undefined ? undefined : { bytes, at: (elf.section(name)?.addr ?? 0) as never };
};
const ehFrame = sectionOf(".eh_frame");
const header = sectionOf(".eh_frame_hdr");
const debugFrame = sectionOf(".debug_frame");
const indexes: [string, FdeIndex][] = [];
if (ehFrame !== undefined)
  indexes.push([".eh_frame", ehFrameIndex(ehFrame, header)], [".eh_frame", ehFrameIndex(ehFrame, undefined)]);
if (debugFrame !== undefined) indexes.push([".debug_frame", debugFrameIndex(debugFrame)]);

// readelf's status tells of debug links that it does not find; the rows are there all the same.
const text = spawnSync("readelf", ["-wF", file], { encoding: "utf8", maxBuffer: 2 ** 31 - 1 }).stdout;
let section = "";
let columns: string[] = [];
let inFde = false;
let compared = 0;
let differing = 0;
let bounds = { low: 0, high: 0 };
for (const line of text.split("\n")) {
  const heading = /^Contents of the (\S+) section/.exec(line);
  if (heading !== null) section = heading[1] ?? "";
  const fde = /FDE cie=.* pc=([0-9a-f]+)\.\.([0-9a-f]+)/.exec(line);
  if (fde !== null) {
    inFde = true;
    bounds = { low: parseInt(fde[1] ?? "", 16), high: parseInt(fde[2] ?? "", 16) };
  } else if (line.includes(" CIE ")) inFde = false;
  if (/^\s+LOC\s+CFA/.test(line)) columns = line.trim().split(/\s+/).slice(2);
  if (!inFde || !/^[0-9a-f]{16} /.test(line) || line.includes("FDE")) continue;
  // readelf writes a rule "register" with its number and its name.
  const cells = line
    .trim()
    .replace(/\S+ \((\w+)\)/g, "$1")
    .split(/\s+/);
  const pc = parseInt(cells[0] ?? "", 16);
  if (pc < bounds.low || pc >= bounds.high) continue;
  for (const [name, index] of indexes) {
    if (name !== section) continue;
    compared++;
    const found = index.find(pc);
    const row = found === undefined ? undefined : rowAt(found, pc, isAarch64);
    const ours =
      row === undefined
        ? "none"
        : [
            cfaText(row),
            ...columns.map((column) => {
              const register = column === "ra" ? found?.cie.returnColumn : registerNamed(column);
              return ruleText(row.rules.get(register ?? -1));
            }),
          ].join(" ");
    const theirs = cells.slice(1).join(" ");
    if (ours === theirs) continue;
    if (++differing <= 10) console.log(`${section} ${cells[0] ?? ""}\n  readelf ${theirs}\n  here    ${ours}`);
  }
}

function registerNamed(name: string): number {
  for (let register = 0; register < 128; register++) if (nameOf(register) === name) return register;
  return -1;
}

console.log(`${file}: ${compared} rows compared, ${differing} differ`);
