import { strict as assert } from "node:assert";
import type { Frame } from "../../futures/entry";
import { isAwaitedByOnceCell } from "./semaphore";

/** Futures inside each other, outermost first; only their paths matter. */
function frames(...paths: readonly string[]): Frame {
  let frame: Frame | undefined;
  for (const path of paths) frame = { path: { path, crate: path.split("::")[0] }, parent: frame } as unknown as Frame;
  return frame!;
}
const init = "tokio::sync::once_cell::get_or_init";
const acquire = "tokio::sync::semaphore::acquire";

describe("who awaits a permit", () => {
  it("is a OnceCell where its own function does", () => {
    assert.equal(isAwaitedByOnceCell(frames("app::main", init, acquire)), true);
  });

  it("is no OnceCell where the future that fills it waits for a semaphore of the program", () => {
    assert.equal(isAwaitedByOnceCell(frames("app::main", init, "app::fill", acquire)), false);
    assert.equal(isAwaitedByOnceCell(frames("app::main", init, "app::fill", "core::future::poll_fn", acquire)), false);
  });

  it("is the inner OnceCell where filling one waits for another", () => {
    assert.equal(isAwaitedByOnceCell(frames("app::main", init, "app::fill", init, acquire)), true);
  });

  it("is no OnceCell where there is none", () => {
    assert.equal(isAwaitedByOnceCell(frames("app::main", acquire)), false);
  });
});
