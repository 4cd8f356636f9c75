import type { Problem } from "../../base/problem";
import type { ElfFile } from "../../formats/elf/elf";
import type { Dwarf } from "./dwarf";
import { readPackageIndex } from "./package-index";
import { splitSections } from "./sections";
import { InfoSpace } from "./unit";
import type { Unit } from "./unit";

/** Opens the other files that hold debug information of a module. */
export interface SplitFiles {
  /** The package file (`program.dwp`). */
  package(): ElfFile | undefined;
  /** A `.dwo` by the name and folder that the executable tells. */
  object(name: string, compDir: string | undefined): ElfFile | undefined;
  /** The common file of dwz that `file` links to (`.gnu_debugaltlink`). */
  alternate(file: ElfFile): ElfFile | undefined;
  /** Where they were looked for, for a message. */
  readonly places: string;
}

/** Finds the split unit of a skeleton (DWARF 5 section 3.1.3, and GNU's forerunner in DWARF 4), by the id that both have. */
export class SplitUnits {
  private readonly known = new Map<Unit, Unit | undefined>();
  private packaged: Map<string, Unit> | undefined;
  private readonly missing = new Map<string, "absent" | "other build">();

  constructor(
    private readonly dwarf: Dwarf,
    private readonly files: SplitFiles,
  ) {}

  find(skeleton: Unit): Unit | undefined {
    if (this.known.has(skeleton)) return this.known.get(skeleton);
    const unit = this.look(skeleton);
    this.known.set(skeleton, unit);
    unit?.attach(skeleton);
    return unit;
  }

  private look(skeleton: Unit): Unit | undefined {
    const { dwoId, dwoName, compDir } = skeleton.root;
    if (dwoId === undefined) return undefined;
    this.packaged ??= this.openPackage();
    const inPackage = this.packaged.get(dwoId);
    if (inPackage !== undefined) return inPackage;
    const label = dwoName ?? dwoId;
    const elf = dwoName === undefined ? undefined : this.files.object(dwoName, compDir);
    const space = elf === undefined ? undefined : this.addSpace(elf);
    if (space === undefined) {
      this.missing.set(label, "absent");
      return undefined;
    }
    const unit = space.units.find((each) => each.root.dwoId === dwoId);
    if (unit === undefined) this.missing.set(label, "other build");
    return unit;
  }

  private addSpace(elf: ElfFile): InfoSpace | undefined {
    const sections = splitSections(elf, this.dwarf.main.sections);
    if (sections === undefined) return undefined;
    return this.dwarf.addSpace((index) => new InfoSpace(this.dwarf.context, index, sections, { isSplit: true }));
  }

  private openPackage(): Map<string, Unit> {
    const units = new Map<string, Unit>();
    const elf = this.files.package();
    const sections = elf === undefined ? undefined : splitSections(elf, this.dwarf.main.sections);
    const index = elf?.sectionSource(".debug_cu_index");
    if (elf === undefined || sections === undefined || index === undefined) return units;
    const rows = readPackageIndex(index);
    const byOffset = new Map(rows.map((row) => [row.infoOffset, row.contributions]));
    const space = this.dwarf.addSpace(
      (number) =>
        new InfoSpace(this.dwarf.context, number, sections, {
          isSplit: true,
          contributions: (offset) => byOffset.get(offset),
        }),
    );
    for (const row of rows) {
      const unit = space.unitAt(row.infoOffset);
      if (unit?.offset === row.infoOffset) units.set(row.id, unit);
    }
    return units;
  }

  /** Of those that were asked for. */
  get lacksAny(): boolean {
    return this.missing.size > 0;
  }

  /** What is lost, once all were asked for. */
  problem(name: string): Problem | undefined {
    if (this.missing.size === 0) return undefined;
    const absent = [...this.missing].filter(([, why]) => why === "absent").map(([label]) => label);
    const others = this.missing.size - absent.length;
    const parts = [
      ...(absent.length > 0
        ? [
            `${String(absent.length)} of ${String(this.known.size)} split units (${absent[0] ?? ""}${absent.length > 1 ? ", ..." : ""}) were not found; looked in ${this.files.places}`,
          ]
        : []),
      ...(others > 0 ? [`${String(others)} of ${String(this.known.size)} split units are of another build`] : []),
    ];
    return {
      where: name,
      what: `${parts.join("; ")}.`,
      effect: "Types and variables of these units are not known.",
      remedy: `Give ${name}.dwp, or a folder with the .dwo files, in the symbol path.`,
    };
  }
}
