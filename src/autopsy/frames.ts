import { hex } from "../base/brand";
import type { PhysicalFrame, Stack } from "../unwind/stack";
import type { FrameAnswer } from "./answers";
import { frameDisplayName } from "./frame-names";

/**
 * Frames of the executor, the standard library and the C library: greyed and folded, since a person looks for her own code.
 * By name, as a release build inlines across crates and a file alone would not tell.
 */
const runtimeName =
  /^(?:[<&*]|mut |dyn |const )*(?:core|std|alloc|tokio|mio|futures_(?:core|util|executor|task|channel|lite)|async_(?:task|executor|io)|parking_lot(?:_core)?|crossbeam_\w+|rayon_core|backtrace|panic_unwind|panic_abort|gimli|addr2line|object|rustc_demangle|hashbrown|tracing(?:_core)?|socket2|signal_hook_registry|lock_api|crash_(?:handler|context)|minidump_writer|__rustc|compiler_builtins)::/;
/** Glue of closures, function pointers and type parameters. What a program's own type implements (`Display`, `Future`) is its own code. */
const closureTrait =
  /^<(?:[^<]*\{closure[^<]*|[A-Z]\w*|(?:unsafe |extern "[^"]*" )*fn\(.*) as (?:core|std|alloc|tokio|futures_\w+)::/;
/** Functions of C, and those that the Rust compiler makes. A program's own `raise_alarm` is none. */
const libcName =
  /^(?:_start|start_thread|raise|gsignal|abort|syscall|epoll_wait|epoll_pwait|ppoll|poll|nanosleep|clock_nanosleep|futex_wait|clone3?|main|rust_begin_unwind|rust_panic|_?rust_eh_personality|(?:__libc_|__pthread_|pthread_|__GI_|__rust_|__futex_|__rdl_|__rg_|_Unwind_|__restore_rt|__clone|__nanosleep|__clock_nanosleep|__syscall|__poll|__ppoll|__epoll)\w*)(?:@.*)?$/;

/**
 * Where the debug info is line tables only, an inlined function has no path in its name (`unwrap<u32>`): then its file tells.
 * The standard library's files are remapped to its commit; crates of a registry lie in folders named by crate and version.
 */
const runtimeFile =
  /(?:^|[\\/])(?:rustc[\\/][0-9a-f]{40}[\\/]library[\\/]|rustlib[\\/]src[\\/]rust[\\/]library[\\/]|(?:tokio|mio|futures-(?:core|util|executor|task|channel|lite)|async-(?:task|executor|io)|parking_lot(?:_core)?|crossbeam-\w+|rayon-core|hashbrown|tracing(?:-core)?|crash-(?:handler|context)|minidump-writer)-\d+\.\d[^\\/]*[\\/])|^library[\\/](?:core|std|alloc|panic_\w+|backtrace)[\\/]/;

/** Sources of a C library that is linked into the program, as musl is. */
const libcFile = /(?:^|\/)(?:src_musl|musl(?:-[\d.]+)?|glibc(?:-[\d.]+)?)\/.*\.[chsS]$/;

/** @param file The frame's source file, where known: decides for names without a path. */
export function isRuntimeFrame(name: string, file?: string): boolean {
  if (runtimeName.test(name) || closureTrait.test(name)) return true;
  if (/^[^<]*::/.test(name)) return false;
  if (file !== undefined && libcFile.test(file)) return true;
  // `main` in a Rust file is the program's own; the C one has no line.
  if (file?.endsWith(".rs") === true) return runtimeFile.test(file);
  return libcName.test(name);
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
    const isRuntime = isRuntimeFrame(frame.name, frame.position?.file) || isSystemModule(path);
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
