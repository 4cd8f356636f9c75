import { typeOf } from "./place";
import type { Place } from "./place";
import { isTextType } from "./sequence";
import type { Renderer, Shape } from "./shape";
import { basicShape } from "./shape-basic";
import * as collections from "./shape-collections";
import * as std from "./shape-std";
import { baseName } from "./type-names";

/**
 * Which renderer shows which type: by the path without generic arguments, first match. A renderer that meets another shape than it knows
 * declines, and the type's own fields are shown. New types of a crate are a line here and a renderer.
 */
const exact: ReadonlyMap<string, Renderer> = new Map<string, Renderer>([
  ["&str", std.text],
  ["&mut str", std.text],
  ["alloc::string::String", std.text],
  ["std::ffi::os_str::OsString", std.text],
  ["std::path::PathBuf", std.text],
  ["&std::path::Path", std.text],
  ["&std::ffi::os_str::OsStr", std.text],
  ["alloc::ffi::c_str::CString", std.cString],
  ["&core::ffi::c_str::CStr", std.cString],

  ["alloc::vec::Vec", collections.sequence],
  ["alloc::collections::vec_deque::VecDeque", collections.sequence],
  ["alloc::collections::binary_heap::BinaryHeap", collections.binaryHeap],
  ["alloc::collections::linked_list::LinkedList", collections.linkedList],
  ["alloc::collections::btree::map::BTreeMap", collections.btreeMap],
  ["alloc::collections::btree::set::BTreeSet", collections.btreeSet],
  ["std::collections::hash::map::HashMap", collections.hashMap],
  ["std::collections::hash::set::HashSet", collections.hashSet],
  ["hashbrown::map::HashMap", collections.hashMap],
  ["hashbrown::set::HashSet", collections.hashSet],
  ["indexmap::map::IndexMap", collections.indexMap],
  ["indexmap::set::IndexSet", collections.indexSet],

  ["alloc::sync::Arc", std.counted],
  ["alloc::sync::Weak", std.counted],
  ["alloc::rc::Rc", std.counted],
  ["alloc::rc::Weak", std.counted],
  ["core::pin::Pin", std.onlyInner],
  ["core::ptr::non_null::NonNull", std.nonNull],
  ["core::ptr::unique::Unique", std.nonNull],
  ["core::num::nonzero::NonZero", std.nonZero],
  ["core::num::wrapping::Wrapping", std.onlyInner],
  ["core::num::saturating::Saturating", std.onlyInner],
  ["core::mem::maybe_dangling::MaybeDangling", std.onlyInner],
  ["core::marker::PhantomData", std.phantom],
  ["alloc::borrow::Cow", std.cow],

  ["core::cell::Cell", std.cell],
  ["core::cell::RefCell", std.refCell],
  ["core::cell::once::OnceCell", std.onceCell],
  ["std::sync::poison::mutex::Mutex", std.stdMutex],
  ["std::sync::mutex::Mutex", std.stdMutex],
  ["std::sync::poison::rwlock::RwLock", std.stdRwLock],
  ["std::sync::rwlock::RwLock", std.stdRwLock],
  ["lock_api::mutex::Mutex", std.parkingMutex],
  ["tokio::sync::mutex::Mutex", std.asyncLock],
  ["tokio::sync::rwlock::RwLock", std.asyncLock],

  ["core::time::Duration", std.duration],
  ["std::time::Instant", std.instant],
  ["std::time::SystemTime", std.systemTime],

  ["core::net::ip_addr::IpAddr", std.variantOnly],
  ["core::net::ip_addr::Ipv4Addr", std.ipv4],
  ["core::net::ip_addr::Ipv6Addr", std.ipv6],
  ["core::net::socket_addr::SocketAddr", std.variantOnly],
  ["core::net::socket_addr::SocketAddrV4", std.socketAddress],
  ["core::net::socket_addr::SocketAddrV6", std.socketAddress],

  ["core::ops::range::Range", std.range(["start", "end"], "..")],
  ["core::ops::range::RangeInclusive", std.range(["start", "end"], "..=")],
  ["core::ops::range::RangeFrom", std.range(["start"], "..")],
  ["core::ops::range::RangeTo", std.range(["end"], "..")],
  ["core::ops::range::RangeToInclusive", std.range(["end"], "..=")],
  ["core::ops::range::RangeFull", std.range([], "..")],
  ["core::task::wake::Waker", std.waker],
  ["core::task::wake::RawWaker", std.waker],
  ["std::thread::thread::Thread", std.thread],
  ["std::thread::Thread", std.thread],

  ["bytes::bytes::Bytes", std.bytes],
  ["bytes::bytes_mut::BytesMut", std.bytes],
  ["uuid::Uuid", std.uuid],
]);

/** Those of core, and the wrappers that crates put around them to test under loom. */
const atomicPattern = /::Atomic(?:Bool|Ptr|[IU](?:8|16|32|64|128|size))?$/;
/** `Debug` hides what is in an UnsafeCell; someone who reads a dump wants to see it. */
const hidingPattern = /::(?:UnsafeCell|CachePadded|ManuallyDrop|SyncUnsafeCell)$/;
const nonZeroPattern = /^core::num::nonzero::NonZero[IU]/;

function rendererFor(place: Place): Renderer | undefined {
  const name = typeOf(place).name;
  // Box<str>, Arc<Path>: only the arguments tell that it is a text.
  if (isTextType(name)) return std.text;
  const base = baseName(name);
  const found = exact.get(base);
  if (found !== undefined) return found;
  if (atomicPattern.test(base)) return std.atomic;
  if (nonZeroPattern.test(base)) return std.nonZero;
  if (hidingPattern.test(base)) return std.onlyInner;
  return std.sameName(base);
}

/** What this value looks like; whether one of the renderers knew it, or it is shown as debug info lays it out. */
export function shapeOf(place: Place): { readonly shape: Shape; readonly isRendered: boolean } {
  const shape = rendererFor(place)?.(place);
  if (shape !== undefined) return { shape, isRendered: true };
  const basic = basicShape(place);
  // A fat pointer or slice is shown as what it leads to: its words are one level below, too.
  const isStandIn = typeOf(place).kind === "struct" && (basic.kind === "collection" || basic.kind === "through");
  return { shape: basic, isRendered: isStandIn };
}
