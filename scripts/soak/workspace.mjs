// The cargo workspace of the generated programs: some of them are modules of one binary, because a compiler run costs more than all that they do.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { programs, must } from "../lib/fixture-build.mjs";
import { root } from "../lib/process.mjs";
import { generate } from "./program.mjs";

const toolchain = JSON.parse(readFileSync(join(root, "test/fixtures/matrix.json"), "utf8")).toolchain;

const profile = (name) => `[profile.${name}]
debug = 2
strip = "none"
split-debuginfo = "off"
incremental = false
`;

/** As services are shipped whose size or speed matters most. */
const lto = `${profile("lto")}inherits = "release"
lto = "fat"
codegen-units = 1
panic = "abort"
`;

/** Writes what is new only: cargo looks at the times of files. */
function write(path, text) {
  let old;
  try {
    old = readFileSync(path, "utf8");
  } catch {
    // There is none yet.
  }
  if (old !== text) writeFileSync(path, text);
}

const manifestOf = (name, dependencies) => `[package]
name = "${name}"
version = "0.0.0"
edition = "2024"
publish = false

[dependencies]
${dependencies}
`;

const tokio = 'tokio = { version = "1", features = ["macros", "rt-multi-thread", "sync", "time"] }';

const mainOf = (seeds) => `#![allow(warnings)]
${seeds.map((seed) => `mod p${seed};`).join("\n")}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    soak_witness::open(&args[2]);
    std::panic::set_hook(Box::new(|_| {}));
    soak_witness::die_after(args[3].parse().unwrap(), args[4] == "inside");
    match args[1].as_str() {
${seeds.map((seed) => `        "${seed}" => p${seed}::run(),`).join("\n")}
        _ => {}
    }
}
`;

/**
 * Builds the programs of the seeds as one binary.
 * @param {string} folder of the workspace
 * @param {string} name of the crate, a Rust identifier
 * @param {"dev" | "release"} kind
 * @param {boolean} asksTokio the programs let tokio say where their tasks are before they die
 * @returns {Promise<{ program: string, manifests: import("./program.mjs").Manifest[] }>}
 */
export async function buildBatch(folder, name, seeds, kind, asksTokio) {
  const at = join(folder, name);
  mkdirSync(join(at, "src"), { recursive: true });
  mkdirSync(join(folder, "witness"), { recursive: true });
  write(
    join(folder, "Cargo.toml"),
    `[workspace]\nresolver = "3"\nmembers = ["witness", "${name}"]\n\n${profile("dev")}\n${profile("release")}\n${lto}`,
  );
  write(
    join(folder, "witness/Cargo.toml"),
    `${manifestOf("soak_witness", `${tokio}\nlibc = "0.2"`)}\n[features]\ntaskdump = ["tokio/taskdump"]\n\n[lib]\npath = "witness.rs"\n`,
  );
  write(join(folder, "witness/witness.rs"), readFileSync(join(root, "scripts/soak/witness/witness.rs"), "utf8"));
  const futures =
    'futures = { version = "0.3", default-features = false, features = ["std", "async-await", "executor"] }';
  write(join(at, "Cargo.toml"), manifestOf(name, `${tokio}\n${futures}\nsoak_witness = { path = "../witness" }`));
  const manifests = seeds.map((seed) => {
    const { source, manifest } = generate(seed, name);
    write(join(at, `src/p${seed}.rs`), source);
    return manifest;
  });
  write(join(at, "src/main.rs"), mainOf(seeds));
  // The versions that the fixtures have.
  copyFileSync(join(programs, "Cargo.lock"), join(folder, "Cargo.lock"));
  const target = join(folder, "target");
  const features = asksTokio ? ["--features", "soak_witness/taskdump"] : [];
  await must(
    "nice",
    ["-n", "10", "cargo", `+${toolchain}`, "build", "--quiet", "--package", name, "--profile", kind, ...features],
    {
      cwd: folder,
      quiet: true,
      env: { RUSTFLAGS: asksTokio ? "--cfg tokio_unstable" : "", CARGO_TARGET_DIR: target },
    },
  );
  return { program: join(target, kind === "dev" ? "debug" : kind, name), manifests };
}
