import { strict as assert } from "node:assert";
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { pattern } from "../../test/builders/byte-writer";
import { BufferSource } from "./buffer-source";
import type { ByteSource } from "./byte-source";
import { FileSource } from "./file-source";
import { SliceSource } from "./slice-source";

/** The rule that all sources keep, against the bytes they are made of. */
function behavesLike(source: ByteSource, bytes: Uint8Array, offset: number, length: number): void {
  const expected = bytes.subarray(Math.min(offset, bytes.length), Math.min(bytes.length, offset + length));
  assert.deepEqual([...source.read(offset, length)], [...expected]);
  const into = new Uint8Array(length).fill(0xee);
  assert.equal(source.readInto(offset, into), expected.length);
  assert.deepEqual([...into.subarray(0, expected.length)], [...expected]);
  assert.ok(into.subarray(expected.length).every((byte) => byte === 0xee));
}

describe("byte sources", () => {
  const folder = mkdtempSync(join(tmpdir(), "grace-sources-"));
  const bytes = pattern(100_000);
  const path = join(folder, "file");
  writeFileSync(path, bytes);
  const file = FileSource.open(path);
  after(() => {
    file.close();
    rmSync(folder, { recursive: true });
  });

  const place = fc.tuple(fc.nat(bytes.length + 100), fc.oneof(fc.nat(200), fc.nat(50_000)));

  it("of a file give what the file holds, in any order", () => {
    fc.assert(
      fc.property(fc.array(place, { minLength: 1, maxLength: 30 }), (places) => {
        for (const [offset, length] of places) behavesLike(file, bytes, offset, length);
      }),
    );
  });

  it("of a buffer give what the buffer holds", () => {
    const source = new BufferSource("buffer", bytes);
    fc.assert(
      fc.property(place, ([offset, length]) => {
        behavesLike(source, bytes, offset, length);
      }),
    );
  });

  it("of a part give that part and no more, even if its size lies", () => {
    fc.assert(
      fc.property(fc.nat(bytes.length), fc.nat(2 * bytes.length), place, (start, size, [offset, length]) => {
        const part = bytes.subarray(start, Math.min(bytes.length, start + size));
        const slice = new SliceSource("part", file, start, size);
        assert.equal(slice.size, part.length);
        behavesLike(slice, part, offset, length);
      }),
    );
  });

  it("answer nonsense positions with nothing", () => {
    for (const source of [file, new BufferSource("buffer", bytes), new SliceSource("slice", file, 5, 10)]) {
      for (const [offset, length] of [
        [-1, 4],
        [NaN, 4],
        [0, -4],
        [0, NaN],
        [2 ** 60, 8],
        [Infinity, 1],
      ] as const) {
        assert.equal(source.read(offset, length).length, 0);
      }
    }
    assert.equal(new SliceSource("slice", file, -5, 10).size, 0);
    assert.equal(new SliceSource("slice", file, 2 ** 53, 10).size, 0);
  });

  it("of files above 4 GiB reach their end", () => {
    const large = join(folder, "large");
    const fd = openSync(large, "w");
    const end = 5 * 2 ** 30;
    writeSync(fd, Uint8Array.of(1, 2, 3, 4), 0, 4, end - 4);
    writeSync(fd, Uint8Array.of(9), 0, 1, 2 ** 32);
    ftruncateSync(fd, end);
    closeSync(fd);
    const source = FileSource.open(large);
    assert.equal(source.size, end);
    assert.deepEqual([...source.read(end - 4, 100)], [1, 2, 3, 4]);
    assert.deepEqual([...source.read(2 ** 32 - 1, 3)], [0, 9, 0]);
    source.close();
  });

  it("of a closed file give nothing", () => {
    const source = FileSource.open(path);
    assert.equal(source.read(0, 4).length, 4);
    source.close();
    source.close();
    assert.equal(source.read(0, 4).length, 0);
    assert.equal(source.readInto(0, new Uint8Array(4)), 0);
  });

  it("cannot be made of a folder or of nothing", () => {
    assert.throws(() => FileSource.open(folder));
    assert.throws(() => FileSource.open(join(folder, "missing")));
  });
});
