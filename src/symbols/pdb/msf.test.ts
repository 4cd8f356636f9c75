import { strict as assert } from "node:assert";
import * as fc from "fast-check";
import { pattern } from "../../../test/builders/byte-writer";
import { buildMsf } from "../../../test/builders/pdb";
import { mutations } from "../../../test/fuzz/mutations";
import { BufferSource } from "../../bytes/buffer-source";
import { Msf } from "./msf";

describe("the container of a PDB", () => {
  it("gives each stream its bytes, whatever blocks they lie in", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 8 }),
        fc.constantFrom(512, 1024, 4096),
        fc.boolean(),
        fc.nat(3000),
        fc.nat(3000),
        (streams, blockSize, scatter, offset, length) => {
          const msf = Msf.open(new BufferSource("a.pdb", buildMsf(streams, { blockSize, scatter })));
          assert.equal(msf?.streamCount, streams.length);
          streams.forEach((bytes, index) => {
            const stream = msf.stream(index);
            assert.equal(stream.size, bytes.length);
            assert.deepEqual([...stream.read(offset, length)], [...bytes.slice(offset, offset + length)]);
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it("may have a directory whose list of blocks fills several blocks", () => {
    // 512-byte blocks: one block lists 128 blocks of the directory, which hold the numbers of 16,384 blocks.
    const big = pattern(512 * 20_000, 3);
    const msf = Msf.open(new BufferSource("a.pdb", buildMsf([pattern(10), big], { blockSize: 512, scatter: true })));
    assert.deepEqual([...(msf?.stream(1).read(512 * 19_999, 600) ?? [])], [...big.slice(512 * 19_999)]);
  });

  it("has empty streams for numbers that do not exist", () => {
    const msf = Msf.open(new BufferSource("a.pdb", buildMsf([pattern(10)])));
    for (const index of [1, 0xffff, -1]) assert.equal(msf?.stream(index).size, 0);
  });

  it("is not made of anything else", () => {
    assert.equal(Msf.open(new BufferSource("a.pdb", pattern(4096))), undefined);
    assert.equal(Msf.open(new BufferSource("a.pdb", new Uint8Array(0))), undefined);
  });

  it("that is damaged never throws and claims no more than the file has", () => {
    const good = buildMsf([pattern(1500), pattern(40), pattern(5000)], { scatter: true });
    for (const bytes of mutations(11, good, 400)) {
      const msf = Msf.open(new BufferSource("damaged.pdb", bytes));
      for (let index = 0; index < Math.min(msf?.streamCount ?? 0, 8); index++)
        assert.ok((msf?.stream(index).read(0, 10_000).length ?? 0) <= bytes.length + 10_000);
    }
  });
});
