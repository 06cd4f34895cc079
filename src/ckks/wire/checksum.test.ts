import { describe, expect, test } from "vitest";
import { Checksum } from "./checksum.ts";

/** XXH32 as its specification reads, on bigint, for any length. */
function xxh32(bytes: Uint8Array, seed: bigint): number {
  const mask = 0xffffffffn;
  const [p1, p2, p3, p4, p5] = [0x9e3779b1n, 0x85ebca77n, 0xc2b2ae3dn, 0x27d4eb2fn, 0x165667b1n];
  const rotate = (x: bigint, r: bigint): bigint => ((x << r) | (x >> (32n - r))) & mask;
  const word = (at: number): bigint => BigInt(new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true));
  let h = (seed + p5) & mask;
  let at = 0;
  if (bytes.length >= 16) {
    const lanes = [seed + p1 + p2, seed + p2, seed, seed - p1].map((lane) => lane & mask);
    for (; at + 16 <= bytes.length; at += 16) {
      for (let i = 0; i < 4; i++) lanes[i] = (rotate((lanes[i] + word(at + 4 * i) * p2) & mask, 13n) * p1) & mask;
    }
    h = (rotate(lanes[0], 1n) + rotate(lanes[1], 7n) + rotate(lanes[2], 12n) + rotate(lanes[3], 18n)) & mask;
  }
  h = (h + BigInt(bytes.length)) & mask;
  for (; at + 4 <= bytes.length; at += 4) h = (rotate((h + word(at) * p3) & mask, 17n) * p4) & mask;
  for (; at < bytes.length; at++) h = (rotate((h + BigInt(bytes[at]) * p5) & mask, 11n) * p1) & mask;
  h = ((h ^ (h >> 15n)) * p2) & mask;
  h = ((h ^ (h >> 13n)) * p3) & mask;
  return Number(h ^ (h >> 16n));
}

describe("XXH32", () => {
  test("the definition gives the published values", () => {
    expect(xxh32(new Uint8Array(0), 0n)).toBe(0x02cc5d05);
    expect(xxh32(new TextEncoder().encode("Nobody inspects the spammish repetition"), 0n)).toBe(0xe2293b2f);
  });

  test.each([16, 32, 48, 1024])("agrees with the definition over %i bytes, in one piece and in several", (length) => {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 167 + (i >> 3)) & 255);
    const words = new Uint32Array(bytes.buffer);
    for (const seed of [0, 1, 65537, 2 ** 32 - 1]) {
      const expected = xxh32(bytes, BigInt(seed));
      expect(new Checksum(seed).update(words).digest()).toBe(expected);
      const cut = 4 * Math.floor(words.length / 8);
      expect(new Checksum(seed).update(words.subarray(0, cut)).update(words.subarray(cut)).digest()).toBe(expected);
    }
  });

  test("every change within one word is found", () => {
    const words = Uint32Array.from({ length: 64 }, (_, i) => Math.imul(i, 2654435761));
    const sum = new Checksum(7).update(words).digest();
    for (let i = 0; i < words.length; i++) {
      for (let bit = 0; bit < 32; bit++) {
        words[i] ^= 1 << bit;
        expect(new Checksum(7).update(words).digest()).not.toBe(sum);
        words[i] ^= 1 << bit;
      }
    }
  });
});
