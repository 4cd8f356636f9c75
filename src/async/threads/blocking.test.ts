import { strict as assert } from "node:assert";
import type { Thread } from "../../snapshot/snapshot";
import { kernelWait } from "./blocking";

function threadIn(syscall: number, ...values: readonly bigint[]): Thread {
  const registers = new BigUint64Array(17);
  // rdi, rsi, rdx by DWARF number.
  for (const [index, value] of values.entries()) registers[[5, 4, 1][index] ?? 0] = value;
  return { id: 1, syscall, registers: { arch: "x86_64", values: registers } };
}

describe("what a thread waits for in the kernel", () => {
  it("is a futex with its word, operation and expected value", () => {
    // FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME
    assert.deepEqual(kernelWait(threadIn(202, 0x7f00_1234_5678n, 9n | 128n | 256n, 0xffff_ffff_0000_0002n)), {
      kind: "futex",
      address: 0x7f00_1234_5678,
      expected: 2,
      operation: "wait bitset",
    });
  });

  it("is epoll on its file descriptor", () => {
    assert.deepEqual(kernelWait(threadIn(232, 3n)), { kind: "epoll", fd: 3 });
    assert.deepEqual(kernelWait(threadIn(281, 4n)), { kind: "epoll", fd: 4 });
  });

  it("is nothing for a thread that runs, or whose dump does not tell", () => {
    assert.equal(kernelWait(threadIn(-1)), undefined);
    assert.equal(kernelWait({ id: 1 }), undefined);
  });

  it("is not taken for a futex when the word is no address", () => {
    assert.equal(kernelWait(threadIn(202, 0xffff_ffff_ffff_ffffn, 0n, 0n))?.kind, "other");
  });

  it("reads aarch64's registers and numbers", () => {
    const values = new BigUint64Array(33);
    values[0] = 0x1000n;
    values[1] = 128n;
    values[2] = 1n;
    const thread: Thread = { id: 1, syscall: 98, registers: { arch: "aarch64", values } };
    assert.deepEqual(kernelWait(thread), { kind: "futex", address: 0x1000, expected: 1, operation: "wait" });
  });
});
