import type { FrameScope, FrameVariable } from "../autopsy/frame-variables";
import type { Child } from "../rust/display";
import type { Place } from "../rust/place";
import { Handles } from "./handles";

/** What a DAP variables reference stands for. */
export type Container =
  | { readonly kind: "scope"; readonly scope: FrameScope }
  /** `expression`: how to say the value in an evaluation, where it can be said. */
  | { readonly kind: "value"; readonly place: Place; readonly isRaw: boolean; readonly expression: string | undefined };

export class VariableStore {
  private readonly handles = new Handles<Container>(1);

  add(container: Container): number {
    return this.handles.add(container);
  }

  get(reference: number): Container | undefined {
    return this.handles.get(reference);
  }
}

export const asChild = (variable: FrameVariable): Child => ({
  name: variable.name,
  ...(variable.place === undefined ? {} : { place: variable.place }),
  ...(variable.text === undefined ? {} : { text: variable.text }),
  step: variable.name,
});
