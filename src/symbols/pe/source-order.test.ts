import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import { SourceOrders } from "./source-order";
import type { BodyInCode, SourceOrder } from "./source-order";

const source = `async fn first(x: u8) {
    x.a().await;
    let b = async {
        x.b().await;
        x.c().await;
    };
    b.await;
}

#[async_trait]
impl Service for Store {
    async fn call(&self) {
        self.a().await;
    }
}
`;

const bytes = Buffer.from(source);
const hash = (algorithm: "md5" | "sha1" | "sha256", of: Uint8Array = bytes) => ({
  algorithm,
  value: createHash(algorithm).update(of).digest("hex"),
});

const code: BodyInCode = {
  file: "C:\\a\\src\\main.rs",
  checksum: hash("sha256"),
  resumeName: "a::first::async_fn$0<core::option::Option<u8> >",
  firstLine: 1,
  lines: [1, 2, 7],
  awaits: 2,
};

const of = (changed: Partial<BodyInCode>, read: (file: string) => Uint8Array | undefined = () => bytes): SourceOrder =>
  new SourceOrders(read).of({ ...code, ...changed });

describe("the order of the awaits in the source", () => {
  it("is that of the states", () => {
    assert.deepEqual(of({}).lines, [2, 7]);
    assert.deepEqual(
      of({ resumeName: "a::first::async_fn$0::async_block$0", firstLine: 3, lines: [], awaits: 2 }).lines,
      [4, 5],
    );
  });

  it("is taken from the file that was compiled only", () => {
    for (const algorithm of ["md5", "sha1", "sha256"] as const)
      assert.deepEqual(of({ checksum: hash(algorithm) }).lines, [2, 7]);
    assert.equal(of({ checksum: undefined }).lines, undefined);
    assert.equal(of({ checksum: hash("sha256", Buffer.from(`${source} `)) }).lines, undefined);
    assert.equal(of({}, () => undefined).lines, undefined);
  });

  it("is none where the source has more or fewer awaits than the coroutine", () => {
    for (const awaits of [0, 1, 3]) assert.equal(of({ awaits }).lines, undefined);
  });

  it("is none where the body is another function's, or begins or ends elsewhere", () => {
    assert.equal(of({ resumeName: "a::second::async_fn$0" }).lines, undefined);
    assert.equal(of({ resumeName: "a::first::async_block$0" }).lines, undefined);
    assert.equal(of({ firstLine: 2 }).lines, undefined);
    assert.equal(of({ lines: [1, 9] }).lines, undefined);
  });

  it("of a body that an attribute rewrites is that of the block it becomes, and not of the fn", () => {
    const call = { firstLine: 12, lines: [], awaits: 1 };
    assert.deepEqual(of({ ...call, resumeName: "a::impl$0::call::async_block$0" }).lines, [13]);
    assert.equal(of({ ...call, resumeName: "a::impl$0::call::async_fn$0" }).lines, undefined);
  });

  it("is read once for each file", () => {
    let count = 0;
    const orders = new SourceOrders(() => {
      count++;
      return bytes;
    });
    orders.of(code);
    orders.of({ ...code, awaits: 3 });
    assert.equal(count, 1);
  });
});
