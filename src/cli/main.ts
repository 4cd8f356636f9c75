#!/usr/bin/env -S -u NODE_EXTRA_CA_CERTS node --v8-pool-size=1
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire, wrap } from "node:module";
import { dirname, join } from "node:path";
import { Script } from "node:vm";
import { tuneEngine } from "../bytes/engine";

/*
 * The first line is for who runs this file by its name. One helper thread, as more of them take the two cores of a small machine from the work itself.
 * No certificates for a network that Grace does not use: Node reads those that the variable names at each start, which took 80 ms for a Debian's.
 *
 * Runs the program that stands beside this file through V8's code cache: compiling it anew is a tenth of the time that a report on a small dump takes.
 * The cache is written beside the program when there is none that fits; where that cannot be, the program runs without.
 */
// Before the cache is read: V8 refuses what was compiled under other settings.
tuneEngine();

const program = join(__dirname, "cli-program.js");
const cacheFile = join(__dirname, "cli-program.cache");

function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

// The build sees to it that it is ASCII, which is read three times as fast.
const source = readFileSync(program, "latin1");
/** Of the program: V8 itself compares no more of the source than its length. The build writes the hash of the program here, but not when it watches. */
const hashOfProgram = "0000000000000000000000000000000000000000000000000000000000000000";
const isHashKnown = !/^0+$/.test(hashOfProgram);
const fingerprint = Buffer.from(`${process.version} ${hashOfProgram} `, "latin1");
const cached = isHashKnown ? readIfThere(cacheFile) : undefined;
const fits = cached?.subarray(0, fingerprint.length).equals(fingerprint) === true;
const script = new Script(wrap(source), {
  filename: program,
  ...(cached !== undefined && fits ? { cachedData: cached.subarray(fingerprint.length) } : {}),
});
if (isHashKnown && (!fits || script.cachedDataRejected === true)) {
  process.once("exit", () => {
    // At the end, so that it holds the functions that were compiled when they were first called.
    const own = `${cacheFile}.${String(process.pid)}`;
    try {
      writeFileSync(own, Buffer.concat([fingerprint, script.createCachedData()]));
      renameSync(own, cacheFile);
    } catch {
      // A folder that is not ours to write to: the program runs without a cache.
    }
  });
}
type Loaded = (exports: object, require: NodeJS.Require, module: object, file: string, folder: string) => void;
const loaded = { exports: {} };
(script.runInThisContext() as Loaded)(loaded.exports, createRequire(program), loaded, program, dirname(program));
