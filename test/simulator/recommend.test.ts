/** Recommendations: the rule, and that a deadline is met by what is chosen. */
import { beforeAll, expect, test } from "vitest";
import { builtinConfig } from "../../src/model/index.ts";
import type { Program } from "../../src/program/index.ts";
import { digestOf } from "../../src/runtime/index.ts";
import {
  forecastMargin,
  loadKernelSetting,
  loadProfile,
  type Profile,
  recommend,
  Study,
  type Wish,
} from "../../src/simulator/index.ts";
import { compile, referenceTimes, typicalCalibration } from "../../src/transformer/index.ts";
import { bootParameters } from "../support/transformer.ts";

const parameters = bootParameters(12);
let machines: Wish["machines"];
let study: Wish["study"];

beforeAll(async () => {
  const config = builtinConfig("bert-tiny", 128);
  const options = { length: 128, times: referenceTimes };
  const program: Program = compile(config, typicalCalibration(config), parameters, options).program;
  const kernels = await loadKernelSetting();
  const studies = new Map<string, Study>();
  study = (profile: Profile): Study => {
    const known =
      studies.get(profile.name) ??
      new Study({
        program,
        digest: digestOf(program),
        parameters,
        profile,
        kernels,
        memoryBytes: profile.memory.value,
      });
    studies.set(profile.name, known);
    return known;
  };
  machines = await Promise.all(
    ["a100-40", "h100"].map(async (name) => ({ profile: await loadProfile(name), most: 4 })),
  );
});

const secondsOf = (at: number, devices: number): number =>
  study(machines[at]?.profile as Profile).compare("aegis", devices).seconds;

test("a deadline that one device meets is met by one, the more modest of two", async () => {
  const deadline = 2 * Math.max(secondsOf(0, 1), secondsOf(1, 1));
  const { choice, others } = await recommend({ deadline, machines, study });
  expect(choice).toMatchObject({ devices: 1, profile: "a100-40", meetsDeadline: true });
  expect(others[0]).toMatchObject({ devices: 1, profile: "h100" });
});

test("a deadline that one device misses takes as few more as meet it, with something to spare", async () => {
  const [a100] = machines;
  const deadline = secondsOf(0, 2) * (1 + forecastMargin) * 1.001;
  const { choice, strategies } = await recommend({ deadline, machines: [a100 as Wish["machines"][number]], study });
  expect(choice).toMatchObject({ devices: 2, meetsDeadline: true });
  expect(strategies.map(({ strategy }) => strategy)).toContain("megatron");
  for (const { seconds } of strategies) expect(seconds).toBeGreaterThanOrEqual((choice?.seconds as number) * 0.94);
});

test("without a deadline the fastest is taken", async () => {
  const { choice, others } = await recommend({ machines, study });
  for (const { seconds } of others) expect(choice?.seconds).toBeLessThanOrEqual(seconds);
});

test("what nothing meets is said, with what comes nearest", async () => {
  const { choice, why, others } = await recommend({ deadline: 1e-3, machines, study });
  expect(choice).toBeUndefined();
  expect(others.every(({ meetsDeadline }) => !meetsDeadline)).toBe(true);
  expect(why).toMatch(/^nothing takes less than 0.001 s .* nearest is 1 × h100 with/);
});
