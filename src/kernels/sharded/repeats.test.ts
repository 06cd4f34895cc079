import { expect, test } from "vitest";
import { primes } from "../../../test/kernels/support.ts";
import type { Limbs } from "../backend.ts";
import { NullBackend } from "../null/backend.ts";
import { shardedBackend } from "./backend.ts";
import { CountingCommunicator } from "./counting.ts";
import { Repeats } from "./repeats.ts";
import { type PrimeChain, type ShardingName, shardingNames } from "./sharding.ts";

const logN = 6;
const moduli = primes(logN, 29, 8);
const all = moduli.map((_, m) => m);
const chain: PrimeChain = {
  logN,
  specialCount: 2,
  digits: [
    [0, 3],
    [3, 6],
  ],
};

/** One rank, and how often kernels really ran on it. */
function rankOf(name: ShardingName, rank: number, repeating: boolean) {
  const inner = new NullBackend();
  const communicator = new CountingCommunicator(rank, 2);
  const repeats = repeating ? new Repeats(inner, communicator) : undefined;
  const backend = shardedBackend(inner, communicator, { name, chain }, repeats && { repeats });
  const ring = backend.ring(logN, moduli);
  const limbs = (count = all.length): Limbs => ({ address: ring.allocate(count), moduli: all.slice(0, count) });
  return { inner, communicator, ring, limbs };
}

function run({ ring, limbs }: ReturnType<typeof rankOf>): void {
  for (let round = 0; round < 3; round++) {
    const [a, b, sum, other] = [limbs(), limbs(), limbs(), limbs()];
    for (const x of [a, b, sum, other]) ring.zero(x);
    ring.add(a, a, b);
    ring.multiplyScalar(b, a, new Uint32Array(all.length).fill(1));
    ring.multiplySumPair(sum, other, [a, b], [a, b], [b, a], round > 0, 0);
    ring.multiplySums([{ dst: [sum], a: [a], b: [[b]] }], true, 0);
    ring.inverseNtt(a);
    ring.forwardNtt(a);
    ring.automorphism(other, b, 5);
    for (const x of [a, b, sum, other]) ring.release(x.address, all.length);
  }
}

test.each(shardingNames)("%s: counts what really running would", (name) => {
  for (const rank of [0, 1]) {
    const [real, repeating] = [rankOf(name, rank, false), rankOf(name, rank, true)];
    run(real);
    run(repeating);
    expect(repeating.inner.work).toEqual(real.inner.work);
    expect(repeating.inner.calls).toBe(real.inner.calls);
    for (const counts of ["bytes", "bytesOfAll", "bytesByRank", "calls"] as const)
      expect(repeating.communicator[counts]).toEqual(real.communicator[counts]);
  }
});

test("what was counted is not run again", () => {
  const { inner, ring, limbs } = rankOf("limb", 0, true);
  const [first, second] = [limbs(), limbs()];
  ring.zero(first);
  const { used } = inner.memory();
  expect(used).toBeGreaterThan(0);
  ring.zero(second);
  expect(inner.memory().used).toBe(used); // it would take memory
  expect(inner.work.elementwise).toBe(2 * 4 * 2 ** logN);
});
