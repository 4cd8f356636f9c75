import type { Address } from "../../../base/brand";
import { path, placeOf } from "../../../rust/place";
import type { Place } from "../../../rust/place";
import type { LoadedModule, Program } from "../../../symbols/program";
import type { TypeRef } from "../../../symbols/type-model";
import { tokioPaths } from "./names";
import type { PollFunction } from "./poll-functions";

/** Units looked at for a type before all of them are searched. Each is decoded for its own tasks anyway. */
const unitsTried = 400;

/**
 * The types of tokio's task that are the same for all futures. Optimised builds describe each in some of the units that instantiate tasks, never
 * in all: looked for there first, since an index over all units costs more than everything else together.
 */
export class SharedShapes {
  private readonly found = new Map<string, TypeRef | undefined>();
  private nearTypes: readonly TypeRef[] | undefined;

  constructor(
    private readonly program: Program,
    private readonly module: LoadedModule,
    private readonly polls: readonly PollFunction[],
  ) {}

  /** The type as a place at address zero, so that addresses of its members are their offsets. */
  get header(): Place | undefined {
    return this.atZero(tokioPaths.header);
  }
  get vtable(): Place | undefined {
    return this.atZero(tokioPaths.vtable);
  }
  get trailer(): Place | undefined {
    return this.atZero(tokioPaths.trailer);
  }

  private atZero(name: string): Place | undefined {
    if (!this.found.has(name)) this.found.set(name, this.search(name));
    const type = this.found.get(name);
    return type === undefined ? undefined : placeOf(this.program, this.module, type, 0 as Address);
  }

  private search(name: string): TypeRef | undefined {
    const { symbols } = this.module;
    if (!symbols.hasTypes) return undefined;
    for (const near of this.near()) {
      const type = symbols.typesNamed(name, near, true)[0];
      if (type !== undefined) return type;
    }
    return symbols.typesNamed(name)[0];
  }

  private near(): readonly TypeRef[] {
    if (this.nearTypes !== undefined) return this.nearTypes;
    const types: TypeRef[] = [];
    for (const poll of this.polls) {
      if (poll.module !== this.module) continue;
      const first = poll.instances[0]?.typeArguments()[0];
      if (first !== undefined) types.push(first.type);
      if (types.length >= unitsTried) break;
    }
    this.nearTypes = types;
    return types;
  }
}

/** Offset of a member in a shape; `undefined` without the type or the member. */
export const shapeOffset = (shape: Place | undefined, ...names: string[]): number | undefined =>
  shape === undefined ? undefined : path(shape, names)?.address;
