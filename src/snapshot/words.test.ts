import { strict as assert } from "node:assert";
import { describeException, isNoCrash } from "./exceptions";
import { sizeInWords } from "./facts";
import { describeSignal, isFatalSignal, signalName } from "./signals";

describe("a crash in words", () => {
  it("names signals by what the kernel says of them", () => {
    assert.equal(describeSignal(6, { code: -6 }).reason, "SIGABRT");
    assert.equal(describeSignal(6).reason, "SIGABRT");
    assert.deepEqual(describeSignal(11, { code: 1, address: 0x10n }), {
      reason: "SIGSEGV at 0x10 (address not mapped)",
      address: 0x10n,
    });
    assert.equal(
      describeSignal(11, { code: 2, address: 0x7fn }).reason,
      "SIGSEGV at 0x7f (no permission for the mapping)",
    );
    assert.match(describeSignal(11, { code: 128, address: 0n }).reason, /general protection/);
    assert.equal(
      describeSignal(8, { code: 1, address: 0x1000n }).reason,
      "SIGFPE at 0x1000 (integer division by zero)",
    );
    assert.equal(describeSignal(11, { code: 0, sender: 77 }).reason, "SIGSEGV sent by process 77");
    assert.equal(describeSignal(31, { code: 1 }).reason, "SIGSYS");
    assert.equal(signalName(40), "real-time signal 40");
    assert.equal(signalName(99), "signal 99");
  });

  it("tells signals that end a process from those that stop it", () => {
    assert.deepEqual([6, 11, 7, 4, 8].map(isFatalSignal), [true, true, true, true, true]);
    assert.deepEqual([0, 5, 19, 2].map(isFatalSignal), [false, false, false, false]);
  });

  it("names Windows' exceptions with what their parameters mean", () => {
    assert.deepEqual(describeException(0xc0000005, [1n, 0x10n]), {
      reason: "EXCEPTION_ACCESS_VIOLATION writing 0x10",
      address: 0x10n,
    });
    assert.equal(describeException(0xc0000005, [8n, 0x10n]).reason, "EXCEPTION_ACCESS_VIOLATION executing 0x10");
    assert.equal(describeException(0xc0000005, []).reason, "EXCEPTION_ACCESS_VIOLATION");
    assert.equal(
      describeException(0xc0000006, [0n, 0x10n, 0xc000009dn]).reason,
      "EXCEPTION_IN_PAGE_ERROR reading 0x10 (STATUS_DEVICE_NOT_CONNECTED)",
    );
    assert.match(
      describeException(0xc0000409, [7n]).reason,
      /^STATUS_STACK_BUFFER_OVERRUN \(the program aborted itself/,
    );
    assert.equal(describeException(0xc0000409, []).reason, "STATUS_STACK_BUFFER_OVERRUN");
    assert.equal(describeException(0xc00000fd, []).reason, "EXCEPTION_STACK_OVERFLOW");
    assert.equal(describeException(0x12345678, []).reason, "exception 0x12345678");
  });

  it("is none in a dump taken on request", () => {
    assert.deepEqual([0xffffffff, 0x517a7ed, 0, 0xc0000005].map(isNoCrash), [true, true, true, false]);
  });
});

describe("sizes in words", () => {
  it("have three digits and a unit", () => {
    assert.deepEqual([0, 999, 1000, 2_470_000, 49_700_000, 497_000_000, 1.5e9, 5e13].map(sizeInWords), [
      "0 bytes",
      "999 bytes",
      "1.00 KB",
      "2.47 MB",
      "49.7 MB",
      "497 MB",
      "1.50 GB",
      "50.0 TB",
    ]);
  });
});
