import type { Problem } from "../../base/problem";
import type { ByteSource } from "../../bytes/byte-source";

/** Stream type numbers: minidumpapiset.h, Breakpad's minidump_format.h, LLVM's MinidumpConstants.def, rust-minidump. */
export const streamType = {
  unused: 0,
  threadList: 3,
  moduleList: 4,
  memoryList: 5,
  exception: 6,
  systemInfo: 7,
  threadExList: 8,
  memory64List: 9,
  commentA: 10,
  commentW: 11,
  handleData: 12,
  functionTable: 13,
  unloadedModuleList: 14,
  miscInfo: 15,
  memoryInfoList: 16,
  threadInfoList: 17,
  threadNames: 24,
  linuxCpuInfo: 0x47670003,
  linuxProcStatus: 0x47670004,
  linuxLsbRelease: 0x47670005,
  linuxCmdLine: 0x47670006,
  /** The environment, with its secrets: known by name, read by nobody. */
  linuxEnviron: 0x47670007,
  linuxAuxv: 0x47670008,
  linuxMaps: 0x47670009,
  linuxDsoDebug: 0x4767000a,
  mozLinuxLimits: 0x4d7a0003,
  mozSoftErrors: 0x4d7a0004,
} as const;

const streamNames = new Map<number, string>(
  Object.entries(streamType).map(([name, type]) => [type, name.charAt(0).toUpperCase() + name.slice(1)]),
);
/** "ThreadList" or "stream 0x1234". */
export const streamName = (type: number): string => streamNames.get(type) ?? `stream 0x${type.toString(16)}`;

/** `MINIDUMP_DIRECTORY`: where a stream lies. */
export interface MinidumpStream {
  readonly type: number;
  readonly size: number;
  readonly rva: number;
}

/** A location in the file; size 0: absent. */
export interface MinidumpLocation {
  readonly size: number;
  readonly rva: number;
}

export interface MinidumpThread {
  readonly id: number;
  readonly suspendCount: number;
  readonly priority: number;
  /** Windows: address of the thread environment block. 0 in dumps of other systems. */
  readonly teb: number;
  readonly stackStart: number;
  readonly stack: MinidumpLocation;
  readonly context: MinidumpLocation;
}

/** What identifies the debug information of a module. */
export type CvRecord =
  | {
      readonly kind: "rsds";
      readonly guid: string;
      readonly rawGuid: Uint8Array;
      readonly age: number;
      readonly name: string;
    }
  | { readonly kind: "nb10"; readonly signature: number; readonly age: number; readonly name: string }
  | { readonly kind: "elf"; readonly buildId: string };

export interface MinidumpModule {
  readonly base: number;
  readonly size: number;
  readonly checksum: number;
  readonly timestamp: number;
  readonly name: string;
  /** "1.2.3.4" of the fixed file info, where it is there. */
  readonly version?: string;
  readonly cv?: CvRecord;
}

export interface MinidumpUnloadedModule {
  readonly base: number;
  readonly size: number;
  readonly timestamp: number;
  readonly name: string;
}

/** Bytes of the process: [start, start + size) at `rva`. The file may end before. */
export interface MinidumpMemory {
  readonly start: number;
  readonly size: number;
  readonly rva: number;
}

/** `MINIDUMP_MEMORY_INFO`, the result of VirtualQuery. */
export interface MinidumpMemoryInfo {
  readonly base: number;
  readonly allocationBase: number;
  readonly size: number;
  /** MEM_COMMIT 0x1000, MEM_RESERVE 0x2000, MEM_FREE 0x10000. */
  readonly state: number;
  /** PAGE_* of now. */
  readonly protect: number;
  /** MEM_PRIVATE 0x20000, MEM_MAPPED 0x40000, MEM_IMAGE 0x1000000. */
  readonly type: number;
}

export interface MinidumpException {
  readonly thread: number;
  readonly code: number;
  readonly flags: number;
  readonly address: number;
  readonly parameters: readonly bigint[];
  readonly context: MinidumpLocation;
}

export interface MinidumpSystem {
  /** PROCESSOR_ARCHITECTURE_*: 0 x86, 5 arm, 9 amd64, 12 arm64, 0x8003 Breakpad's old arm64. */
  readonly architecture: number;
  readonly processors: number;
  readonly major: number;
  readonly minor: number;
  readonly build: number;
  /** VER_PLATFORM_WIN32_NT 2; Breakpad: 0x8101 macOS, 0x8102 iOS, 0x8201 Linux, 0x8203 Android. */
  readonly platform: number;
  /** Service pack, or `uname -srvm` on Linux. */
  readonly text: string;
}

export interface MinidumpMisc {
  readonly pid?: number;
  /** Unix seconds. */
  readonly created?: number;
  readonly userSeconds?: number;
  readonly kernelSeconds?: number;
  /** MiscInfo 4: "19041.1.amd64fre.vb_release...". */
  readonly buildString?: string;
}

export interface MinidumpHandle {
  readonly handle: number;
  readonly typeName?: string;
  readonly objectName?: string;
  readonly attributes: number;
  readonly grantedAccess: number;
}

export interface MinidumpThreadInfo {
  readonly id: number;
  readonly dumpFlags: number;
  readonly startAddress: number;
}

/** Link map of the dynamic linker as Breakpad and minidump-writer record it. */
export interface MinidumpDsoDebug {
  readonly loaderBase: number;
  readonly dynamic: number;
  readonly maps: readonly { readonly bias: number; readonly name: string; readonly dynamic: number }[];
}

/** A minidump decoded as far as it goes. Lists are empty where the stream is missing. */
export interface Minidump {
  readonly source: ByteSource;
  /** MINIDUMP_TYPE bits: 2 full memory, 4 handles, 0x800 memory info, ... */
  readonly flags: number;
  /** Unix seconds. */
  readonly time: number;
  readonly streams: readonly MinidumpStream[];
  readonly threads: readonly MinidumpThread[];
  readonly threadNames: ReadonlyMap<number, string>;
  readonly threadInfo: ReadonlyMap<number, MinidumpThreadInfo>;
  readonly modules: readonly MinidumpModule[];
  readonly unloadedModules: readonly MinidumpUnloadedModule[];
  /** MemoryList, Memory64List and stacks of the ThreadList, in that order; overlapping as found. */
  readonly memory: readonly MinidumpMemory[];
  readonly memoryInfo: readonly MinidumpMemoryInfo[];
  readonly exceptions: readonly MinidumpException[];
  readonly system?: MinidumpSystem;
  readonly misc?: MinidumpMisc;
  readonly handles: readonly MinidumpHandle[];
  readonly linux: {
    readonly maps?: string;
    readonly auxv?: Uint8Array;
    /** Arguments, separated by spaces. */
    readonly commandLine?: string;
    readonly lsbRelease?: string;
    readonly procStatus?: string;
    readonly cpuInfo?: string;
    readonly dsoDebug?: MinidumpDsoDebug;
    readonly limits?: string;
  };
  /** JSON of minidump-writer about what it failed to collect. */
  readonly softErrors?: string;
  readonly comment?: string;
  readonly problems: readonly Problem[];
}
