import { typeOf } from "./place";
import type { Place } from "./place";
import { isTextType } from "./sequence";
import type { Renderer, Shape } from "./shape";
import { basicShape } from "./shape-basic";
import * as collections from "./shape-collections";
import * as locks from "./shape-locks";
import * as other from "./shape-other";
import * as owners from "./shape-owners";
import * as system from "./shape-system";
import { baseName } from "./type-names";

/**
 * Which renderer shows which type: by the path without generic arguments, first match. A renderer that meets another shape than it knows
 * declines, and the type's own fields are shown. New types of a crate are a line here and a renderer.
 */
const exact: ReadonlyMap<string, Renderer> = new Map<string, Renderer>([
  ["&str", owners.text],
  ["&mut str", owners.text],
  ["alloc::string::String", owners.text],
  ["std::ffi::os_str::OsString", owners.text],
  ["std::path::PathBuf", owners.text],
  ["&std::path::Path", owners.text],
  ["&std::ffi::os_str::OsStr", owners.text],
  ["alloc::ffi::c_str::CString", owners.cString],
  ["&core::ffi::c_str::CStr", owners.cString],

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

  ["alloc::sync::Arc", owners.counted],
  ["alloc::sync::Weak", owners.counted],
  ["alloc::rc::Rc", owners.counted],
  ["alloc::rc::Weak", owners.counted],
  ["core::pin::Pin", owners.onlyInner],
  ["core::ptr::non_null::NonNull", owners.nonNull],
  ["core::ptr::unique::Unique", owners.nonNull],
  ["core::num::nonzero::NonZero", owners.nonZero],
  ["core::num::wrapping::Wrapping", owners.onlyInner],
  ["core::num::saturating::Saturating", owners.onlyInner],
  ["core::mem::maybe_dangling::MaybeDangling", owners.onlyInner],
  ["core::marker::PhantomData", other.phantom],
  ["alloc::borrow::Cow", other.cow],

  ["core::cell::Cell", locks.cell],
  ["core::cell::RefCell", locks.refCell],
  ["core::cell::once::OnceCell", locks.onceCell],
  ["core::cell::lazy::LazyCell", locks.lazyCell],
  ["std::sync::once_lock::OnceLock", locks.onceLock],
  ["std::sync::lazy_lock::LazyLock", locks.onceLock],
  ["tokio::sync::once_cell::OnceCell", locks.tokioOnceCell],
  ["once_cell::sync::OnceCell", locks.onceCellCrate],
  ["once_cell::unsync::OnceCell", locks.onceCellCrate],
  ["once_cell::sync::Lazy", locks.lazyOfCrate],
  ["once_cell::unsync::Lazy", locks.lazyOfCrate],
  ["std::sync::poison::mutex::Mutex", locks.stdMutex],
  ["std::sync::mutex::Mutex", locks.stdMutex],
  ["std::sync::poison::rwlock::RwLock", locks.stdRwLock],
  ["std::sync::rwlock::RwLock", locks.stdRwLock],
  ["lock_api::mutex::Mutex", locks.parkingMutex],
  ["tokio::sync::mutex::Mutex", locks.asyncLock],
  ["tokio::sync::rwlock::RwLock", locks.asyncLock],

  ["core::time::Duration", system.duration],
  ["std::time::Instant", system.instant],
  ["std::time::SystemTime", system.systemTime],

  ["core::net::ip_addr::IpAddr", system.variantOnly],
  ["core::net::ip_addr::Ipv4Addr", system.ipv4],
  ["core::net::ip_addr::Ipv6Addr", system.ipv6],
  ["core::net::socket_addr::SocketAddr", system.variantOnly],
  ["core::net::socket_addr::SocketAddrV4", system.socketAddress],
  ["core::net::socket_addr::SocketAddrV6", system.socketAddress],

  ["core::ops::range::Range", other.range(["start", "end"], "..")],
  ["core::ops::range::RangeInclusive", other.range(["start", "end"], "..=")],
  ["core::ops::range::RangeFrom", other.range(["start"], "..")],
  ["core::ops::range::RangeTo", other.range(["end"], "..")],
  ["core::ops::range::RangeToInclusive", other.range(["end"], "..=")],
  ["core::ops::range::RangeFull", other.range([], "..")],
  ["core::task::wake::Waker", other.waker],
  ["core::task::wake::RawWaker", other.waker],
  ["std::thread::thread::Thread", other.thread],
  ["std::thread::Thread", other.thread],

  ["bytes::bytes::Bytes", other.bytes],
  ["bytes::bytes_mut::BytesMut", other.bytes],
  ["uuid::Uuid", other.uuid],
]);

/** Those of core, and the wrappers that crates put around them to test under loom. */
const atomicPattern = /::Atomic(?:Bool|Ptr|[IU](?:8|16|32|64|128|size))?$/;
/** `Debug` hides what is in an UnsafeCell; someone who reads a dump wants to see it. */
const hidingPattern = /::(?:UnsafeCell|CachePadded|ManuallyDrop|SyncUnsafeCell)$/;
const nonZeroPattern = /^core::num::nonzero::NonZero[IU]/;

function rendererFor(place: Place): Renderer | undefined {
  const name = typeOf(place).name;
  // Box<str>, Arc<Path>: only the arguments tell that it is a text.
  if (isTextType(name)) return owners.text;
  const base = baseName(name);
  const found = exact.get(base);
  if (found !== undefined) return found;
  if (atomicPattern.test(base)) return locks.atomic;
  if (nonZeroPattern.test(base)) return owners.nonZero;
  if (hidingPattern.test(base)) return owners.onlyInner;
  return owners.sameName(base);
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
