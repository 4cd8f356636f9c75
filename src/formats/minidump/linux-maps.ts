/** One line of `/proc/pid/maps`. */
export interface LinuxMapping {
  readonly start: number;
  readonly end: number;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly executable: boolean;
  readonly shared: boolean;
  readonly offset: number;
  /** Path or "[heap]"-like name; empty for anonymous memory. */
  readonly name: string;
}

const line = /^([0-9a-f]{1,16})-([0-9a-f]{1,16}) ([r-])([w-])([x-])([ps]) ([0-9a-f]{1,16}) \S+ \d+[ \t]*(.*)$/;

/** Lines that are not understood are left out; so is kernel space (vsyscall). */
export function parseLinuxMaps(text: string): LinuxMapping[] {
  const mappings: LinuxMapping[] = [];
  for (const each of text.split("\n")) {
    const match = line.exec(each);
    if (match === null) continue;
    const start = parseInt(match[1] ?? "", 16);
    const end = parseInt(match[2] ?? "", 16);
    if (!(end > start) || end > 2 ** 53) continue;
    mappings.push({
      start,
      end,
      readable: match[3] === "r",
      writable: match[4] === "w",
      executable: match[5] === "x",
      shared: match[6] === "s",
      offset: parseInt(match[7] ?? "", 16),
      name: (match[8] ?? "").replace(/ \(deleted\)$/, ""),
    });
  }
  return mappings;
}
