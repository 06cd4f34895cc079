/** The bootstrap operation: several tensors at once, in pairs, an odd one alone. */
import { expect, test } from "vitest";
import { makeBoot } from "../../../test/support/bootstrapping.ts";
import { uniforms } from "../../../test/support/ckks.ts";
import { bootParameters } from "../../../test/support/transformer.ts";
import type { BootstrapOperation, Geometry, Tensor } from "../../program/index.ts";
import { Environment } from "./environment.ts";
import { executeOperation } from "./execute.ts";

const geometry: Geometry = {
  layout: "short",
  blocks: 1,
  babySteps: 1,
  tokens: 4,
  lanes: 8,
  width: 8,
  heads: 2,
  headSize: 4,
};
const slots = 32;
const constants = { weights: () => Promise.reject() as never };

function values(seed: number, magnitude: number): Float64Array {
  const next = uniforms(seed);
  return Float64Array.from({ length: slots }, () => magnitude * (2 * next() - 1));
}

test.each([7, 6])(
  "refreshes two tensors of three ciphertexts at different levels, 32 slots of a ring of 2^%i",
  async (logN) => {
    const { fixture, bootstrapper } = await makeBoot(bootParameters(logN).spec, slots, 3);
    fixture.keys.add(fixture.generator.relinearisationKey(fixture.secret));
    const environment = new Environment(fixture.evaluator, geometry, 3, bootstrapper);
    const low = bootstrapper.inputLevel;
    const plain = [[values(1, 1), values(2, 4)], [values(3, 2)]];
    const inputs = [plain[0].map((x) => fixture.encrypt(x, low)), plain[1].map((x) => fixture.encrypt(x, low + 2))];
    const target = bootstrapper.outputLevel - 1;
    const operation: BootstrapOperation = {
      id: 0,
      kind: "bootstrap",
      path: ["test"],
      inputs: ["a", "b"],
      outputs: ["a*", "b*"],
      depth: 0,
      level: low,
      target,
    };
    const results = executeOperation(
      environment,
      {
        tensors: {
          a: { blocks: 1, count: 2 },
          b: { blocks: 1, count: 1 },
          "a*": { blocks: 1, count: 2 },
          "b*": { blocks: 1, count: 1 },
        } as unknown as Record<string, Tensor>,
        geometry,
      },
      operation,
      inputs,
      constants,
    );
    expect(results.map((list) => list.length)).toEqual([2, 1]);
    for (const [i, list] of results.entries()) {
      for (const [j, a] of list.entries()) {
        expect(a.level).toBe(target);
        const { real } = fixture.decryptor.decrypt(a);
        const error = Math.max(...real.map((x, slot) => Math.abs(x - plain[i][j][slot])));
        // The sine's cubic error: 2^-23 times the cube of the magnitude.
        expect(error).toBeLessThan(2 ** -15);
      }
    }
    for (const list of inputs) for (const a of list) expect(a.level).toBeGreaterThanOrEqual(low);
  },
);

test("refuses without bootstrapping", async () => {
  const { fixture } = await makeBoot(bootParameters(6).spec, 8, 3);
  const environment = new Environment(fixture.evaluator, geometry, 3);
  const operation: BootstrapOperation = {
    id: 0,
    kind: "bootstrap",
    path: ["test"],
    inputs: ["a"],
    outputs: ["b"],
    depth: 0,
    level: 3,
    target: 5,
  };
  expect(() => executeOperation(environment, { tensors: {}, geometry }, operation, [[]], constants)).toThrow(
    /cannot bootstrap/,
  );
});
