import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { at, depthSpec, Fixture, randomVector, sharedBackend, tabulate, wordsOf } from "../../test/support/ckks.ts";
import { Ciphertext, type ComplexVector, Evaluator, rotationElement } from "../ckks/index.ts";
import { RotationChain } from "./rotation-chain.ts";

const slots = 128;
const level = 2;
const step = 8;
let fixture: Fixture;

beforeAll(async () => {
  fixture = await Fixture.make({ ...depthSpec, logN: 8, logLevels: [50, 50, 50] }, 72);
  fixture.addRotations([1, 5, step, -step]);
});
afterAll(async () => (await sharedBackend()).dispose());

function rotated(x: ComplexVector, steps: number): ComplexVector {
  return tabulate(slots, (j) => at(x, (((j + steps) % slots) + slots) % slots));
}

function words(chain: RotationChain, j: number, steps: number): number[][] {
  using a = chain.at(j).rotate(steps);
  return wordsOf(new Ciphertext(a.parts, a.level, a.scale, a.slots));
}

describe("rotations in two levels", () => {
  test.each([0, 1, 3, -1, -2])("by %i·8 + r are what the slots say", (j) => {
    const x = randomVector(slots, 3);
    using a = fixture.encrypt(x, 3);
    using chain = new RotationChain(fixture.evaluator, a, level, slots, step);
    for (const r of [0, 1, 5]) {
      const turn = chain.at(j);
      using made = r === 0 ? undefined : turn.rotate(r);
      const result = fixture.evaluator.modDown(made ?? turn.extended);
      expect(result.level).toBe(level);
      expect(fixture.bits(result, rotated(x, j * step + r)).minimum, `${j}·${step} + ${r}`).toBeGreaterThan(30);
    }
  });

  test("have the same bytes whichever others are made, and when", () => {
    using a = fixture.encrypt(randomVector(slots, 4), level);
    using alone = new RotationChain(fixture.evaluator, a, level, slots, step);
    using one = new RotationChain(fixture.evaluator, a, level, slots, step);
    words(one, 1, 5);
    words(one, -1, 1);
    one.at(1).settle();
    one.keepFor([3, -2]);
    for (const j of [3, -2]) expect(words(one, j, 1)).toEqual(words(alone, j, 1));
  });

  test("ask for the keys of ±step and of r", () => {
    const asked = new Set<string>();
    const { context, keys } = fixture;
    const evaluator = new Evaluator(context, {
      keys: (names, at) => {
        for (const name of names) asked.add(name);
        return keys.keys(names, at);
      },
    });
    using a = fixture.encrypt(randomVector(slots, 5), level);
    using chain = new RotationChain(evaluator, a, level, slots, step);
    for (const j of [2, -3]) chain.at(j).rotate(5)[Symbol.dispose]();
    const names = [step, -step, 5].map((k) => `galois-${rotationElement(k, context.parameters.degree)}`);
    expect([...asked].sort()).toEqual(names.sort());
  });
});

test("memory: what later turns need is kept, all is given back", () => {
  using a = fixture.encrypt(randomVector(slots, 6), level);
  const { backend } = fixture.context;
  // What rings and contexts keep for good, made before.
  new RotationChain(fixture.evaluator, a, level, slots, step).at(2)[Symbol.dispose]();
  const before = backend.memory().used;
  const chain = new RotationChain(fixture.evaluator, a, level, slots, step);
  const begun = backend.memory().used;
  for (const j of [1, 2]) chain.at(j);
  chain.at(0).extended;
  for (const j of [0, 1, 2]) chain.at(j).settle();
  chain.keepFor([-1]);
  expect(backend.memory().used).toBe(begun);
  chain[Symbol.dispose]();
  expect(backend.memory().used).toBe(before);
});
