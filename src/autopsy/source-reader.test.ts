import { strict as assert } from "node:assert";
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sourceReader } from "./source-reader";

describe("the reader of sources", () => {
  const folder = mkdtempSync(join(tmpdir(), "grace-sources-"));
  after(() => {
    rmSync(folder, { recursive: true });
  });
  const text = (bytes: Uint8Array | undefined): string | undefined =>
    bytes === undefined ? undefined : Buffer.from(bytes).toString();

  it("reads files by the compiler's path, through the source map", () => {
    mkdirSync(join(folder, "src"));
    const path = join(folder, "src", "main.rs");
    writeFileSync(path, "fn main() {}");
    assert.equal(text(sourceReader({})(path)), "fn main() {}");
    assert.equal(text(sourceReader({ "C:\\a\\src": join(folder, "src") })("C:\\a\\src\\main.rs")), "fn main() {}");
    writeFileSync(join(folder, "empty.rs"), "");
    assert.equal(text(sourceReader({})(join(folder, "empty.rs"))), "");
  });

  it("reads no folders, devices, relative paths, and nothing large", () => {
    const read = sourceReader({});
    for (const path of [folder, "/dev/zero", "src/main.rs", "", join(folder, "none.rs"), `${folder}\0`])
      assert.equal(read(path), undefined, path);
    const large = join(folder, "large.rs");
    writeFileSync(large, "");
    truncateSync(large, 3 << 20);
    assert.equal(read(large), undefined);
  });

  it("asks no other machine, unless the source map leads there", () => {
    const read = sourceReader({});
    for (const path of ["\\\\server\\share\\a.rs", "//server/share/a.rs", "\\\\.\\pipe\\a"])
      assert.equal(read(path), undefined);
    const path = join(folder, "src", "main.rs");
    // Two slashes are one here; the path still counts as that of a server.
    assert.equal(read(`/${path}`), undefined);
  });
});
