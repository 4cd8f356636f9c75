//! What a generated program writes down about itself while it runs: which task is at which await, and who holds what.
//!
//! The book is a file that is mapped shared: what was written before the process died is in it, and no thread runs after the kernel began
//! to write the core. What it says about a task is exact whenever nobody polls that task, because only the task's own poll changes it.
//! Whether somebody polls it is not in the book but in the dump: tokio's own state word (`header`), or `polling` for the root of a
//! block_on, which has none.
//!
//! Slots are never reused, so nothing that a stopped thread was about to write can belong to another task.

use std::future::Future;
use std::os::fd::AsRawFd;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

// Words of the file; test/support/soak-book.ts reads them.
const HEAD: usize = 64;
const TASK: usize = 8;
const FRAME: usize = 8;
const HOLD: usize = 4;
const TASKS: usize = 8192;
const FRAMES: usize = 1 << 19;
const HOLDS: usize = 1 << 17;

const TASK_COUNT: usize = 1;
const FRAME_COUNT: usize = 2;
const HOLD_COUNT: usize = 3;
const FULL: usize = 4;
const DIED_IN: usize = 5;

struct Book {
    words: &'static [AtomicU64],
    start: Instant,
    start_ns: u64,
}

static BOOK: OnceLock<Book> = OnceLock::new();
static DIE: AtomicBool = AtomicBool::new(false);

fn clock() -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn thread_id() -> u64 {
    unsafe { libc::gettid() as u64 }
}

pub fn open(path: &str) {
    let size = (HEAD + TASKS * TASK + FRAMES * FRAME + HOLDS * HOLD) * 8;
    let file = std::fs::File::options().read(true).write(true).create(true).truncate(true).open(path).expect("the book");
    file.set_len(size as u64).expect("the book's size");
    let words = unsafe {
        let at = libc::mmap(
            std::ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        );
        assert!(at != libc::MAP_FAILED);
        std::slice::from_raw_parts(at.cast::<AtomicU64>(), size / 8)
    };
    // The two clocks read at one moment: nobody was scheduled in between.
    let (start, start_ns) = loop {
        let before = clock();
        let start = Instant::now();
        let after = clock();
        if after - before < 50_000 {
            break (start, before);
        }
    };
    words[0].store(0x6b61_6f73, Ordering::SeqCst);
    assert!(BOOK.set(Book { words, start, start_ns }).is_ok());
}

fn book() -> &'static Book {
    BOOK.get().expect("the book is open")
}

fn put(at: usize, value: u64) {
    book().words[at].store(value, Ordering::SeqCst);
}

fn next(counter: usize, limit: usize) -> usize {
    let number = book().words[counter].fetch_add(1, Ordering::SeqCst) as usize;
    if number >= limit {
        put(FULL, 1);
        loop {
            std::thread::park();
        }
    }
    number
}

const fn task_at(slot: u32) -> usize {
    HEAD + slot as usize * TASK
}

const fn frame_at(slot: u32) -> usize {
    HEAD + TASKS * TASK + slot as usize * FRAME
}

const fn hold_at(slot: u32) -> usize {
    HEAD + TASKS * TASK + FRAMES * FRAME + slot as usize * HOLD
}

/// Kinds of tasks in the book.
pub const SPAWNED: u64 = 1;
pub const BLOCKING: u64 = 2;
pub const BLOCK_ON: u64 = 3;

/// A task's line in the book. It lives in the task's future, so it ends when that is dropped.
pub struct Task {
    slot: u32,
}

impl Task {
    pub fn new(function: u64, kind: u64) -> Task {
        let slot = next(TASK_COUNT, TASKS) as u32;
        let at = task_at(slot);
        put(at + 3, function);
        put(at + 4, kind);
        put(at, 1);
        Task { slot }
    }

    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// The root's own frame.
    pub fn enter(&self, function: u64) -> Frame {
        put(task_at(self.slot) + 5, thread_id());
        put(task_at(self.slot), 2);
        frame(self.slot, 0, function)
    }

    /// A closure of the blocking pool starts.
    pub fn begin(&self) {
        put(task_at(self.slot) + 5, thread_id());
        put(task_at(self.slot), 2);
    }

    /// The last thing that a task does.
    pub fn finish(&self) -> u64 {
        put(task_at(self.slot) + 6, 1);
        0
    }

    pub fn panics(&self) {
        put(task_at(self.slot) + 6, 2);
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        put(task_at(self.slot), 3);
    }
}

/// The spawner writes the id and the header's address while its handle keeps both alive. Handles of tasks are one pointer.
pub fn spawned<H>(slot: u32, id: tokio::task::Id, handle: &H) {
    assert_eq!(size_of::<H>(), size_of::<usize>());
    let header = unsafe { std::ptr::from_ref(handle).cast::<u64>().read() };
    put(task_at(slot) + 2, header);
    put(task_at(slot) + 1, id.to_string().parse().expect("ids are numbers"));
}

/// Where the frame of a callee hangs.
#[derive(Clone, Copy)]
pub struct Link {
    task: u32,
    parent: u32,
}

impl Link {
    pub fn enter(self, function: u64) -> Frame {
        frame(self.task, self.parent, function)
    }
}

/// A call of an async function or block: from its first poll until it is dropped.
pub struct Frame {
    slot: u32,
    task: u32,
}

fn frame(task: u32, parent: u32, function: u64) -> Frame {
    let slot = next(FRAME_COUNT, FRAMES) as u32;
    let at = frame_at(slot);
    put(at + 1, u64::from(task));
    put(at + 2, u64::from(parent));
    put(at + 3, function);
    put(at, 1);
    Frame { slot, task }
}

impl Frame {
    pub fn link(&self) -> Link {
        Link { task: self.task, parent: self.slot + 1 }
    }

    fn set(&self, site: u64, value: u64, size: u64) {
        let at = frame_at(self.slot);
        put(at + 5, value);
        put(at + 7, size);
        book().words[at + 6].fetch_add(1, Ordering::SeqCst);
        // One higher: 0 is none.
        put(at + 4, site + 1);
    }

    /// The next thing is the await of this site.
    pub fn at(&self, site: u64) {
        self.set(site, 0, 0);
    }

    /// For a value of the program: a lock, a Notify.
    pub fn on<T>(&self, site: u64, resource: &T) {
        self.set(site, std::ptr::from_ref(resource) as u64, size_of::<T>() as u64);
    }

    /// For the heap block that the first word of an end of a channel points to.
    pub fn through<H>(&self, site: u64, end: &H) {
        let block = unsafe { std::ptr::from_ref(end).cast::<usize>().read() };
        let size = unsafe { libc::malloc_usable_size(block as *mut libc::c_void) };
        self.set(site, block as u64, size as u64);
    }

    pub fn task(&self, site: u64, slot: u32) {
        self.set(site, u64::from(slot) + 1, 0);
    }

    pub fn timer(&self, site: u64, deadline: tokio::time::Instant) {
        let book = book();
        let since = deadline.into_std().duration_since(book.start).as_nanos() as u64;
        self.set(site, book.start_ns + since, 0);
    }

    /// The await is over.
    pub fn off(&self) {
        put(frame_at(self.slot) + 4, 0);
    }

    pub fn holds<T>(&self, resource: &T) -> Hold {
        let slot = next(HOLD_COUNT, HOLDS) as u32;
        let at = hold_at(slot);
        put(at + 1, u64::from(self.task));
        put(at + 2, std::ptr::from_ref(resource) as u64);
        put(at + 3, size_of::<T>() as u64);
        put(at, 1);
        Hold { slot }
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        put(frame_at(self.slot), 2);
    }
}

/// A guard that is held.
pub struct Hold {
    slot: u32,
}

impl Drop for Hold {
    fn drop(&mut self) {
        put(hold_at(self.slot), 2);
    }
}

/// The root of a block_on: no word of tokio says whether it is being polled.
pub struct Watched<F> {
    slot: u32,
    future: F,
}

pub fn watched<F>(slot: u32, future: F) -> Watched<F> {
    Watched { slot, future }
}

impl<F: Future> Future for Watched<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = unsafe { self.get_unchecked_mut() };
        put(task_at(this.slot) + 5, thread_id());
        put(task_at(this.slot) + 7, 1);
        let result = unsafe { Pin::new_unchecked(&mut this.future) }.poll(context);
        put(task_at(this.slot) + 7, 0);
        result
    }
}

/// Uses the processor.
pub fn spin(micros: u64) {
    let end = Instant::now() + Duration::from_micros(micros);
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

/// The program ends here when its time has come.
pub fn may_die() {
    if DIE.load(Ordering::SeqCst) {
        put(DIED_IN, 1);
        std::process::abort();
    }
}

static RUNTIME: OnceLock<tokio::runtime::Handle> = OnceLock::new();

/// The runtime that tokio is asked about.
pub fn runtime(handle: &tokio::runtime::Handle) {
    let _ = RUNTIME.set(handle.clone());
}

/// Lets tokio say where its tasks are, in `taskdump`: a line for each backtrace, the task's id and then `name|file|line` from the leaf to the
/// root. What the book said before that is in `before`: a task whose frames are the same in the dump was there all the time.
#[cfg(feature = "taskdump")]
fn ask_tokio() {
    use std::fmt::Write;
    let Some(handle) = RUNTIME.get() else { return };
    let words = book().words;
    let counts: Vec<usize> =
        (0..4).map(|word| words[word].load(Ordering::SeqCst) as usize).collect();
    let mut before = vec![0_u8; 0];
    let end = HEAD + TASKS * TASK + counts[FRAME_COUNT].min(FRAMES) * FRAME;
    for word in &words[..end] {
        before.extend_from_slice(&word.load(Ordering::SeqCst).to_le_bytes());
    }
    std::fs::write("before", before).expect("the book can be copied");
    let Ok(dump) = handle.block_on(async { tokio::time::timeout(Duration::from_secs(3), handle.dump()).await }) else {
        return;
    };
    let mut text = String::new();
    for task in dump.tasks().iter() {
        for backtrace in task.trace().resolve_backtraces() {
            let _ = write!(text, "{}", task.id());
            for frame in backtrace.frames() {
                for symbol in frame.symbols() {
                    let name = symbol.name_demangled().unwrap_or("?");
                    let file = symbol.filename().map(|file| file.display().to_string()).unwrap_or_default();
                    let _ = write!(text, "\t{name}|{file}|{}", symbol.lineno().unwrap_or(0));
                }
            }
            text.push('\n');
        }
    }
    std::fs::write("taskdump", text).expect("the taskdump can be written");
    // Who was woken by being asked goes back to its wait.
    std::thread::sleep(Duration::from_millis(5));
}

/// Ends the process at an instant: from a thread that no task knows, or in the next task that allows it.
pub fn die_after(micros: u64, inside: bool) {
    std::thread::Builder::new()
        .name("dumper".to_owned())
        .spawn(move || {
            std::thread::sleep(Duration::from_micros(micros));
            if inside {
                DIE.store(true, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(60));
            }
            #[cfg(feature = "taskdump")]
            ask_tokio();
            std::process::abort();
        })
        .expect("a thread can be started");
}
