/** Planned communication of single operations at full size against the formulas of the shardings. */
import { describe, expect, test } from "vitest";
import { type Ciphertext, Context, Evaluator, Parameters, preset } from "../../src/ckks/index.ts";
import { NullBackend } from "../../src/kernels/index.ts";
import {
  CountingCommunicator,
  type ShardingName,
  shardedBackend,
  shardingNames,
} from "../../src/kernels/sharded/index.ts";
import { BlankKeys } from "./support/workload.ts";

const parameters = new Parameters(preset("bootstrap-16").spec);
const level = 13;
const limb = 4 * parameters.degree;
const K = parameters.specialCount;
const L = parameters.limbs(level);
const kept = parameters.limbs(level - 1);
const D = parameters.digitsAt(level).length;

/** Bytes that n ranks send together. */
function bytes(sharding: ShardingName, n: number, run: (evaluator: Evaluator, a: Ciphertext) => Ciphertext[]): number {
  let total = 0;
  for (let rank = 0; rank < n; rank++) {
    const communicator = new CountingCommunicator(rank, n);
    const backend = shardedBackend(new NullBackend(), communicator, { name: sharding, chain: parameters });
    const context = new Context(parameters, backend);
    const evaluator = new Evaluator(context, new BlankKeys(context));
    using a = evaluator.zero(level, parameters.scale, parameters.maximumSlots);
    for (const result of run(evaluator, a)) result.dispose();
    total += communicator.total;
  }
  return total;
}

const rotate = (evaluator: Evaluator, a: Ciphertext): Ciphertext[] => [evaluator.rotate(a, 1)];
const product = (evaluator: Evaluator, a: Ciphertext): Ciphertext[] => [evaluator.multiplyRescale(a, a)];
const hoisted = (evaluator: Evaluator, a: Ciphertext): Ciphertext[] => {
  using digits = evaluator.hoist(a);
  return [1, 2, 3, 4].map((steps) => evaluator.rotateHoisted(digits, steps));
};

/** One all-gather of the input; ModDown gathers the limbs it divides by, unless all ranks hold them. */
const gathers = (n: number, input: number, dropped: number): number => (n - 1) * limb * (input + 2 * dropped);

describe.each([2, 3, 4])("%i ranks", (n) => {
  test("limb", () => {
    expect(bytes("limb", n, rotate)).toBe(gathers(n, L, K));
    expect(bytes("limb", n, product)).toBe(gathers(n, L, K + L - kept));
    expect(bytes("limb", n, hoisted)).toBe(gathers(n, L, 4 * K));
  });

  test("limb-ib: special primes are not sent, rotations of one input share its gather", () => {
    expect(bytes("limb-ib", n, rotate)).toBe(gathers(n, L, 0));
    expect(bytes("limb-ib", n, product)).toBe(gathers(n, L, L - kept));
    expect(bytes("limb-ib", n, hoisted)).toBe(gathers(n, L, 0));
  });

  test("limb-oa: two polynomials are sent by every digit's rank but the home of a limb", () => {
    const scatters = (limbs: number): number => 2 * limb * limbs * (Math.min(n, D) - 1);
    expect(bytes("limb-oa", n, rotate)).toBe(scatters(L));
    expect(bytes("limb-oa", n, product)).toBe(scatters(kept));
    expect(bytes("limb-oa", n, hoisted)).toBe(4 * scatters(L));
  });

  test.runIf(n !== 3)("coefficient: all but the own part of every limb that is transformed", () => {
    // One inverse transform of the input, forward ones of the digits but for their own limbs, both of ModDown.
    const transforms = L + D * (K + L) - L + 2 * (K + L);
    const exchanged = (transforms * limb * (n - 1)) / n;
    // 5 is 1 modulo 2n for two ranks: their values stay where they are.
    const moved = n === 2 ? 0 : 2 * L * limb;
    expect(bytes("coefficient", n, rotate)).toBe(exchanged + moved);
    expect(bytes("coefficient", n, product)).toBe(exchanged);
  });
});

test("one device sends nothing", () => {
  for (const sharding of shardingNames) expect(bytes(sharding, 1, product)).toBe(0);
});
