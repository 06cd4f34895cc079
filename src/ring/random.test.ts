import { createCipheriv } from "node:crypto";
import { describe, expect, test } from "vitest";
import { chiSquare, chiSquareBound } from "../../test/support/statistics.ts";
import { createBackend } from "../kernels/index.ts";
import { PrimeSupply } from "./primes.ts";
import {
  expansionState,
  expansionVersion,
  fillRandom,
  randomSeed,
  SecureWords,
  SeededWords,
  seedBytes,
} from "./random.ts";

const seed = Uint8Array.from({ length: seedBytes }, (_, i) => i);
const take = (source: { next(): number }, count: number): number[] =>
  Array.from({ length: count }, () => source.next());

/** The key stream as OpenSSL makes it: 32-bit counter, then the nonce of version, domain and stream. */
function reference(domain: number, [first, second]: readonly [number, number], count: number): number[] {
  const iv = Buffer.alloc(16);
  iv.writeUInt8(expansionVersion, 4);
  iv.writeUInt8(domain, 5);
  iv.writeUInt32LE(first, 6);
  iv.writeUInt32LE(second, 10);
  const bytes = createCipheriv("chacha20", seed, iv).update(Buffer.alloc(4 * count));
  return Array.from({ length: count }, (_, i) => bytes.readUInt32LE(4 * i));
}

describe("seed expansion", () => {
  test("gives the stored words: a change would make old keys unreadable", () => {
    expect(expansionVersion).toBe(1);
    expect(take(new SeededWords(seed, 1, [5, 2]), 8)).toEqual([
      3545040343, 359596612, 3108360441, 1583610298, 550609588, 1391121774, 1191723836, 2559181119,
    ]);
  });

  test.each<[number, [number, number]]>([
    [1, [0, 0]],
    [2, [70_000, 16_000_000]],
    [255, [2 ** 32 - 1, 2 ** 24 - 1]],
  ])("is ChaCha20, domain %i, stream %j", (domain, stream) => {
    const count = 40_000; // more than one chunk
    expect(take(new SeededWords(seed, domain, stream), count)).toEqual(reference(domain, stream, count));
  });

  test("every domain, stream and seed has words of its own", () => {
    const other = seed.slice();
    other[31] ^= 1;
    const streams = [
      new SeededWords(seed, 1, [0, 0]),
      new SeededWords(seed, 2, [0, 0]),
      new SeededWords(seed, 1, [1, 0]),
      new SeededWords(seed, 1, [0, 1]),
      new SeededWords(seed, 1, [256, 0]),
      new SeededWords(other, 1, [0, 0]),
    ];
    const words = streams.flatMap((stream) => take(stream, 64));
    expect(new Set(words).size).toBeGreaterThan(words.length - 3);
  });

  test.each([24.1, 25, 29, 29.1, 29.9])("residues of a prime of %d bits are uniform", async (bits) => {
    const q = new PrimeSupply(14).takeNearest(2 ** bits);
    const backend = await createBackend("wasm");
    const ring = backend.ring(14, [q]);
    const residues = new Uint32Array(2 ** 18);
    const limb = { address: ring.allocate(1), moduli: [0] };
    for (let i = 0; i < 16; i++) {
      ring.uniform(limb, expansionState(seed, 2, [q % 7, i]));
      ring.read(limb, 0, residues.subarray(i * ring.degree, (i + 1) * ring.degree));
    }
    backend.dispose();
    const buckets = 64;
    const counts = new Float64Array(buckets);
    let largest = 0;
    for (const x of residues) {
      counts[Math.floor((x / q) * buckets)]++;
      largest = Math.max(largest, x);
    }
    expect(largest).toBeLessThan(q);
    expect(largest).toBeGreaterThan(q * (1 - 2 ** -14));
    expect(chiSquare(counts, new Float64Array(buckets).fill(residues.length / buckets))).toBeLessThan(
      chiSquareBound(buckets - 1),
    );
    const low = new Float64Array(8); // the lowest bits too
    for (const x of residues) low[x & 7]++;
    expect(chiSquare(low, new Float64Array(8).fill(residues.length / 8))).toBeLessThan(chiSquareBound(7));
  });

  test("residues are the key stream's words below the largest multiple of the prime, modulo it", async () => {
    const q = 536903681; // just above 2^29: one word in eight is refused
    const words = take(new SeededWords(seed, 1, [3, 4]), 4096 * 2).filter((word) => word < 7 * q);
    for (const name of ["wasm", "reference"] as const) {
      const backend = await createBackend(name);
      const ring = backend.ring(12, [q]);
      const limb = { address: ring.allocate(1), moduli: [0] };
      const got = new Uint32Array(ring.degree);
      ring.uniform(limb, expansionState(seed, 1, [3, 4]));
      ring.read(limb, 0, got);
      expect([...got]).toEqual(words.slice(0, ring.degree).map((word) => word % q));
      backend.dispose();
    }
  });
});

describe("the platform's randomness", () => {
  test("fills arrays larger than one call allows", () => {
    const words = new Uint32Array(50_000);
    fillRandom(words);
    for (let at = 0; at < words.length; at += 1000)
      expect(words.subarray(at, at + 1000).some((word) => word !== 0)).toBe(true);
  });

  test("words are uniform in every byte and never repeat", () => {
    const source = new SecureWords();
    const count = 2 ** 17;
    const bytes = Array.from({ length: 4 }, () => new Float64Array(256));
    const seen = new Set<number>();
    for (let i = 0; i < count; i++) {
      const word = source.next();
      seen.add(word);
      for (let k = 0; k < 4; k++) bytes[k][(word >>> (8 * k)) & 255]++;
    }
    // 2^17 words collide in about 2 pairs.
    expect(seen.size).toBeGreaterThan(count - 20);
    for (const counts of bytes) {
      expect(chiSquare(counts, new Float64Array(256).fill(count / 256))).toBeLessThan(chiSquareBound(255, 7));
    }
  });

  test("seeds are 32 bytes and differ", () => {
    const seeds = new Set(Array.from({ length: 100 }, () => randomSeed().join()));
    expect(seeds.size).toBe(100);
    expect(randomSeed()).toHaveLength(seedBytes);
  });
});
