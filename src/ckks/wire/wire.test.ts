import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Fixture, precision, randomVector, wordsOf } from "../../../test/support/ckks.ts";
import { type Container, concatenate, containers, join, keyId } from "../../../test/support/containers.ts";
import { type Context, Evaluator, KeyStore } from "../index.ts";
import {
  deserializeCiphertext,
  deserializeEvaluationKey,
  deserializeParameters,
  keySetId,
  randomKeyId,
  readKeySet,
  serializeCiphertext,
  serializeParameters,
  wireBytes,
  writeKeySet,
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

describe("round trips", () => {
  test("every container reads back to the same bytes, also from an odd address", async () => {
    for (const { name, bytes, read } of list) {
      expect(await read(bytes), name).toEqual(bytes);
      const odd = new Uint8Array(bytes.length + 1);
      odd.set(bytes, 1);
      expect(await read(odd.subarray(1)), name).toEqual(bytes);
    }
  });

  test("a fresh secret-key encryption takes half the bytes and decrypts after the trip", () => {
    const values = randomVector(8, 5);
    using fresh = fixture.encrypt(values);
    const bytes = serializeCiphertext(context, fresh, keyId);
    expect(bytes.length).toBe(wireBytes(context, 3, true));
    using got = deserializeCiphertext(context, bytes, { keyId, level: 3 });
    expect(wordsOf(got)).toEqual(wordsOf(fresh));
    expect([got.level, got.scale, got.slots]).toEqual([fresh.level, fresh.scale, fresh.slots]);
    expect(precision(values, fixture.decryptor.decrypt(got)).minimum).toBeGreaterThan(18);
  });

  test("a ciphertext changed in place is written in full", () => {
    using fresh = fixture.encrypt([1, 2]);
    using other = fixture.encrypt([3, 4]);
    fixture.evaluator.accumulate(fresh, other, 1);
    const bytes = serializeCiphertext(context, fresh, keyId);
    expect(bytes.length).toBe(wireBytes(context, 3, false));
    using got = deserializeCiphertext(context, bytes);
    expect(fixture.decryptor.decrypt(got).real[0]).toBeCloseTo(4, 4);
  });

  test("a ciphertext of degree 2 is read only where it is asked for", () => {
    using a = fixture.encrypt([1, 2]);
    using square = fixture.evaluator.tensor(a, a);
    const bytes = serializeCiphertext(context, square, keyId);
    expect(() => deserializeCiphertext(context, bytes)).toThrow("ciphertext: degree 2, expected 1");
    using got = deserializeCiphertext(context, bytes, { degree: 2 });
    expect(wordsOf(got)).toEqual(wordsOf(square));
  });

  test("keys that were read evaluate as those that were written", async () => {
    const source = named("key set").bytes;
    using store = new KeyStore(context);
    for await (const key of readKeySet(context, source)) store.add(key);
    using a = fixture.encrypt([0.5, -0.25]);
    const other = new Evaluator(context, store);
    using expected = fixture.evaluator.multiply(a, a);
    using got = other.multiply(a, a);
    expect(wordsOf(got)).not.toEqual(wordsOf(expected)); // another encryption of the key
    expect(fixture.decryptor.decrypt(got).real[0]).toBeCloseTo(0.25, 4);
  });

  test("parameters", () => {
    const text = serializeParameters(context.parameters);
    expect(deserializeParameters(text).digest).toEqual(context.parameters.digest);
    expect(deserializeParameters(new TextEncoder().encode(text)).spec).toEqual(context.parameters.spec);
  });
});

describe("key sets as streams", () => {
  const pieces = (bytes: Uint8Array, size: number): Uint8Array[] =>
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));

  test.each([1, 7, 128, 1000, 1e6])("chunks of %i bytes, from arrays and web streams", async (size) => {
    const { bytes } = named("key set");
    const names = async (stream: Parameters<typeof readKeySet>[1]): Promise<string[]> => {
      const found: string[] = [];
      for await (const key of readKeySet(context, stream, { keyId })) found.push(key.name);
      return found;
    };
    expect(await names(pieces(bytes, size))).toEqual(["galois-31", "relinearisation"]);
    expect(await names(new Blob(pieces(bytes, size) as Uint8Array<ArrayBuffer>[]).stream())).toHaveLength(2);
    const queue = pieces(bytes, size);
    const read = async (): Promise<object> =>
      queue.length > 0 ? { value: queue.shift(), done: false } : { value: undefined, done: true };
    const plain = { getReader: () => ({ read, cancel: async () => {} }) };
    expect(await names(plain as unknown as ReadableStream<Uint8Array>)).toHaveLength(2);
  });

  test("the first key is there before the last bytes are", async () => {
    const { bytes } = named("key set");
    let sent = 0;
    async function* slow(): AsyncGenerator<Uint8Array> {
      for (const piece of pieces(bytes, 256)) {
        sent += piece.length;
        yield piece;
      }
    }
    const keys = readKeySet(context, slow());
    expect((await keys.next()).value?.name).toBe("galois-31");
    expect(sent).toBeLessThan(bytes.length / 2 + 256);
    await keys.return();
    expect(sent).toBeLessThan(bytes.length / 2 + 256);
  });

  test("a set is refused that is cut, repeated, miscounted, too large, aborted or of another key", async () => {
    const { bytes } = named("key set");
    const drain = async (stream: Uint8Array, options = {}): Promise<string> => {
      try {
        for await (const _ of readKeySet(context, stream, options));
      } catch (error) {
        return `${(error as { code: string }).code}: ${(error as Error).message}`;
      }
      return "read";
    };
    const end = bytes.length - 128;
    expect(await drain(bytes.subarray(0, end))).toMatch(/^format: key set: ends after \d+ bytes, before its end mark/);
    expect(await drain(bytes.subarray(0, end - 4))).toMatch(
      /^format: key set: ends after \d+ bytes, within digit 2 of key relin/,
    );
    const first = bytes.subarray(128, 128 + Number(new DataView(bytes.buffer).getBigUint64(128 + 16, true)));
    expect(await drain(concatenate([bytes.subarray(0, 128), first, first, bytes.subarray(end)]))).toContain(
      "holds galois-31 twice",
    );
    expect(await drain(concatenate([bytes.subarray(0, 128), first, bytes.subarray(end)]))).toContain(
      "holds 1 keys, its end mark says 2",
    );
    expect(await drain(concatenate([bytes, first]))).toContain(`bytes follow its end at ${bytes.length}`);
    expect(await drain(bytes, { maximumBytes: 2000 })).toMatch(
      /format: evaluation key: \d+ bytes, at most \d+ are accepted/,
    );
    expect(await drain(bytes, { signal: AbortSignal.abort() })).toContain("aborted: ");
    expect(await drain(bytes, { keyId: randomKeyId() })).toMatch(/^key: key set: belongs to key 00112233/);
    expect(keySetId(context, bytes)).toEqual(keyId);
    const foreign = await join(writeKeySet(context, [deserializeEvaluationKey(context, first)], randomKeyId()));
    expect(await drain(concatenate([bytes.subarray(0, 128), foreign.subarray(128)]))).toMatch(
      /^key: evaluation key: belongs to key/,
    );
    expect(await drain(bytes)).toBe("read");
  });

  test("a stream of something else is an error", async () => {
    const strings = ["no bytes"] as unknown as Uint8Array[];
    await expect(readKeySet(context, strings).next()).rejects.toThrow("expected a stream of Uint8Array chunks");
  });
});
