// Compares the line tables of an ELF file with those that llvm-dwarfdump prints: each row's address, line, full path and statement flag.
//   node --import tsx test/compare/line-tables.ts FILE [llvm-dwarfdump]
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { FileSource } from "../../src/bytes/file-source";
import { ElfFile } from "../../src/formats/elf/elf";
import { lineTable } from "../../src/symbols/dwarf/line-table";

const file = process.argv[2] ?? "";
const elf = ElfFile.open(FileSource.open(file));
if (elf === undefined) throw new Error(`${file} is no ELF file`);
const sections = {
  line: elf.sectionSource(".debug_line"),
  lineStr: elf.sectionSource(".debug_line_str"),
  str: elf.sectionSource(".debug_str"),
};
// The compilation directory is in the unit, which the line table of versions before 5 does not repeat: both sides get the same stand-in.
const unit = { compDir: "/comp", name: "unit" };

interface Row {
  readonly address: number;
  readonly line: number;
  readonly file: number;
  readonly isStatement: boolean;
}

let tables = 0;
let compared = 0;
let differing = 0;
let offset = -1;
let version = 0;
let directories = new Map<number, string>();
let files = new Map<number, { name: string; directory: number }>();
let run: Row[] = [];
let runs: { rows: Row[]; high: number }[] = [];
let current = -1;

function pathOf(index: number): string | undefined {
  const entry = files.get(index);
  if (entry === undefined) return undefined;
  if (entry.name.startsWith("/")) return entry.name;
  const zero = version < 5 ? "/comp" : directories.get(0);
  const directory = entry.directory === 0 ? zero : directories.get(entry.directory);
  if (directory === undefined) return undefined;
  const folder = directory.startsWith("/") ? directory : `/comp/${directory}`;
  return `${folder.replace(/\/$/, "")}/${entry.name}`;
}

function finish(): void {
  if (offset < 0) return;
  tables++;
  const table = lineTable(sections, offset, unit);
  const theirs = runs
    .filter(
      (each) => each.rows.length > 0 && (each.rows[0]?.address ?? 0) !== 0 && each.high > (each.rows[0]?.address ?? 0),
    )
    .sort((a, b) => (a.rows[0]?.address ?? 0) - (b.rows[0]?.address ?? 0))
    .flatMap((each) => each.rows.filter((row) => row.line !== 0 && row.address < each.high));
  const ours = (table?.ranges() ?? []).flatMap(({ low, high }) => table?.rows(low, high) ?? []);
  if (ours.length !== theirs.length) {
    differing += Math.abs(ours.length - theirs.length);
    console.log(`table at ${offset}: ${theirs.length} rows there, ${ours.length} here`);
  }
  theirs.forEach((row, index) => {
    compared++;
    const mine = ours[index];
    const same =
      mine?.address === row.address &&
      mine.position.line === row.line &&
      mine.isStatement === row.isStatement &&
      mine.position.file === pathOf(row.file);
    if (!same && ++differing <= 5)
      console.log(
        `table at ${offset} ${JSON.stringify(row)} ${pathOf(row.file) ?? ""}\n  here ${JSON.stringify(mine)}`,
      );
  });
}

async function main(): Promise<void> {
  const child = spawn(process.argv[3] ?? "llvm-dwarfdump-19", ["--debug-line", file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const row = /^0x([0-9a-f]{16})\s+(\d+)\s+(\d+)\s+(\d+)\s+\d+\s+\d+\s+(?:\d+\s*)?(.*)$/.exec(line);
    if (row !== null) {
      const address = parseInt(row[1] ?? "", 16);
      if (row[5]?.includes("end_sequence") === true) {
        runs.push({ rows: run, high: address });
        run = [];
      } else
        run.push({
          address,
          line: Number(row[2]),
          file: Number(row[4]),
          isStatement: row[5]?.includes("is_stmt") === true,
        });
      continue;
    }
    const start = /^debug_line\[0x([0-9a-f]+)\]/.exec(line);
    if (start !== null) {
      finish();
      offset = parseInt(start[1] ?? "", 16);
      directories = new Map();
      files = new Map();
      run = [];
      runs = [];
      continue;
    }
    const header = /^\s+version: (\d+)/.exec(line);
    if (header !== null) version = Number(header[1]);
    const directory = /^include_directories\[\s*(\d+)\] = "(.*)"/.exec(line);
    if (directory !== null) directories.set(Number(directory[1]), directory[2] ?? "");
    const entry = /^file_names\[\s*(\d+)\]:/.exec(line);
    if (entry !== null) current = Number(entry[1]);
    const name = /^\s+name: "(.*)"/.exec(line);
    if (name !== null) files.set(current, { name: name[1] ?? "", directory: 0 });
    const index = /^\s+dir_index: (\d+)/.exec(line);
    const known = files.get(current);
    if (index !== null && known !== undefined) files.set(current, { ...known, directory: Number(index[1]) });
  }
  finish();
  console.log(`${file}: ${tables} tables, ${compared} rows compared, ${differing} differ`);
}

void main();
