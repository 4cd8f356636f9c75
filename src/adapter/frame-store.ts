import type { AwaitNode, Task } from "../async/model";
import type { PhysicalFrame } from "../unwind/stack";
import { Handles } from "./handles";

/** What a DAP frame id stands for. */
export type DapFrame =
  | {
      readonly kind: "native";
      readonly frame: PhysicalFrame;
      /** 0 is the innermost inlined function. */ readonly depth: number;
    }
  | { readonly kind: "await"; readonly task: Task; readonly node: AwaitNode }
  | { readonly kind: "label" };

export class FrameStore {
  private readonly handles = new Handles<DapFrame>(1);

  add(frame: DapFrame): number {
    return this.handles.add(frame);
  }

  get(id: number): DapFrame | undefined {
    return this.handles.get(id);
  }
}
