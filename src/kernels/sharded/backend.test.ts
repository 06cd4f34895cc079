import { expect, test } from "vitest";
import { primes } from "../../../test/kernels/support.ts";
import { NullBackend } from "../null/backend.ts";
import { shardedBackend } from "./backend.ts";
import { CountingCommunicator } from "./counting.ts";
import { isSharded } from "./exchanges.ts";
import { type PrimeChain, type ShardingName, shardingNames } from "./sharding.ts";

const logN = 6;
const moduli = primes(logN, 29, 8);
const chain: PrimeChain = {
  logN,
  specialCount: 2,
  digits: [
    [0, 3],
    [3, 6],
  ],
};

function rankOf(name: ShardingName, rank: number, size: number) {
  const inner = new NullBackend();
  const communicator = new CountingCommunicator(rank, size);
  return { inner, communicator, backend: shardedBackend(inner, communicator, { name, chain }) };
}

test.each(shardingNames)("%s: is named as what runs it, keeps rings, and refuses what it cannot cut", (name) => {
  const { backend, inner } = rankOf(name, 0, 2);
  expect(backend.name).toBe("null");
  const ring = backend.ring(logN, moduli);
  expect(backend.ring(logN, moduli)).toBe(ring);
  expect([ring.logN, ring.degree, ring.moduli, ring.backend]).toEqual([logN, 2 ** logN, moduli, backend]);
  expect(isSharded(ring)).toBe(true);
  expect(isSharded(inner.ring(logN, moduli))).toBe(false);
  expect(() => rankOf(name, 0, 31)).toThrow(expect.objectContaining({ code: "plan" }));
});

test.each([
  ["limb", [4, 4]],
  ["limb-ib", [5, 5]],
  ["limb-oa", [5, 5]],
  ["coefficient", [4, 4]],
] as const)("%s: memory is taken for what is held, when it is written", (name, limbs) => {
  for (const [rank, held] of limbs.entries()) {
    const { backend, inner } = rankOf(name, rank, 2);
    const ring = backend.ring(logN, moduli);
    const x = { address: ring.allocate(8), moduli: moduli.map((_, m) => m) };
    ring.zero(x);
    // Eight limbs of half the words have their padding as well.
    const bytes = name === "coefficient" ? 8 * (2 * 2 ** logN + 64) : held * (4 * 2 ** logN + 64);
    expect(inner.memory().used).toBe(bytes);
    ring.release(x.address, 8);
    expect(inner.memory().used).toBe(0);
  }
});

test("subrings of distributed coefficients are whole on every rank", () => {
  const { backend, inner } = rankOf("coefficient", 1, 4);
  expect(backend.ring(logN - 1, moduli)).toBe(inner.ring(logN - 1, moduli));
  expect(() => backend.ring(logN + 1, primes(logN + 1, 29, 1))).toThrow("coefficients are cut at degree 2^6");
});
