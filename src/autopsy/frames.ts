import { hex } from "../base/brand";
import type { PhysicalFrame, Stack } from "../unwind/stack";
import type { FrameAnswer } from "./answers";
import { frameDisplayName } from "./frame-names";

/**
 * Frames of the executor, the standard library and the C library: greyed and folded, since a person looks for her own code.
 * By name, as a release build inlines across crates and a file alone would not tell.
 */
const runtimeName =
  /^(?:<)?(?:&mut |dyn )?(?:core|std|alloc|tokio|mio|futures_(?:core|util|executor|task|channel)|async_(?:task|executor|io)|parking_lot(?:_core)?|crossbeam_\w+|rayon_core|backtrace|panic_unwind|panic_abort|gimli|addr2line|object|rustc_demangle|hashbrown|tracing|crash_handler|minidump_writer)(?:::|\b)/;
const closureTrait = /^<.* as (?:core|std|alloc|tokio|futures_\w+)::/;
const libcName =
  /^(?:_start|__libc_start_|__libc_start_main|start_thread|clone3?|__clone3?|__GI_|__restore_rt|raise|abort|__pthread_|pthread_|syscall|epoll_wait|rust_begin_unwind|rust_panic|__rust_|_?rust_eh_personality|main$|__futex|futex_wait|__rustc)/;

export function isRuntimeFrame(name: string): boolean {
  if (runtimeName.test(name) || libcName.test(name)) return true;
  return closureTrait.test(name);
}

/** Physical frames unrolled into source frames, innermost first. */
export function frameAnswers(stack: Stack, limit = 512): readonly FrameAnswer[] {
  const answers: FrameAnswer[] = [];
  for (const physical of stack.frames) {
    if (answers.length >= limit) break;
    answers.push(...sourceFrames(physical));
  }
  return answers;
}

/** The functions of one physical frame, inlined ones first. */
export function sourceFrames(physical: PhysicalFrame): readonly FrameAnswer[] {
  return physical.frames().map((frame, depth) => {
    const path = physical.module?.module.path;
    const isRuntime = isRuntimeFrame(frame.name) || isSystemModule(path);
    return {
      function: isRuntime ? frame.name : frameDisplayName(physical, depth, frame.name),
      ...(frame.position === undefined ? {} : { file: frame.position.file, line: frame.position.line }),
      address: hex(physical.pc),
      ...(frame.inlined ? { inlined: true } : {}),
      ...(isRuntime ? { runtime: true } : {}),
      ...(path === undefined ? {} : { module: baseName(path) }),
      trust: physical.trust,
    };
  });
}

const isSystemModule = (path: string | undefined): boolean =>
  path !== undefined &&
  /(?:^|[\\/])(?:lib(?:c|m|pthread|gcc_s|dl|rt)[.-]|ld-|\[vdso\]|ntdll|kernel32|kernelbase|ucrtbase)/i.test(path);

/** Last part of a path of either operating system. */
export const baseName = (path: string): string =>
  path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
