import { strict as assert } from "node:assert";
import { describeException, isNoCrash } from "./exceptions";
import { sizeInWords } from "./facts";
import { describeSignal, isFatalSignal, signalFromOutside, signalName } from "./signals";

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
    assert.equal(describeSignal(31, { code: 1 }).reason, "SIGSYS");
    assert.equal(signalName(40), "real-time signal 40");
    assert.equal(signalName(99), "signal 99");
  });

  it("tells signals that end a process from those that stop it", () => {
    assert.deepEqual(
      [6, 11, 7, 4, 8].map((signal) => isFatalSignal(signal)),
      [true, true, true, true, true],
    );
    assert.deepEqual(
      [0, 5, 19, 2].map((signal) => isFatalSignal(signal)),
      [false, false, false, false],
    );
  });

  it("counts SIGTRAP as a crash only where no debugger can have raised it", () => {
    assert.equal(isFatalSignal(5, true), true);
    assert.equal(isFatalSignal(5, false), false);
    assert.deepEqual(describeSignal(5, { code: 128, address: 0n }).reason, "SIGTRAP");
  });

  it("tells a signal that another process sent from one that the process sent itself", () => {
    const own = new Set([100, 101]);
    const outside = (code: number, sender: number, signal = 6, syscall: number | undefined = -1): string | undefined =>
      signalFromOutside(signal, { code, sender }, own, syscall)?.reason;
    assert.equal(outside(0, 77), "SIGABRT sent by process 77");
    assert.equal(outside(-6, 77), "SIGABRT sent by process 77");
    assert.equal(outside(-1, 77, 11), "SIGSEGV sent by process 77");
    // abort() and raise() use tgkill, kill(getpid(), ...) SI_USER.
    assert.equal(outside(-6, 100), undefined);
    assert.equal(outside(0, 100), undefined);
    assert.equal(outside(0, 101), undefined);
    // Raised by the kernel: si_pid is no process.
    assert.equal(outside(1, 77, 11), undefined);
    assert.equal(outside(128, 0), undefined);
    assert.equal(outside(128, 0, 3), "SIGQUIT from the terminal");
  });

  it("believes in a sender outside of the container only where the thread cannot have sent the signal", () => {
    const from = (code: number, syscall: number | undefined): string | undefined =>
      signalFromOutside(6, { code, sender: 0 }, new Set([100]), syscall)?.reason;
    assert.match(from(0, 202) ?? "", /outside of its PID namespace/);
    assert.equal(from(0, 62), undefined);
    assert.equal(from(-6, 202), undefined);
    assert.equal(from(0, undefined), undefined);
    assert.equal(signalFromOutside(6, undefined, new Set([100]), 202), undefined);
    assert.equal(signalFromOutside(6, { code: 0, sender: 9 }, new Set(), 202), undefined);
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
