import { DebugBytes } from "./debug-bytes";

export interface WantedCie {
  readonly augmentation?: string;
  readonly augmentationData?: Uint8Array;
  readonly codeAlignment?: number;
  readonly dataAlignment?: number;
  readonly returnColumn?: number;
  readonly instructions: Uint8Array;
  readonly version?: 1 | 3 | 4;
}
export interface WantedFde {
  readonly cie: number;
  readonly low: number;
  readonly size: number;
  readonly instructions: Uint8Array;
}

/** How FDE addresses are written: as `.eh_frame` of position independent code does, or plain. */
export type AddressForm = "pcrel sdata4" | "absptr" | "udata8 pcrel";
const formByte = { "pcrel sdata4": 0x1b, absptr: 0x00, "udata8 pcrel": 0x14 } as const;

const padded = (body: DebugBytes, alignment = 8): Uint8Array => {
  const out = new DebugBytes().append(body.done());
  while ((out.length + 4) % alignment !== 0) out.u8(0);
  return out.done();
};

export interface BuiltCfi {
  readonly ehFrame: Uint8Array;
  readonly ehFrameHdr: Uint8Array;
  /** Offset of each FDE. */
  readonly fdes: readonly number[];
}

/** `.eh_frame` loaded at `at` with its `.eh_frame_hdr` at `headerAt` (LSB Core, DWARF extensions and `.eh_frame_hdr`). */
export function ehFrame(options: {
  readonly at: number;
  readonly headerAt: number;
  readonly form?: AddressForm;
  readonly cies: readonly WantedCie[];
  readonly fdes: readonly WantedFde[];
}): BuiltCfi {
  const form = options.form ?? "pcrel sdata4";
  const out = new DebugBytes();
  const cieAt: number[] = [];
  for (const cie of options.cies) {
    cieAt.push(out.length);
    const augmentation = cie.augmentation ?? "zR";
    const data = cie.augmentationData ?? (augmentation === "zR" ? Uint8Array.of(formByte[form]) : new Uint8Array(0));
    const body = new DebugBytes()
      .u32(0)
      .u8(cie.version ?? 1)
      .text(augmentation);
    if (cie.version === 4) body.u8(8, 0);
    body.uleb(cie.codeAlignment ?? 1).sleb(cie.dataAlignment ?? -8);
    if ((cie.version ?? 1) === 1) body.u8(cie.returnColumn ?? 16);
    else body.uleb(cie.returnColumn ?? 16);
    if (augmentation.startsWith("z")) body.uleb(data.length).append(data);
    const bytes = padded(body.append(cie.instructions));
    out.u32(bytes.length).append(bytes);
  }
  const fdeAt: number[] = [];
  for (const fde of options.fdes) {
    const start = out.length;
    fdeAt.push(start);
    const place = options.at + start + 8;
    const body = new DebugBytes().u32(start + 4 - (cieAt[fde.cie] ?? 0));
    if (form === "pcrel sdata4") body.u32(fde.low - place).u32(fde.size);
    else if (form === "absptr") body.u64(fde.low).u64(fde.size);
    else body.u64(BigInt(fde.low) - BigInt(place)).u64(fde.size);
    if ((options.cies[fde.cie]?.augmentation ?? "zR").startsWith("z")) body.uleb(0);
    const bytes = padded(body.append(fde.instructions));
    out.u32(bytes.length).append(bytes);
  }
  out.u32(0);
  // version 1, pcrel sdata4, udata4, datarel sdata4
  const header = new DebugBytes().u8(1, 0x1b, 0x03, 0x3b);
  header.u32(options.at - (options.headerAt + 4)).u32(options.fdes.length);
  const order = options.fdes.map((fde, index) => ({ low: fde.low, at: options.at + (fdeAt[index] ?? 0) }));
  order.sort((a, b) => a.low - b.low);
  for (const entry of order) header.u32(entry.low - options.headerAt).u32(entry.at - options.headerAt);
  return { ehFrame: out.done(), ehFrameHdr: header.done(), fdes: fdeAt };
}

/** `.debug_frame` (DWARF 5 section 6.4.1), addresses in full. */
export function debugFrame(cies: readonly WantedCie[], fdes: readonly WantedFde[], is64 = false): Uint8Array {
  const out = new DebugBytes();
  const entry = (id: bigint, body: Uint8Array): void => {
    const inner = is64 ? new DebugBytes().u64(id) : new DebugBytes().u32(Number(BigInt.asUintN(32, id)));
    inner.append(body);
    while (inner.length % 8 !== 0) inner.u8(0);
    if (is64) out.u32(0xffffffff).u64(inner.length);
    else out.u32(inner.length);
    out.append(inner.done());
  };
  const cieAt = cies.map((cie) => {
    const at = out.length;
    const version = cie.version ?? 4;
    const body = new DebugBytes().u8(version).text("");
    if (version === 4) body.u8(8, 0);
    body.uleb(cie.codeAlignment ?? 1).sleb(cie.dataAlignment ?? -8);
    if (version === 1) body.u8(cie.returnColumn ?? 16);
    else body.uleb(cie.returnColumn ?? 16);
    entry(-1n, body.append(cie.instructions).done());
    return at;
  });
  for (const fde of fdes)
    entry(BigInt(cieAt[fde.cie] ?? 0), new DebugBytes().u64(fde.low).u64(fde.size).append(fde.instructions).done());
  return out.done();
}
