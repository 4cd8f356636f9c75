import { strict as assert } from "node:assert";
import { mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ByteWriter } from "../../test/builders/byte-writer";
import { mutations } from "../../test/fuzz/mutations";
import { compressionOf } from "./decompress";
import { openUnpacked } from "./unpack";
import type { Unpacked } from "./unpack";

/** What the two streams below were made of, by xz 5.4 -9 and zstd 1.5 -19 --check. */
const content = new ByteWriter()
  .raw(Uint8Array.from({ length: 600 }, (_, index) => (index * index) >> 3))
  .zeros(20000)
  .text("the end")
  .done();
const xz = Buffer.from(
  "/Td6WFoAAATm1rRGAgAhARwAAAAQz1jM4FB+AoRdAABn/qBOr++dSKrVDBBc9D5dj4ion/Iqz9tpyMJ/qa5IK4zAEmUWfMXqWVMpr02TVwx2X8mhA8KV0hwh06xzTxbGYrhrPGywE3lTk/cR0l00gZSKQ8ablT3/TsKL6MM/VT7IBjt/xcUAgNyDZkop8AhopWnDHmqyo6qGLqEpNkkgBcH8DIxWJ/InONWipsAEMgTAxKM2IJ4NT4bq7hQ431PpPSFZuVIY8hI147mr3rbhdTvQgzvrZwct+oc/ozLA7vPggqX8sLTpUE6sJ5F7rqKfkzjKeTaurJ2mhsGzhZ1WM4XaeQw7pv9k8i4xtsN3cQahbjMuySEVFPiZi9hlA7ZAMP8Xuq796AdFRmhftqP6hdGXmz/e+Y+m/dnrdlwF8LNjD69Iox6BVNo6Kx9zB/6Nc7CwPHXDOlDNu2UrpsKiSiR5wHRtaZ+2jXVuejuuAsOyO6b3Ro3ibUzYVuvXWr/UHqnpXmRW7u1En6Lpy9qN28KgkaSmZiAcQwQwQsNVlTRGIwbKK9rLmFNSlvjpozaSd3dR9PbeG1et9wRlhGEgjXOSSaka5n5QI65HsiakJRTeiqeAU6Xq3Yfc7x0CUBgvhrkFlwF5EKsc2HB63SfcwWx+UmbcEoPFQWxhOd+7yb6bk8/K7FNij41sM/98yicBBQ8B5Zpdyx4BDvZN9w4heQcb8uiH74fh9q4s39uiARW3uHSQF+juqehG0lSlOdWVEwhWRr0LSLVPghZpnKSHuxsHD+nUArDifAtYVSt6QZdjguob+O87hVH3OiYOJTcCcgFt7wkirLwZx2csbPlUtouaxfLeCY++Jgdm6iBxXwBgao8KCp1SyZnXmT/LjBOR1ZHkAPJIjbIJ+gjhAAGgBf+gAQCTIM8MscRn+wIAAAAABFla",
  "base64",
);
const zstd = Buffer.from(
  "KLUv/QRoVRMABCYAAAABAgMEBggKDA8SFRgcICQoLTI3PEJITlRbYmlweICIkJmiq7S+yNLc5/L9CBQgLDhFUl9seoiWpLPC0eDwABAgMUJTZHaImqy/0uX4DCA0SF1yh5yyyN70CyI5UGiAmLDJ4vsULkhifJeyzegEIDxYdZKvzOoIJkRjgqHA4AAgQGGCo8TmCCpMb5K12PwgRGiNstf8IkhulLviCTBYgKjQ+SJLdJ7I8hxHcp3I9CBMeKXS/yxaiLbkE0JxoNAAMGCRwvMkVoi67B9ShbjsIFSIvfInXJLI/jRrotkQSIC48Clim9QOSIK89zJtqOQgXJjVEk+MyghGhMMCQYDAAECAwQJDhMYISozPElWY3CBkqO0yd7wCSI7UG2Kp8DiAyBBZous0fsgSXKfyPYjUIGy4BVKf7DqI1iRzwhFgsABQoPFCk+Q2iNosf9IleMwgdMgdcscccsgedMsiedAogNgwieI7lO5IovxXsg1oxCB82DWS70yqCGbEI4LhQKAAYMAhguNEpghqzC+S9Vi8IIToTbIXfOJIrhR74kmwGIDoULkii/ReyDKcB3LdSLQgjPhl0j+sGoj2ZNNCsSCQAHDgUcIzpBaI+mzfUsU4rCCUCH3yZ9xSyD60K6IZkAiA+HDpYttUzkjCPLcyrSikIJwYlRKPDIoIhgSDAoEAgACAAIECgwSGCIoMjxKVGJwgpCitMrc8wkjOVNti6XD4gAiQGaIrtD7IUtxn8n0IlCCsOMVS32z6iBakM8JR4HAAkCCxQtNk9ogarD/SZfiMILRI3XIHnDIAdGhlIGVuZAEAWTicHaQBRHkOCg==",
  "base64",
);

/** RFC 8878: a frame of 1 MiB window whose blocks each repeat one byte 128 KiB times: 4 bytes for 131,072. */
function zstdOfRuns(blocks: number): Uint8Array {
  const frame = new ByteWriter()
    .u32(0xfd2fb528)
    .u8(0)
    .u8(10 << 3);
  for (let block = 0; block < blocks; block++) {
    const last = block === blocks - 1 ? 1 : 0;
    const header = (131072 << 3) | (1 << 1) | last;
    frame
      .u8(header)
      .u8(header >> 8)
      .u8(header >> 16)
      .u8(7);
  }
  return frame.done();
}

describe("a compressed dump", () => {
  const folder = mkdtempSync(join(tmpdir(), "grace-unpack-"));
  const cacheFolder = join(folder, "cache");
  let files = 0;
  after(() => {
    rmSync(folder, { recursive: true });
  });

  async function unpack(bytes: Uint8Array, limit?: number): Promise<Unpacked> {
    const path = join(folder, `file${String(files++)}`);
    writeFileSync(path, bytes);
    return openUnpacked(path, { cacheFolder, ...(limit === undefined ? {} : { limit }) });
  }

  async function unpacked(
    bytes: Uint8Array,
    limit?: number,
  ): Promise<{ bytes: Uint8Array; problems: readonly string[] }> {
    const opened = await unpack(bytes, limit);
    if ("error" in opened) return { bytes: new Uint8Array(0), problems: [opened.error.what] };
    const all = new Uint8Array(opened.source.size);
    opened.source.readInto(0, all);
    opened.source.close();
    return { bytes: all, problems: opened.problems.map((problem) => problem.what) };
  }

  for (const [name, stream] of [
    ["gzip", gzipSync(content)],
    ["zstd", zstd],
    ["xz", xz],
  ] as const) {
    it(`of ${name} is opened as what it holds`, async () => {
      assert.equal(compressionOf(stream), name);
      const { bytes, problems } = await unpacked(stream);
      assert.deepEqual(problems, []);
      assert.ok(Buffer.from(bytes).equals(content));
    });

    it(`of ${name} that is cut gives what came out, and says so`, async () => {
      const { bytes, problems } = await unpacked(stream.subarray(0, stream.length - 25));
      assert.equal(problems.length, 1);
      assert.match(problems[0] ?? "", /cut or damaged/);
      assert.ok(Buffer.from(content).subarray(0, bytes.length).equals(bytes));
    });

    it(`of ${name} that is damaged never throws`, async () => {
      for (const damaged of mutations(3, stream, 40)) await unpacked(damaged, 1 << 20);
    });
  }

  it("of several members or frames is opened whole", async () => {
    const twice = await unpacked(Buffer.concat([gzipSync(content), gzipSync(content)]));
    assert.deepEqual(twice.problems, []);
    assert.equal(twice.bytes.length, 2 * content.length);
    const frames = await unpacked(Buffer.concat([zstd, zstd]));
    assert.deepEqual(frames.problems, []);
    assert.equal(frames.bytes.length, 2 * content.length);
  });

  it("that is a bomb stops at the limit", async () => {
    const { bytes, problems } = await unpacked(zstdOfRuns(1000), 3_000_000);
    assert.equal(bytes.length, 3_000_000);
    assert.match(problems[0] ?? "", /more than 3000000 bytes/);
    assert.ok(bytes.every((byte) => byte === 7));
  });

  it("is written sparse", async () => {
    const opened = await unpack(gzipSync(new Uint8Array(20 << 20)));
    assert.ok(!("error" in opened));
    const { blocks, size } = statSync(opened.source.name);
    assert.equal(size, 20 << 20);
    assert.ok(blocks * 512 < 1 << 20);
    opened.source.close();
  });

  it("is unpacked once, and again when it changed", async () => {
    const path = join(folder, "same");
    writeFileSync(path, gzipSync(content));
    const names = async (): Promise<string> => {
      const opened = await openUnpacked(path, { cacheFolder });
      assert.ok(!("error" in opened));
      opened.source.close();
      return opened.source.name;
    };
    const first = await names();
    const made = statSync(first).ino;
    assert.equal(await names(), first);
    assert.equal(statSync(first).ino, made);
    utimesSync(path, 1, 1);
    assert.notEqual(await names(), first);
  });

  it("leaves only a few unpacked files behind, and no half ones", async () => {
    for (let index = 0; index < 12; index++) await unpacked(gzipSync(Uint8Array.of(index)));
    const left = readdirSync(join(cacheFolder, "unpacked"));
    assert.ok(left.filter((name) => name.endsWith(".dump")).length <= 8);
    assert.deepEqual(
      left.filter((name) => name.endsWith(".part")),
      [],
    );
  });

  it("of a kind that is not unpacked here says how to unpack it", async () => {
    const opened = await unpack(Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0, 0, 0, 0));
    assert.ok("error" in opened);
    assert.match(opened.error.remedy ?? "", /lz4 -d/);
  });

  it("that does not exist is an error in words", async () => {
    const opened = await openUnpacked(join(folder, "missing"), { cacheFolder });
    assert.ok("error" in opened);
    assert.equal(opened.error.what, "There is no such file.");
    const aFolder = await openUnpacked(folder, { cacheFolder });
    assert.ok("error" in aFolder);
    assert.equal(aFolder.error.what, "It is a folder.");
  });
});
