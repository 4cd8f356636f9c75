import { strict as assert } from "node:assert";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { SourceFiles } from "./source-files";
import type { SourceSettings } from "./source-files";

describe("finding the files that a report names", () => {
  let here: string;
  const put = (...path: string[]): string => {
    const file = join(here, ...path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, "");
    return file;
  };
  const files = (settings: Partial<SourceSettings> = {}): SourceFiles =>
    new SourceFiles({
      sourceMap: {},
      folders: [],
      cargoHome: join(here, "cargo"),
      rustupHome: join(here, "rustup"),
      ...settings,
    });

  beforeEach(() => {
    here = mkdtempSync(join(tmpdir(), "grace-sources-"));
  });
  afterEach(() => {
    rmSync(here, { recursive: true, force: true });
  });

  it("looks below the report's own root first", () => {
    const file = put("build", "src", "main.rs");
    put("open", "src", "main.rs");
    assert.equal(files({ folders: [join(here, "open")] }).find("src/main.rs", join(here, "build") + "/"), file);
  });

  it("follows the source map", () => {
    const file = put("mine", "src", "main.rs");
    const sourceMap = { "/ci/orders": join(here, "mine") };
    assert.equal(files({ sourceMap }).find("src/main.rs", "/ci/orders/"), file);
    assert.equal(files({ sourceMap }).find("/ci/orders/src/main.rs", ""), file);
  });

  it("follows the source map from a path of Windows", () => {
    const file = put("mine", "src", "main.rs");
    const sourceMap = { "C:\\ci\\orders": join(here, "mine") };
    assert.equal(files({ sourceMap }).find("src\\main.rs", "C:\\ci\\orders\\"), file);
  });

  it("looks in the open folders, also when one is a part of the path", () => {
    const file = put("zoo", "src", "locks.rs");
    assert.equal(files({ folders: [here] }).find("zoo/src/locks.rs", "/gone/"), file);
    assert.equal(files({ folders: [join(here, "zoo")] }).find("zoo/src/locks.rs", "/gone/"), file);
  });

  it("takes no file of an open folder for one that is not the program's own", () => {
    put("open", "src", "lib.rs");
    const folders = [join(here, "open")];
    assert.equal(files({ folders }).find("tokio-1.54.1/src/lib.rs", "/gone/"), undefined);
    assert.equal(files({ folders }).find("core/src/lib.rs", "/gone/"), undefined);
    assert.equal(files({ folders }).find("/elsewhere/src/lib.rs", "/gone/"), undefined);
    assert.equal(files({ folders }).find("x/../../open/src/lib.rs", "/gone/"), undefined);
  });

  it("finds dependencies where cargo keeps them", () => {
    const file = put("cargo", "registry", "src", "index-1", "tokio-1.54.1", "src", "time", "sleep.rs");
    assert.equal(files().find("tokio-1.54.1/src/time/sleep.rs", ""), file);
    assert.equal(files().find("/crates/tokio-1.54.1/src/time/sleep.rs", "/src/"), file);
    assert.equal(files().find("tokio-1.54.2/src/time/sleep.rs", ""), undefined);
  });

  it("finds the standard library only where there is no doubt about its version", () => {
    const library = ["lib", "rustlib", "src", "rust", "library", "core", "src", "option.rs"];
    const file = put("rustup", "toolchains", "stable", ...library);
    assert.equal(files().find("core/src/option.rs", ""), file);
    put("rustup", "toolchains", "nightly", ...library);
    assert.equal(files().find("core/src/option.rs", ""), undefined);
  });

  it("names no file that is not there, no folder, and touches no network path", () => {
    put("open", "src", "main.rs");
    const folders = [join(here, "open")];
    assert.equal(files({ folders }).find("src/other.rs", ""), undefined);
    assert.equal(files({ folders }).find("src", join(here, "open") + "/"), undefined);
    assert.equal(files().find("\\\\host\\share\\main.rs", ""), undefined);
    assert.equal(files().find("//host/share/main.rs", ""), undefined);
    assert.equal(files().find("a\0b", "/"), undefined);
  });
});
