/** What compiling expects of a long program against a dry run of the plan that one device follows. */
import { expect, test } from "vitest";
import { singlePlan } from "../../src/placement/index.ts";
import type { Part } from "../../src/program/index.ts";
import { requirements } from "../../src/runtime/index.ts";
import { chunksOf } from "../../src/transformer/chunks.ts";
import { longGeometry } from "../../src/transformer/geometries.ts";
import { compile, referenceTimes, secondsOf } from "../../src/transformer/index.ts";
import { bootParameters, smallModel } from "../support/transformer.ts";

const { checkpoint, calibration } = smallModel({ hidden: 12, heads: 3, inner: 20, tokens: 16 });
const config = { ...checkpoint.config, maximumPositions: 256 };
const parameters = bootParameters(9);
const geometry = longGeometry(config, 100, parameters.maximumSlots, 32);
const { program, seconds } = compile(config, calibration, parameters, { length: 100, times: referenceTimes, geometry });

test("operations are taken in the chunks of the plan of one device", () => {
  const chunkBytes = 2 ** 18;
  const planned = new Map<number, Part[]>();
  for (const step of singlePlan(program, parameters, { chunkBytes }).steps) {
    if (step.kind !== "compute") continue;
    planned.set(step.operation, [...(planned.get(step.operation) ?? []), step.parts[0] as Part]);
  }
  let most = 0;
  for (const [index, operation] of program.operations.entries()) {
    if (operation.kind !== "linear" && operation.kind !== "scores") continue;
    const chunks = chunksOf(program, operation, parameters, chunkBytes);
    expect(chunks).toEqual(planned.get(index));
    most = Math.max(most, chunks.length);
  }
  expect(most).toBeGreaterThan(2);
});

test("the forecast is what a dry run counts, within 1 %", async () => {
  const { work } = await requirements(program, parameters);
  const forecast = seconds.reduce((sum, s) => sum + s, 0);
  expect(Math.abs(forecast / secondsOf(work, referenceTimes) - 1)).toBeLessThan(0.01);
});
