/**
 * The evaluator and bootstrapping on several ranks: the bytes of one device (or, where partial sums are
 * rounded each by itself, the same message), and exactly the communication that the plan says.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { bootstrappingKeys } from "../../src/circuits/index.ts";
import { Context, type EvaluationKey, Evaluator, Parameters, preset, rotationElement } from "../../src/ckks/index.ts";
import { gatherCiphertext, scatterCiphertext, type WholeCiphertext } from "../../src/ckks/whole-ciphertext.ts";
import { NullBackend } from "../../src/kernels/index.ts";
import { shardedBackend } from "../../src/kernels/sharded/backend.ts";
import { CountingCommunicator } from "../../src/kernels/sharded/counting.ts";
import { type ShardingName, shardingNames } from "../../src/kernels/sharded/sharding.ts";
import { Fixture, precision, randomVector } from "../support/ckks.ts";
import { thorough } from "../support/thorough.ts";
import { evaluate, type SentBytes, sentBy, type WorkloadResult, type WorkloadTask } from "./support/evaluator-tasks.ts";
import { runRanks } from "./support/ranks.ts";
import { BlankKeys, level, slots, Workload } from "./support/workload.ts";

const { spec } = preset("insecure-test");
const module = new URL("./support/evaluator-tasks.ts", import.meta.url);

/** Memory that threads share instead of copying. */
function shared(words: Uint32Array): Uint32Array {
  const copy = new Uint32Array(new SharedArrayBuffer(words.byteLength));
  copy.set(words);
  return copy;
}

let fixture: Fixture;
let keys: EvaluationKey[];
let inputs: WholeCiphertext[];
let expected: Record<string, readonly WholeCiphertext[]>;
/** Memory of one rank that holds everything. */
let wholeMemory: number;

beforeAll(async () => {
  fixture = await Fixture.make(spec, 11);
  const { context, generator, secret } = fixture;
  using workload = new Workload(context);
  const { bootstrapper } = workload;
  keys = [
    ...bootstrappingKeys(context, generator, secret, bootstrapper.rotations()),
    ...workload
      .rotations()
      .map((steps) => generator.galoisKey(secret, rotationElement(steps, context.parameters.degree), level)),
  ].map((key) => ({ ...key, b: key.b.map(shared) }));
  for (const key of keys) fixture.keys.add(key);
  const operands = [level, level, bootstrapper.inputLevel].map((at, k) => {
    using ciphertext = fixture.encrypt(randomVector(slots, k + 1), at);
    return gatherCiphertext(ciphertext);
  });
  inputs = operands;
  const steps = workload.steps(
    fixture.keys,
    operands.map((operand) => scatterCiphertext(context, operand)),
  );
  const task: WorkloadTask = { sharding: "limb", spec, keys, inputs };
  [{ used: wholeMemory }] = await runRanks<WorkloadTask, WorkloadResult>(1, module, evaluate.name, task);
  expected = Object.fromEntries(steps.map(({ name, run }) => [name, run().map((output) => gatherCiphertext(output))]));
});

/** What each step sends by the plan. */
function planned(sharding: ShardingName, size: number, rank: number): Record<string, SentBytes> {
  const parameters = new Parameters(spec);
  const communicator = new CountingCommunicator(rank, size);
  const backend = shardedBackend(new NullBackend(), communicator, { name: sharding, chain: parameters });
  const context = new Context(parameters, backend);
  using workload = new Workload(context);
  const keys = new BlankKeys(context);
  const evaluator = new Evaluator(context, keys);
  const steps = workload.steps(
    keys,
    inputs.map((input) => evaluator.zero(input.level, input.scale, slots)),
  );
  return Object.fromEntries(steps.map((step) => [step.name, sentBy(communicator, step)]));
}

/** Share of keys, plaintexts and ciphertexts that the fullest rank holds. */
function heldShare(sharding: ShardingName, size: number): number {
  const { specialCount, digits, primes } = fixture.context.parameters;
  if (sharding === "limb-ib") return (specialCount + (primes.length - specialCount) / size) / primes.length;
  return sharding === "limb-oa" ? Math.ceil(digits.length / size) / digits.length : 1 / size;
}

/** Bits to which two ciphertexts decrypt alike. */
function agreement(a: WholeCiphertext, b: WholeCiphertext): number {
  using first = scatterCiphertext(fixture.context, a);
  using second = scatterCiphertext(fixture.context, b);
  return precision(fixture.decryptor.decrypt(first), fixture.decryptor.decrypt(second)).mean;
}

function sameWords(a: WholeCiphertext, b: WholeCiphertext): boolean {
  const limbs = b.parts.flat();
  return a.parts
    .flat()
    .every((words, i) => Buffer.compare(Buffer.from(words.buffer), Buffer.from(limbs[i].buffer)) === 0);
}

describe.each(shardingNames)("%s", (sharding) => {
  test.each(thorough || sharding === "limb" ? [2, 4] : [2])("%i ranks", async (size) => {
    const task: WorkloadTask = { sharding, spec, keys, inputs };
    const ranks = await runRanks<WorkloadTask, WorkloadResult>(size, module, evaluate.name, task);
    for (const [name, outputs] of Object.entries(expected)) {
      for (const [k, output] of outputs.entries()) {
        const got = ranks[0].results[name][k];
        expect([got.level, got.scale, got.slots], name).toEqual([output.level, output.scale, output.slots]);
        if (sharding === "limb-oa")
          expect(agreement(got, output), name).toBeGreaterThan(name === "bootstrap" ? 20 : 30);
        else expect(sameWords(got, output), `${name}, result ${k}`).toBe(true);
      }
    }
    for (const [rank, { bytes, leaked, used }] of ranks.entries()) {
      expect(used / wholeMemory).toBeLessThan(heldShare(sharding, size) + 0.05);
      expect(bytes).toEqual(planned(sharding, size, rank));
      expect(leaked).toBe(0);
    }
  });
});
