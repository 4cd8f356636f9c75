import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const alignment = 512;

/**
 * What `objcopy --only-keep-debug`, `strip` and `objcopy --add-gnu-debuglink` do with a program of MinGW's linker, except that the debug file keeps
 * the code too: a program without the sections at its end that have long names, which links to `NAME.debug` by its CRC-32.
 */
export function separateDebug(program: string, name: string, folder: string): void {
  const whole = readFileSync(program);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.debug`), whole);
  // gzip ends with the CRC-32 and the size.
  const packed = gzipSync(whole, { level: 1 });
  const header = whole.readUInt32LE(0x3c);
  const sectionCount = whole.readUInt16LE(header + 6);
  const sectionsAt = header + 24 + whole.readUInt16LE(header + 20);
  const sections = Array.from({ length: sectionCount }, (_, index) => sectionsAt + index * 40);
  const kept = sections.findIndex((at) => whole[at] === 0x2f);
  const slot = sections[kept];
  if (slot === undefined) throw new Error(`${program} has no debug information`);
  const end = Math.min(...sections.slice(kept).map((at) => whole.readUInt32LE(at + 20)));
  const link = Buffer.alloc(alignment);
  const linkSize = Math.ceil((name.length + ".debug".length + 1) / 4) * 4 + 4;
  link.write(`${name}.debug`, "latin1");
  link.writeUInt32LE(packed.readUInt32LE(packed.length - 8), linkSize - 4);
  const names = Buffer.from("\0\0\0\0.gnu_debuglink\0", "latin1");
  names.writeUInt32LE(names.length, 0);
  const stripped = Buffer.concat([whole.subarray(0, end), link, names]);
  stripped.writeUInt16LE(kept + 1, header + 6);
  stripped.writeUInt32LE(end + link.length, header + 12);
  stripped.writeUInt32LE(0, header + 16);
  stripped.fill(0, slot, slot + 8).write("/4", slot, "latin1");
  stripped.writeUInt32LE(linkSize, slot + 8);
  stripped.writeUInt32LE(alignment, slot + 16);
  stripped.writeUInt32LE(end, slot + 20);
  stripped.fill(0, sectionsAt + (kept + 1) * 40, sectionsAt + sectionCount * 40);
  writeFileSync(join(folder, name), stripped);
}
