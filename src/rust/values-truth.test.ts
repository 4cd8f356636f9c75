import { strict as assert } from "node:assert";
import { fixture } from "../../test/support/fixtures";
import { address } from "../base/brand";
import { openSnapshot } from "../snapshot/open";
import { openProgram } from "../symbols/open-program";
import type { Program } from "../symbols/program";
import { coroutineAt, coroutineName, isCoroutine } from "./coroutine";
import { childrenOf, describe as say } from "./display";
import { evaluate } from "./evaluate";
import {
  activeVariant,
  deref,
  dynTarget,
  isFailure,
  memberPlace,
  membersOf,
  path,
  peel,
  placeOf,
  variantNamed,
} from "./place";
import type { Place } from "./place";

/** The scheduler of the fixture's multi-thread runtime, the second argument of its task cells. */
const scheduler = "alloc::sync::Arc<tokio::runtime::scheduler::multi_thread::handle::Handle, alloc::alloc::Global>";

function futureOf(program: Program, taskAddress: number, coroutine: string): Place {
  const module = program.main;
  assert.ok(module !== undefined);
  const [cell] = module.symbols.typesNamed(`tokio::runtime::task::core::Cell<${coroutine}, ${scheduler}>`);
  assert.ok(cell !== undefined, `no cell of ${coroutine}`);
  const stage = path(placeOf(program, module, cell, address(taskAddress)), ["core", "stage", "stage"]);
  assert.ok(stage !== undefined);
  const running = variantNamed(peel(stage), "Running");
  const future = running === undefined ? undefined : path(running, ["__0"]);
  assert.ok(future !== undefined);
  return future;
}

/** Coroutines from this future down: through awaited futures, boxes, trait objects and combinators' fields. */
function* coroutinesBelow(place: Place, depth = 0): Generator<Place, void, void> {
  if (depth > 20) return;
  if (isCoroutine(place)) {
    yield place;
    const value = coroutineAt(place);
    if (!isFailure(value) && value.awaitee !== undefined) yield* coroutinesBelow(value.awaitee, depth + 1);
    return;
  }
  const object = dynTarget(place);
  const target = isFailure(object) ? deref(place) : object.place;
  if (target !== undefined) {
    yield* coroutinesBelow(target, depth + 1);
    return;
  }
  const active = activeVariant(place);
  const holder = isFailure(active) ? place : active.place;
  for (const each of membersOf(holder)) yield* coroutinesBelow(memberPlace(holder, each), depth + 1);
}

const everything = { length: 100_000, depth: 20, elements: 10_000 };

for (const name of ["zoo-debug", "zoo-release", "zoo-lto"]) {
  describe(`the values in ${name}`, () => {
    it("read as the program itself printed them, with Debug", async () => {
      const { dumpPath, programPath, truth } = await fixture(name);
      const opened = await openSnapshot(dumpPath);
      assert.ok("snapshot" in opened);
      const program = openProgram(opened.snapshot, {
        program: programPath,
        symbolPath: [],
        trustMismatchedSymbols: false,
      });
      try {
        let compared = 0;
        for (const task of truth.tasks) {
          if (task.locals === undefined) continue;
          const { address: at } = task as typeof task & { readonly address: string };
          const root = futureOf(program, Number(at), `${task.name}::{async_fn_env#0}`);
          assert.equal(coroutineName(root), task.name);
          const frame = task.chain.at(-2)?.name;
          const future = [...coroutinesBelow(root)].find((each) => coroutineName(each) === frame);
          assert.ok(frame !== undefined && future !== undefined, `${task.name} awaits ${String(frame)}`);
          const value = coroutineAt(future);
          assert.ok(!isFailure(value));
          const scope = {
            resolve: (local: string) => value.saved.find((each) => each.name === local && !each.isMovedOut)?.place,
            names: () => value.saved.map((each) => each.name),
          };
          for (const [local, expected] of Object.entries(task.locals)) {
            const place = scope.resolve(local);
            assert.ok(place !== undefined, `${frame} keeps ${local}`);
            assert.equal(say(place, everything).text, expected, `${frame}: ${local}`);
            const evaluated = evaluate(local, scope, everything);
            assert.equal("text" in evaluated ? evaluated.text : evaluated.error, expected);
            const children = childrenOf(place);
            assert.equal(
              children.indexed(0, 10_000).length,
              children.indexedCount,
              `${frame}: all entries of ${local}`,
            );
            compared++;
          }
        }
        assert.ok(compared >= 90, `only ${String(compared)} values were compared`);
      } finally {
        program.close();
      }
    });
  });
}
