/** Which geometry a text is compiled to. */
import { expect, test } from "vitest";
import { bootParameters, smallModel } from "../../test/support/transformer.ts";
import { slotsOf } from "../program/index.ts";
import { type CompileOptions, compile } from "./compile.ts";
import { referenceTimes } from "./costs/index.ts";
import { candidateGeometries, otherSteps } from "./geometries.ts";

const shape = { hidden: 8, heads: 2, inner: 16, tokens: 256 };
const { checkpoint, calibration } = smallModel({ ...shape, tokens: 16 });
const config = { ...checkpoint.config, maximumPositions: shape.tokens };
const parameters = bootParameters(9);
const length = 250;

function run(options: Partial<CompileOptions> = {}) {
  return compile(config, calibration, parameters, { length, times: referenceTimes, ...options });
}

const total = (seconds: readonly number[]): number => seconds.reduce((sum, s) => sum + s, 0);

test("a long text takes a geometry that no candidate beats by more than the weighing allows", () => {
  const { program, seconds } = run();
  expect(program.geometry.layout).toBe("long");
  const others = candidateGeometries(config, length, parameters.maximumSlots).flatMap((one) => [
    one,
    ...otherSteps(one),
  ]);
  expect(others).toHaveLength(5);
  const least = Math.min(...others.map((geometry) => total(run({ geometry }).seconds)));
  expect(total(seconds)).toBeLessThanOrEqual(1.05 * least);
});

test("the same text compiles to the same program, whatever the machine", () => {
  const times = { ...referenceTimes, ntt: 100 * referenceTimes.ntt, convert: 0 };
  expect(run({ times }).program).toEqual(run().program);
});

test("a geometry that is asked for is taken", () => {
  const [first] = candidateGeometries(config, length, parameters.maximumSlots);
  if (first === undefined) throw new Error("no candidate");
  const geometry = { ...first, babySteps: 1 };
  expect(run({ geometry }).program.geometry).toEqual(geometry);
  expect(slotsOf(geometry)).toBeLessThanOrEqual(parameters.maximumSlots);
});
