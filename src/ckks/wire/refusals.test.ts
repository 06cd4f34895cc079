import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { errorOf, Fixture, toySpec } from "../../../test/support/ckks.ts";
import { type Container, concatenate, containers, keyId, reseal } from "../../../test/support/containers.ts";
import { Ciphertext, type Context, type EvaluationKey } from "../index.ts";
import {
  deserializeCiphertext,
  deserializeEvaluationKey,
  deserializeParameters,
  deserializePublicKey,
  serializeCiphertext,
  serializeEvaluationKey,
  serializeParameters,
} from "./index.ts";

let fixture: Fixture;
let context: Context;
let list: Container[];
const named = (name: string): Container => list.find((container) => container.name === name) as Container;

beforeAll(async () => {
  ({ fixture, list } = await containers());
  ({ context } = fixture);
});
afterAll(() => context.backend.dispose());

const edited = (name: string, edit: (view: DataView) => void): Uint8Array => {
  const copy = named(name).bytes.slice();
  edit(new DataView(copy.buffer));
  return reseal(copy);
};

describe("refusals say what, where and why", () => {
  const parts = (bytes: Uint8Array): { code: string | undefined; message: string } => {
    const error = errorOf(() => deserializeCiphertext(context, bytes, { keyId }));
    expect(error.hint).toBeTruthy();
    return { code: error.code, message: error.message };
  };

  test.each<[string, (view: DataView) => void, string, string]>([
    ["magic", (v) => v.setUint8(5, 0), "format", "these are not serialised Aegis data"],
    ["version", (v) => v.setUint16(8, 2, true), "format", "format 2, this version reads format 1"],
    ["type", (v) => v.setUint16(10, 3, true), "format", "expected ciphertext, got evaluation key"],
    ["unknown type", (v) => v.setUint16(10, 99, true), "format", "got an unknown type 99"],
    [
      "length",
      (v) => v.setBigUint64(16, 2n ** 40n, true),
      "format",
      "states a length of 1099511627776 bytes, expected",
    ],
    ["digest", (v) => v.setUint8(30, 1 ^ v.getUint8(30)), "parameters", "made with other parameters than insecure-toy"],
    ["key id", (v) => v.setUint8(40, 1), "key", "belongs to key 01112233"],
    ["reserved", (v) => v.setUint8(60, 1), "format", "bytes 56 to 63 are not zero"],
    ["level", (v) => v.setUint32(64, 4, true), "format", "level 4, the parameters have levels 0 to 3"],
    ["level within", (v) => v.setUint32(64, 2, true), "format", "limbs, level 2 has 4"],
    ["parts", (v) => v.setUint8(68, 9), "format", "degree 8, expected 1"],
    ["no parts", (v) => v.setUint8(68, 0), "format", "degree -1, expected 1"],
    ["form", (v) => v.setUint8(69, 2), "format", "unknown form 2"],
    ["domain", (v) => v.setUint8(70, 0), "format", "unknown domain 0"],
    ["reserved fields", (v) => v.setUint8(71, 1), "format", "reserved bytes are not zero"],
    ["slots", (v) => v.setUint32(72, 3, true), "format", "slots: expected a power of two up to 8, got 3"],
    ["zero slots", (v) => v.setUint32(72, 0, true), "format", "slots: expected a power of two up to 8, got 0"],
    ["limbs", (v) => v.setUint32(76, 2 ** 31, true), "format", "2147483648 limbs, level 1 has 3"],
    ["scale", (v) => v.setFloat64(80, Number.NaN, true), "format", "scale NaN does not fit"],
    ["negative scale", (v) => v.setFloat64(80, -1, true), "format", "scale -1 does not fit"],
    ["large scale", (v) => v.setFloat64(80, 2 ** 100, true), "format", "scale 2^100.00 does not fit into the 2^84.0"],
    ["unused seed", (v) => v.setUint8(100, 1), "format", "has a seed that it does not use"],
    [
      "residue",
      (v) => v.setUint32(128, 2 ** 31, true),
      "format",
      "residue 0 of limb 0 of part 0 is 2147483648, not below its prime",
    ],
  ])("%s", (_, edit, code, message) => {
    const error = parts(edited("ciphertext", edit));
    expect(error.message).toContain(`ciphertext: `);
    expect(error.message).toContain(message);
    expect(error.code).toBe(code);
  });

  test("damage that looks right is found by the checksum", () => {
    const copy = named("ciphertext").bytes.slice();
    copy[200] ^= 1;
    expect(parts(copy).message).toBe("ciphertext: the checksum does not fit the bytes");
  });

  test("cut, extended, empty, or another file", () => {
    const { bytes } = named("ciphertext");
    expect(parts(bytes.subarray(0, 100)).message).toContain("ends after 100 bytes, within its header of 128");
    expect(parts(bytes.subarray(0, 200)).message).toContain(`ends after 200 of ${bytes.length} bytes`);
    expect(parts(concatenate([bytes, bytes])).message).toContain(
      `${bytes.length} bytes follow its end at ${bytes.length}`,
    );
    expect(parts(new Uint8Array(0)).message).toContain("ends after 0 bytes");
    expect(parts(new TextEncoder().encode("x".repeat(300))).message).toContain("not serialised Aegis data");
    expect(() => deserializeCiphertext(context, bytes, { maximumBytes: 300 })).toThrow("at most 300 are accepted");
    expect(() => deserializeCiphertext(context, bytes, { level: 2 })).toThrow(
      "ciphertext: at level 1 (scale 2^28.00), expected level 2",
    );
  });

  test("transparent ciphertexts are neither written nor read", () => {
    using zero = fixture.evaluator.zero(1, 2 ** 28, 8);
    expect(errorOf(() => serializeCiphertext(context, zero, keyId)).code).toBe("argument");
    const clear = edited("ciphertext", (view) => {
      const half = 128 + (view.byteLength - 128) / 2;
      for (let at = half; at < view.byteLength; at += 4) view.setUint32(at, 0);
    });
    expect(parts(clear).message).toContain("transparent");
  });

  test("a public key that is zero or of another level", () => {
    const zero = edited("public key", (view) => {
      for (let at = 128; at < view.byteLength; at += 4) view.setUint32(at, 0);
    });
    expect(() => deserializePublicKey(context, zero)).toThrow("it is zero");
    const level = edited("public key", (view) => view.setUint32(64, 1, true));
    expect(() => deserializePublicKey(context, level)).toThrow("public key: level 1 with 5 limbs, expected 3 with 5");
  });

  test.each<[string, (view: DataView) => void, string]>([
    ["kind", (v) => v.setUint32(64, 9, true), "unknown kind 9"],
    ["element", (v) => v.setUint32(68, 5, true), "Galois element 5 does not fit a relinearisation key"],
    ["even element", (v) => [v.setUint32(64, 4, true), v.setUint32(68, 6, true)], "Galois element 6 does not fit"],
    ["identity", (v) => [v.setUint32(64, 4, true), v.setUint32(68, 1, true)], "Galois element 1 does not fit"],
    ["element range", (v) => [v.setUint32(64, 4, true), v.setUint32(68, 33, true)], "Galois element 33 does not fit"],
    ["level", (v) => v.setUint32(72, 77, true), "level 77, the parameters have levels 0 to 3"],
    ["special primes", (v) => v.setUint32(76, 1, true), "1 special primes, expected 2 to 2"],
    ["digits", (v) => v.setUint32(80, 2 ** 32 - 1, true), "4294967295 digits of 7 limbs, expected 3 of 7 at level 3"],
  ])("evaluation key: %s", (_, edit, message) => {
    expect(() => deserializeEvaluationKey(context, edited("evaluation key", edit))).toThrow(message);
  });

  test("memory is given back after every refusal", async () => {
    const before = context.backend.memory().used;
    for (const { bytes, read } of list) {
      const copy = bytes.slice();
      copy[copy.length - 200] ^= 1;
      await expect(read(copy)).rejects.toThrow();
    }
    expect(context.backend.memory().used).toBe(before);
  });

  test("parameters that are not JSON, of another shape, edited, or above the limit", () => {
    const text = serializeParameters(context.parameters);
    const code = (input: string): string | undefined => errorOf(() => deserializeParameters(input)).code;
    expect(() => deserializeParameters(text.slice(0, 100))).toThrow("parameters: not JSON");
    expect(() => deserializeParameters(Uint8Array.of(0xff, 0xfe))).toThrow("parameters: not JSON");
    expect(() => deserializeParameters(" ".repeat(70_000))).toThrow("at most 65536 are accepted");
    expect(() => deserializeParameters(text.replace('"logN": 4', '"logN": 40'))).toThrow("parameters: spec.logN:");
    expect(code(text.replace('"logN": 4', '"logN": 5'))).toBe("parameters");
    expect(code(text.replace('"version": 1', '"version": 2'))).toBe("format");
    expect(code(text.replace('"logScale"', '"scale"'))).toBe("format");
    expect(code(text.replace('"insecure": true', '"insecure": false'))).toBe("security");
  });

  test("a ciphertext of other parameters", async () => {
    const other = await Fixture.make({ ...toySpec, name: "insecure-other", logLevels: [28, 28] }, 1);
    using a = other.encrypt([1]);
    const bytes = serializeCiphertext(other.context, a, keyId);
    const error = errorOf(() => deserializeCiphertext(context, bytes));
    expect(error.code).toBe("parameters");
    expect(() => serializeEvaluationKey(context, {} as EvaluationKey, new Uint8Array(3))).toThrow();
    expect(() => serializeCiphertext(context, new Ciphertext(a.parts, 1, 1, 8), new Uint8Array(3))).toThrow(
      "keyId: expected 16 bytes",
    );
  });
});
