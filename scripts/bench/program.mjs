// Generates the bench program: many distinct spawned futures (their debug info is what costs), many tasks, a large heap.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Distinct spawned futures that are compiled, how many of them have tasks when the program dies, tasks of each of those, heap in MiB beside the tasks.
 * A service has code for far more kinds of tasks than are alive at any time; `allkinds` is the extreme in which every future of the program has tasks.
 * `program` names the size whose executable serves for this one too.
 */
export const sizes = {
  small: { program: "small", futures: 30, alive: 30, tasksOfEach: 3, heapMiB: 64 },
  medium: { program: "medium", futures: 120, alive: 120, tasksOfEach: 8, heapMiB: 256 },
  large: { program: "large", futures: 2800, alive: 100, tasksOfEach: 52, heapMiB: 1024 },
  allkinds: { program: "large", futures: 2800, alive: 2800, tasksOfEach: 2, heapMiB: 1024 },
  tasks100k: { program: "tasks100k", futures: 60, alive: 60, tasksOfEach: 1700, heapMiB: 64 },
};

/** What the program is run with. */
export const programArguments = ({ alive, tasksOfEach, heapMiB }) => [alive, tasksOfEach, heapMiB].map(String);

const perModule = 25;

const manifest = `[package]
name = "bench"
version = "0.0.0"
edition = "2021"

[workspace]

[dependencies]
tokio = { version = "1", features = ["rt-multi-thread", "sync", "time", "macros"] }

[profile.dev]
debug = 2
incremental = false
# What incremental builds, cargo's default for development, have.
codegen-units = 256
`;

/** One module: async fns that differ in their types, so that each spawn instantiates tokio's task code anew. */
function moduleSource(first, count) {
  const out = ["use crate::shared::*;", "use std::time::Duration;", ""];
  for (let n = first; n < first + count; n++) {
    out.push(`
#[derive(Debug, Clone)]
pub struct Request${n} { pub id: u64, pub body: Vec<u8>, pub tag: Option<String>, pub pair: (u32, [u8; ${(n % 13) + 1}]) }

async fn decode_${n}(request: Request${n}, shared: std::sync::Arc<Shared>) -> Result<Request${n}, String> {
    let kept = request.body.len();
    let permit = shared.gate.acquire().await.map_err(|e| e.to_string())?;
    drop(permit);
    let _ = kept;
    Ok(request)
}

async fn handle_${n}<T: Send + 'static>(request: Request${n}, extra: T, shared: std::sync::Arc<Shared>) -> Result<T, String> {
    let name = format!("handler-${n}-{}", request.id);
    let decoded = decode_${n}(request, shared.clone()).await?;
    match (decoded.id + ${n}) % 4 {
        0 => { let guard = shared.table.lock().await; let _ = guard.len(); }
        1 => { tokio::time::sleep(Duration::from_secs(3600 + ${n})).await; }
        2 => { tokio::select! { _ = shared.stop.notified() => {}, _ = tokio::time::sleep(Duration::from_secs(7200)) => {} } }
        _ => { let _ = tokio::time::timeout(Duration::from_secs(9000), std::future::pending::<u8>()).await; }
    }
    let _ = name;
    Ok(extra)
}

pub fn spawn_${n}(shared: &std::sync::Arc<Shared>, count: u64) {
    for id in 0..count {
        let request = Request${n} { id, body: vec![id as u8; 64], tag: Some(String::from("t")), pair: (${n}, [0; ${(n % 13) + 1}]) };
        let shared = shared.clone();
        tokio::spawn(async move {
            let started = std::time::Instant::now();
            let outcome = handle_${n}(request, started, shared).await;
            drop(outcome);
        });
    }
}`);
  }
  return out.join("\n") + "\n";
}

/** Writes the crate below \`folder\`; equal input gives equal files. */
export function writeProgram(folder, size) {
  const { futures } = size;
  mkdirSync(join(folder, "src"), { recursive: true });
  writeFileSync(join(folder, "Cargo.toml"), manifest);
  writeFileSync(
    join(folder, "src", "shared.rs"),
    `pub struct Shared { pub gate: tokio::sync::Semaphore, pub table: tokio::sync::Mutex<Vec<u64>>, pub stop: tokio::sync::Notify }\n`,
  );
  const modules = [];
  for (let first = 0; first < futures; first += perModule) {
    const name = `part_${first / perModule}`;
    modules.push({ name, first, count: Math.min(perModule, futures - first) });
    writeFileSync(join(folder, "src", `${name}.rs`), moduleSource(first, Math.min(perModule, futures - first)));
  }
  const calls = modules.flatMap(({ name, first, count }) =>
    Array.from(
      { length: count },
      (_, i) => `    ${name}::spawn_${first + i}(&shared, if alive > ${first + i} { each } else { 0 });`,
    ),
  );
  writeFileSync(
    join(folder, "src", "main.rs"),
    `#![allow(dead_code)]
mod shared;
${modules.map(({ name }) => `mod ${name};`).join("\n")}

// The first kinds have tasks: a few subsystems are at work when the program dies, with all that they have.
fn spawn_all(shared: &std::sync::Arc<shared::Shared>, alive: u64, each: u64) {
${calls.join("\n")}
}

fn main() {
    let arguments: Vec<u64> = std::env::args().skip(1).map(|each| each.parse().unwrap()).collect();
    let [alive, each, heap_mib] = arguments[..] else { panic!("bench ALIVE TASKS_OF_EACH HEAP_MIB") };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_time().build().unwrap();
    let shared = std::sync::Arc::new(shared::Shared {
        gate: tokio::sync::Semaphore::new(64), table: tokio::sync::Mutex::new(vec![1, 2, 3]), stop: tokio::sync::Notify::new() });
    // Words that look like nothing in particular: a heap that a sweep has to read.
    let mut x = 0x9e3779b97f4a7c15u64;
    let heap: Vec<u64> = (0..heap_mib * 131072).map(|_| { x ^= x << 13; x ^= x >> 7; x ^= x << 17; x }).collect();
    runtime.block_on(async {
        let guard = shared.table.lock().await;
        spawn_all(&shared, alive, each);
        tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        eprintln!("spawned {} tasks, heap {}", alive * each, heap.len());
        let _ = guard.len();
        std::process::abort();
    });
}
`,
  );
}
