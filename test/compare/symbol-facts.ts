/**
 * Writes down what the LLVM tools say of the fixtures' programs, for `src/symbols/fixtures.test.ts` to compare with:
 * `npx tsx test/compare/symbol-facts.ts > test/compare/symbol-facts.json`. Needs llvm-dwarfdump-19 and llvm-symbolizer-19.
 * With `--lines SET` the facts themselves are printed, one a line: to see what differs when a digest does.
 */
import { execFileSync, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createInterface } from "node:readline";
import { BufferSource } from "../../src/bytes/buffer-source";
import { readFileSync } from "node:fs";
import { ElfFile } from "../../src/formats/elf/elf";
import { fixture } from "../support/fixtures";

/** Sets whose programs are compared. */
export const comparedSets = ["zoo-debug", "zoo-release"] as const;
const addresses = 1000;

/** Addresses all over the code, the same each time. */
export function sampleAddresses(program: ElfFile): number[] {
  const text = program.section(".text");
  const picked: number[] = [];
  for (let index = 0, state = 12345; text !== undefined && index < addresses; index++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    picked.push(text.addr + Math.floor((state / 2 ** 32) * text.size));
  }
  return picked;
}

export const digest = (lines: readonly string[]): string => createHash("sha256").update(lines.join("\n")).digest("hex");

interface Open {
  readonly indent: number;
  readonly tag: string;
  name: string | undefined;
  size: string;
  isDeclaration: boolean;
  location: string;
  readonly members: string[];
}

const typeTags = new Set(["structure_type", "union_type", "enumeration_type"]);
const scopeTags = new Set([...typeTags, "namespace", "subprogram"]);

/** Every struct, union and enum of the program: tag, path, size, members with offsets (variants; enumerators). Sorted. */
async function typeFacts(program: string): Promise<string[]> {
  const dump = spawn("llvm-dwarfdump-19", ["--debug-info", program]);
  const stack: Open[] = [];
  const out: string[] = [];
  const close = (indent: number): void => {
    for (let top = stack.at(-1); top !== undefined && top.indent >= indent; top = stack.at(-1)) {
      stack.pop();
      const outer = stack.at(-1);
      // A member of a variant belongs to the type around the variant part; a discriminant is no member.
      if (top.tag === "member" && outer?.tag !== "variant_part")
        (outer?.tag === "variant" ? stack.at(-3) : outer)?.members.push(`${top.name ?? ""}@${top.location}`);
      if (top.tag === "enumerator") outer?.members.push(top.name ?? "");
      if (!typeTags.has(top.tag) || top.name === undefined || top.isDeclaration) continue;
      const path = stack.flatMap((each) => (scopeTags.has(each.tag) && each.name !== undefined ? [each.name] : []));
      out.push([top.tag, [...path, top.name].join("::"), top.size, ...top.members].join("|"));
    }
  };
  for await (const line of createInterface({ input: dump.stdout })) {
    const die = /^0x[0-9a-f]+:( +)(?:DW_TAG_(\w+)|NULL)/.exec(line);
    if (die !== null) {
      const indent = (die[1] ?? "").length;
      close(indent);
      const tag = die[2];
      if (tag !== undefined)
        stack.push({ indent, tag, name: undefined, size: "0", isDeclaration: false, location: "0", members: [] });
      continue;
    }
    const top = stack.at(-1);
    const attribute = /^ +DW_AT_(\w+)\t\((.*)\)$/.exec(line);
    if (top === undefined || attribute === null) continue;
    const [, name, value = ""] = attribute;
    if (name === "name") top.name ??= /^"(.*)"$/.exec(value)?.[1];
    else if (name === "byte_size") top.size = String(Number(value));
    else if (name === "declaration") top.isDeclaration = true;
    else if (name === "data_member_location") top.location = String(Number(value));
  }
  close(-1);
  return out.sort();
}

interface SymbolizerFrame {
  readonly FunctionName: string;
  readonly FileName: string;
  readonly Line: number;
}

/** For each address the chain of inlined calls, innermost first; a line that the compiler made is ":0". */
function chainFacts(program: string): string[] {
  const elf = ElfFile.open(new BufferSource(program, readFileSync(program)));
  const picked = elf === undefined ? [] : sampleAddresses(elf);
  const output = execFileSync(
    "llvm-symbolizer-19",
    [`--obj=${program}`, "--output-style=JSON", ...picked.map((at) => `0x${at.toString(16)}`)],
    { maxBuffer: 1 << 28, encoding: "utf8" },
  );
  const results = output
    .trim()
    .split("\n")
    .flatMap((line) => JSON.parse(line) as { readonly Symbol: readonly SymbolizerFrame[] });
  return results.map(({ Symbol: frames }, index) => {
    const known = frames.filter((each) => each.FunctionName !== "" || each.FileName !== "");
    const chain = known.map((each) => (each.Line === 0 ? ":0" : `${each.FileName}:${String(each.Line)}`));
    return [(picked[index] ?? 0).toString(16), ...chain].join(" ");
  });
}

async function main(args: readonly string[]): Promise<void> {
  const only = args[0] === "--lines" ? args[1] : undefined;
  const facts: Record<string, unknown> = {};
  for (const set of comparedSets) {
    if (only !== undefined && only !== set) continue;
    const { programPath, description } = await fixture(set);
    const types = await typeFacts(programPath);
    const chains = chainFacts(programPath);
    if (only !== undefined) process.stdout.write(`${[...types, ...chains].join("\n")}\n`);
    facts[set] = {
      program: description.program.sha256,
      types: { count: types.length, digest: digest(types) },
      chains: { count: chains.length, digest: digest(chains) },
    };
  }
  if (only === undefined) process.stdout.write(`${JSON.stringify(facts, null, 2)}\n`);
}

if (require.main === module) void main(process.argv.slice(2));
