/** Paging: budgets, the order of uses, and giving way when backend memory runs out. */
import { describe, expect, it } from "vitest";
import { availableInstructionSets, createNativeBackend, createWasmBackend } from "../kernels/index.ts";
import { Context } from "./context.ts";
import { rotationElement } from "./galois.ts";
import { insecureRandomness, KeyGenerator } from "./key-generator.ts";
import { KeyStore } from "./key-store.ts";
import type { KeyName } from "./keys.ts";
import type { ParametersSpec } from "./parameters.ts";

const spec: ParametersSpec = {
  name: "insecure-paging",
  logN: 12,
  logBase: 58,
  logLevels: [50, 50],
  logSpecial: [29, 29],
  logScale: 50,
  secret: { kind: "ternary" },
  insecure: true,
};

async function store(maximumBytes: number | undefined, residentKeys: number, count: number) {
  const backend = await createWasmBackend(maximumBytes === undefined ? {} : { maximumBytes });
  const context = new Context(spec, backend);
  const generator = new KeyGenerator(context, insecureRandomness(1));
  using secret = generator.secretKey();
  const bytes = context.parameters.keyBytes(2).expanded * 1.1;
  const keys = new KeyStore(context, { residentBytes: residentKeys * bytes });
  const names: KeyName[] = [];
  for (let i = 1; i <= count; i++) {
    const key = generator.galoisKey(secret, rotationElement(i, context.parameters.degree));
    keys.add(key);
    names.push(key.name);
  }
  return { backend, context, keys, names, bytes };
}

/** Whether asking for a key pages it in. */
function misses(keys: KeyStore, name: KeyName): boolean {
  const before = keys.key(name, 2);
  return before !== keys.key(name, 2);
}

const native = (await availableInstructionSets().catch(() => [])).length > 0;
const inPlace = native ? it : it.skip;

describe("KeyStore", () => {
  it("keeps the key that comes next when it knows the order", async () => {
    const { keys, names } = await store(undefined, 2, 3);
    const [a, b, c] = names as [KeyName, KeyName, KeyName];
    keys.expect([a, b, c, a, b, c]);
    const first = keys.key(a, 2);
    keys.key(b, 2);
    keys.key(c, 2); // b is needed last of all
    expect(keys.key(a, 2)).toBe(first);
  });

  it("takes the least recently used out otherwise", async () => {
    const { keys, names } = await store(undefined, 2, 3);
    const [a, b, c] = names as [KeyName, KeyName, KeyName];
    const first = keys.key(a, 2);
    keys.key(b, 2);
    keys.key(c, 2);
    expect(keys.key(a, 2)).not.toBe(first);
    expect(misses(keys, a)).toBe(false);
  });

  it("gives several keys at once, as many as its budget holds, and pages as for one by one", async () => {
    for (const order of [undefined, [0, 1, 2, 3, 0, 1, 2, 3]]) {
      const { keys, names } = await store(undefined, 2, 4);
      if (order !== undefined) keys.expect(order.map((i) => names[i] as KeyName));
      const first = keys.keys(names, 2);
      expect(first).toHaveLength(2);
      for (const key of first) expect(key.a[0]?.isDisposed).toBe(false);
      const rest = keys.keys(names.slice(2), 2);
      expect(rest.length).toBeGreaterThan(0);
      for (const key of rest) expect(key.a[0]?.isDisposed).toBe(false);
      expect(keys.keys(names.slice(2, 2 + rest.length), 2)).toEqual(rest);
      expect(keys.keys([], 2)).toEqual([]);
    }
  });

  it("gives fewer keys when the backend has no room for more", async () => {
    const { backend, context, names, bytes } = await store(undefined, 100, 6);
    const limited = await createWasmBackend({ maximumBytes: Math.ceil(backend.memory().peak + 4 * bytes) });
    const small = new Context(spec, limited);
    const generator = new KeyGenerator(small, insecureRandomness(1));
    using secret = generator.secretKey();
    using held = new KeyStore(small, { residentBytes: 100 * bytes });
    for (let i = 1; i <= 6; i++) held.add(generator.galoisKey(secret, rotationElement(i, context.parameters.degree)));
    const taken = [];
    while (limited.memory().limit - limited.memory().used > 3 * bytes)
      taken.push(small.ring.poly(small.parameters.moduli(2), "ntt"));
    const given = held.keys(names, 2);
    expect(given.length).toBeGreaterThan(0);
    expect(given.length).toBeLessThan(4);
    for (const { a } of given) expect(a.every((half) => !half.isDisposed)).toBe(true);
    expect(held.keys(names.slice(given.length), 2).length).toBeGreaterThan(0);
    for (const poly of taken) poly.dispose();
  });

  inPlace(`leaves a half where it is stored${native ? "" : " (skipped: native kernels were not built)"}`, async () => {
    const { context, keys, names } = await store(undefined, 2, 1);
    const [name] = names as [KeyName];
    const both = keys.key(name, 2);
    const whole = keys.residentBytes;
    const backend = await createNativeBackend({ maximumBytes: 2 ** 28 });
    const other = new Context(spec, backend);
    const generator = new KeyGenerator(other, insecureRandomness(1));
    using secret = generator.secretKey();
    const made = generator.galoisKey(secret, rotationElement(1, context.parameters.degree));
    const share = (words: Uint32Array): Uint32Array => {
      const shared = new Uint32Array(new SharedArrayBuffer(words.byteLength));
      shared.set(words);
      return shared;
    };
    using held = new KeyStore(other);
    held.add({ ...made, b: made.b.map(share) });
    const before = backend.memory().used;
    const key = held.key(name, 2);
    expect(backend.memory().used - before).toBe(held.residentBytes);
    expect(2 * held.residentBytes).toBe(whole);
    expect([key.b.length, key.bStride]).toEqual([both.b.length, 4 * context.parameters.degree]);
  });

  it("gives way when the backend has no room, but not with the key in use", async () => {
    const { backend, context, keys, names, bytes } = await store(undefined, 100, 6);
    const limited = await createWasmBackend({ maximumBytes: Math.ceil(backend.memory().peak + 4 * bytes) });
    const small = new Context(spec, limited);
    const generator = new KeyGenerator(small, insecureRandomness(1));
    using secret = generator.secretKey();
    using held = new KeyStore(small, { residentBytes: 100 * bytes });
    for (let i = 1; i <= 6; i++) held.add(generator.galoisKey(secret, rotationElement(i, context.parameters.degree)));
    for (const name of names) held.key(name, 2);
    const current = held.key(names[5] as KeyName, 2);
    const taken = [];
    for (;;) {
      try {
        taken.push(small.ring.poly(small.parameters.moduli(2), "ntt"));
      } catch (error) {
        expect(error).toMatchObject({ code: "memory" });
        break;
      }
    }
    expect(current.a[0]?.isDisposed).toBe(false);
    for (const poly of taken) poly.dispose();
    keys.dispose();
  });
});
