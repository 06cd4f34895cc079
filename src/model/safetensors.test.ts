import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { container, float32, microTensors, thrown, writeSafetensors } from "../../test/vectors/model/micro.ts";
import { AegisError } from "../base/errors.ts";
import { parseSafetensors, readFloat32 } from "./safetensors.ts";

const two = (first: unknown, second?: unknown) => (second === undefined ? { a: first } : { a: first, b: second });
const f32 = (from: number, to: number, shape: unknown = [(to - from) / 4]) => ({
  dtype: "F32",
  shape,
  data_offsets: [from, to],
});

function refused(bytes: Uint8Array): string {
  const error = thrown(() => parseSafetensors(bytes, "m.safetensors"));
  expect(error).toBeInstanceOf(AegisError);
  expect((error as AegisError).code).toBe("format");
  expect((error as AegisError).message).toMatch(/^m\.safetensors/);
  return (error as AegisError).message;
}

describe("well-formed files", () => {
  test("F32, F16 and BF16 become f32", () => {
    const half = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7bff, 0x8000, 0x3555);
    const brain = Uint16Array.of(0x3f80, 0xc000, 0x4049);
    const file = parseSafetensors(
      writeSafetensors(
        new Map([
          ["half", { dtype: "F16", shape: [2, 3], bytes: new Uint8Array(half.buffer) }],
          ["brain", { dtype: "BF16", shape: [3], bytes: new Uint8Array(brain.buffer) }],
          ["full", float32([2], (i) => i + 0.5)],
          ["empty", float32([0, 4], () => 0)],
          ["scalar", float32([], () => 7)],
        ]),
      ),
    );
    expect([...readFloat32(file, "half")]).toEqual([1, -2, 2 ** -24, 65504, -0, Math.fround(0.333251953125)]);
    expect([...readFloat32(file, "brain")]).toEqual([1, -2, 3.140625]);
    expect([...readFloat32(file, "full")]).toEqual([0.5, 1.5]);
    expect(readFloat32(file, "empty").length).toBe(0);
    expect([...readFloat32(file, "scalar")]).toEqual([7]);
    expect(file.entries.get("half")?.shape).toEqual([2, 3]);
  });

  test("infinite and undefined halves", () => {
    const bytes = new Uint8Array(Uint16Array.of(0x7c00, 0xfc00, 0x7e00).buffer);
    const file = parseSafetensors(writeSafetensors(new Map([["x", { dtype: "F16", shape: [3], bytes }]])));
    expect([...readFloat32(file, "x")]).toEqual([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]);
  });

  test("any alignment", () => {
    const bytes = writeSafetensors(new Map([["x", float32([3], (i) => i * 1.25)]]));
    for (let shift = 0; shift < 4; shift++) {
      const moved = new Uint8Array(bytes.length + shift).subarray(shift);
      moved.set(bytes);
      expect([...readFloat32(parseSafetensors(moved), "x")]).toEqual([0, 1.25, 2.5]);
    }
  });

  test("integers are described but not read", () => {
    const file = parseSafetensors(
      writeSafetensors(new Map([["ids", { dtype: "I64", shape: [1], bytes: new Uint8Array(8) }]])),
    );
    const error = thrown(() => readFloat32(file, "ids")) as AegisError;
    expect(error.code).toBe("model");
    expect(error.message).toContain('"ids": expected F32, F16 or BF16, got I64');
    expect((thrown(() => readFloat32(file, "other")) as AegisError).code).toBe("model");
  });
});

describe("hostile files", () => {
  const data = new Uint8Array(16);
  test.each([
    ["a hole", two(f32(0, 4), f32(8, 16)), "leaves a hole before it: expected offset 4, got 8"],
    ["an overlap", two(f32(0, 12), f32(8, 16)), "overlaps the tensor before it: expected offset 12, got 8"],
    ["two tensors in one place", two(f32(0, 16), f32(0, 16)), "overlaps"],
    ["a late start", two(f32(4, 16)), "leaves a hole"],
    ["bytes left over", two(f32(0, 12)), "4 bytes after the last tensor"],
    ["offsets past the end", two(f32(0, 20)), 'truncated: tensor "a" ends at byte'],
    ["offsets backwards", two({ dtype: "F32", shape: [0], data_offsets: [8, 4] }), "end before they start"],
    ["a shape of another size", two(f32(0, 16, [5])), "F32 [5] takes 20 bytes, got 16"],
    ["an overflowing shape", two(f32(0, 16, [2 ** 31, 2 ** 31, 2 ** 31, 4])), "bytes, got 16"],
    ["a shape of infinite size", two(f32(0, 16, Array(8).fill(2 ** 52))), "bytes, got 16"],
    ["too many dimensions", two(f32(0, 16, [4, 1, 1, 1, 1, 1, 1, 1, 1])), "shape"],
    ["a negative dimension", two(f32(0, 16, [-4])), "shape"],
    ["a fractional dimension", two(f32(0, 16, [0.5, 8])), "shape"],
    ["a negative offset", two(f32(-4, 12)), "data_offsets"],
    ["a huge offset", two({ dtype: "F32", shape: [4], data_offsets: [0, 1e300] }), "data_offsets"],
    ["an unknown dtype", two({ dtype: "F7", shape: [4], data_offsets: [0, 16] }), "unknown dtype"],
    ["a dtype from the prototype", two({ dtype: "constructor", shape: [4], data_offsets: [0, 16] }), "unknown dtype"],
    ["a key too much", two({ ...f32(0, 16), extra: 1 }), "extra"],
    ["a missing key", two({ dtype: "F32", shape: [4] }), "data_offsets"],
    ["no object", two(null), 'tensor "a"'],
    ["no tensors but bytes", {}, "16 bytes after the last tensor"],
    ["a list as header", [], "does not start with {"],
    ["broken JSON", '{"a":', "not valid JSON"],
    [
      "repeated names",
      '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}',
      "hole",
    ],
  ])("%s", (_, header, message) => {
    expect(refused(container(header, data))).toContain(message);
  });

  test("a __proto__ tensor is a tensor like any other", () => {
    const header = '{"__proto__":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}';
    expect([...parseSafetensors(container(header, data)).entries.keys()]).toEqual(["__proto__"]);
  });

  test("header lengths that are wrong", () => {
    const bytes = container(two(f32(0, 16)), data);
    for (const length of [0n, 1n, BigInt(bytes.length), 2n ** 40n, 2n ** 64n - 1n]) {
      const changed = bytes.slice();
      new DataView(changed.buffer).setBigUint64(0, length, true);
      expect(refused(changed)).toContain(`got ${length}`);
    }
  });

  test("empty, tiny and invalid UTF-8", () => {
    expect(refused(new Uint8Array(0))).toContain("got 0");
    expect(refused(new Uint8Array(9))).toContain("got 9");
    const bytes = container(two(f32(0, 16)), data);
    bytes[9] = 0xff;
    expect(refused(bytes)).toContain("UTF-8");
  });

  test("a Git LFS pointer is called by its name", () => {
    const pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5919664\n";
    expect(refused(new TextEncoder().encode(pointer))).toContain("Git LFS pointer");
  });

  test("deep nesting and a large header end quickly", () => {
    refused(container(`{"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, data));
    const many = Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`t${i}`, 0]));
    expect(refused(container(many, data))).toContain("65536");
  });
});

describe("fuzz", () => {
  const good = writeSafetensors(new Map([...microTensors()].slice(0, 6)));
  const attempt = (bytes: Uint8Array): void => {
    try {
      const file = parseSafetensors(bytes);
      for (const name of file.entries.keys()) readFloat32(file, name);
    } catch (error) {
      if (!(error instanceof AegisError)) throw error;
    }
  };

  test("every truncation is refused", () => {
    for (let length = 0; length < good.length; length++) isRefused(good.subarray(0, length));
  });

  test("extension is refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 32 }), (tail) =>
        isRefused(Uint8Array.from([...good, ...tail])),
      ),
    );
  });

  test("flipped bits end in tensors or in a typed error", () => {
    const flips = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(7)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(flips, (list) => {
        const bytes = good.slice();
        for (const [at, bit] of list) bytes[at] ^= 1 << bit;
        attempt(bytes);
      }),
      { numRuns: 100_000 },
    );
  });

  test("spliced and random bytes end in tensors or in a typed error", () => {
    fc.assert(
      fc.property(fc.nat(good.length), fc.nat(good.length), fc.uint8Array({ maxLength: 64 }), (from, to, middle) => {
        attempt(Uint8Array.from([...good.subarray(0, from), ...middle, ...good.subarray(to)]));
        attempt(container(middle.length === 0 ? "{}" : `{${String.fromCharCode(...middle)}`, middle));
      }),
      { numRuns: 2_000 },
    );
  });

  test("any JSON as header ends in tensors or in a typed error", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (header) =>
        attempt(container(header, new Uint8Array(8))),
      ),
    );
  });

  function isRefused(bytes: Uint8Array): void {
    expect(thrown(() => parseSafetensors(bytes))).toBeInstanceOf(AegisError);
  }
});
