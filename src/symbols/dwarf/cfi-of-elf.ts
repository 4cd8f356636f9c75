import { linkAddress } from "../../base/brand";
import { SliceSource } from "../../bytes/slice-source";
import type { ElfFile } from "../../formats/elf/elf";
import { elfMachine, segmentType } from "../../formats/elf/header";
import type { Arch } from "../../snapshot/snapshot";
import { createCfi } from "./cfi";
import type { Cfi, CfiSection } from "./cfi";
import { Cursor } from "../../bytes/cursor";
import { readEncodedPointer } from "./cfi-pointer";

const sectionOf = (file: ElfFile | undefined, name: string): CfiSection | undefined => {
  const bytes = file?.hasData(name) === true ? file.sectionSource(name) : undefined;
  const at = file?.section(name)?.addr;
  return bytes === undefined || at === undefined ? undefined : { bytes, at };
};

/** A file without section headers still has PT_GNU_EH_FRAME, which points at `.eh_frame_hdr`, which points at `.eh_frame`. */
function fromSegments(file: ElfFile): { ehFrame?: CfiSection; ehFrameHdr?: CfiSection } {
  const segment = file.segments.find((each) => each.type === segmentType.gnuEhFrame);
  if (segment === undefined) return {};
  const name = `${file.source.name} .eh_frame_hdr`;
  const header = new SliceSource(name, file.source, segment.offset, segment.filesz);
  const at = segment.vaddr;
  const cursor = new Cursor(header.read(0, 32));
  cursor.skip(1);
  const encoding = cursor.u8();
  cursor.skip(2);
  const start = readEncodedPointer(cursor, encoding, { section: at, data: at });
  const load = file.segments.find(
    (each) =>
      each.type === segmentType.load && start !== undefined && start >= each.vaddr && start < each.vaddr + each.filesz,
  );
  if (start === undefined || load === undefined) return {};
  const offset = load.offset + (start - load.vaddr);
  const size = load.vaddr + load.filesz - start;
  const bytes = new SliceSource(`${file.source.name} .eh_frame`, file.source, offset, size);
  return {
    ehFrame: { bytes, at: linkAddress(start) },
    ehFrameHdr: { bytes: header, at: linkAddress(at) },
  };
}

const archOf = (file: ElfFile): Arch =>
  file.header.machine === elfMachine.aarch64
    ? "aarch64"
    : file.header.machine === elfMachine.x86_64
      ? "x86_64"
      : "unknown";

/**
 * The unwinder of a module from its files: `.eh_frame` of the executable (a debug file has only its header), `.debug_frame` of either.
 * `undefined` where neither has any.
 */
export function cfiOfElf(executable: ElfFile | undefined, debug: ElfFile | undefined): Cfi | undefined {
  const file = executable ?? debug;
  if (file === undefined) return undefined;
  const arch = archOf(file);
  if (arch === "unknown") return undefined;
  let ehFrame = sectionOf(executable, ".eh_frame") ?? sectionOf(debug, ".eh_frame");
  let ehFrameHdr = sectionOf(executable, ".eh_frame_hdr") ?? sectionOf(debug, ".eh_frame_hdr");
  if (ehFrame === undefined && executable !== undefined) ({ ehFrame, ehFrameHdr } = fromSegments(executable));
  const debugFrame = sectionOf(debug, ".debug_frame") ?? sectionOf(executable, ".debug_frame");
  if (ehFrame === undefined && debugFrame === undefined) return undefined;
  return createCfi({ arch, ehFrame, ehFrameHdr, debugFrame });
}
