/** Plans with all kinds of modes on devices in one thread: the words of one device, the bytes of the plan. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { uniforms } from "../../../test/support/ckks.ts";
import {
  choose,
  digestOfWords,
  LocalDevices,
  type PlanShape,
  planCases,
  planOf,
  prefer,
} from "../../../test/support/plan.ts";
import { parties, type SmallProgram, smallProgram } from "../../../test/support/run.ts";
import { gatherCiphertext, type WholeCiphertext } from "../../ckks/index.ts";
import { collectiveNames } from "../../kernels/index.ts";
import { bytesOf, type Mode, moduleNames, moduleOf, type Plan, verifyPlan } from "../../placement/index.ts";
import type { SentBytes } from "../fabric/ledger.ts";
import { digestOf, planRequirements } from "../index.ts";

/** Bytes that the steps of a plan say they send, by kind and by part of the model. */
function planned({ program }: SmallProgram, plan: Plan): SentBytes {
  const byCollective = Object.fromEntries(collectiveNames.map((name) => [name, 0])) as Record<string, number>;
  const byModule: Record<string, number> = Object.fromEntries(moduleNames.map((name) => [name, 0]));
  for (const step of plan.steps) {
    if (step.kind !== "transfer") continue;
    byCollective[step.collective] += bytesOf(step);
    byModule[moduleOf(program.operations[step.operation].path)] += bytesOf(step);
  }
  return { total: plan.steps.reduce((sum, step) => sum + bytesOf(step), 0), byCollective, byModule } as SentBytes;
}

function total(sent: readonly SentBytes[]): SentBytes {
  const sum = (pick: (bytes: SentBytes) => number): number => sent.reduce((all, bytes) => all + pick(bytes), 0);
  return {
    total: sum((bytes) => bytes.total),
    byCollective: Object.fromEntries(collectiveNames.map((name) => [name, sum((bytes) => bytes.byCollective[name])])),
    byModule: Object.fromEntries(moduleNames.map((name) => [name, sum((bytes) => bytes.byModule[name] ?? 0)])),
  } as SentBytes;
}

describe.each(planCases)("$title", (one) => {
  let small: SmallProgram;
  let devices: LocalDevices;
  let input: WholeCiphertext[];
  let expected: string[];

  beforeAll(async () => {
    small = await smallProgram(one);
    const { client, server, keys } = parties(small);
    const ciphertexts = client.encrypt(small.program, small.model.ids(one.length));
    input = ciphertexts.map(gatherCiphertext);
    const { output } = await server.infer(ciphertexts);
    expected = output.map((a) => digestOfWords(gatherCiphertext(a)));
    devices = await LocalDevices.open(small, keys, 4);
    // Kernels make their tables when they are first asked to: all that is used after this is the runs'.
    devices.run(planOf(small, prefer(small, "replicated"), { devices: 4, overlap: true }), input);
  });

  afterAll(() => {
    devices[Symbol.dispose]();
    small.backend.dispose();
  });

  async function check(modes: readonly Mode[], shape: PlanShape): Promise<void> {
    const plan = planOf(small, modes, shape);
    verifyPlan(small.program, digestOf(small.program), plan);
    const { output, sent, leaked } = devices.run(plan, input);
    expect(output).toEqual(expected);
    const bytes = planned(small, plan);
    expect(total(sent)).toEqual(bytes);
    const dry = await planRequirements(small.program, small.context.parameters, plan);
    expect(total(dry.sent)).toEqual(bytes);
    expect(leaked).toBe(0);
  }

  test("one device", () => check(prefer(small, "single"), { devices: 1, overlap: true }));

  // A second layer takes twice as long and shows what is new with several: blocks, and what goes from layer to layer.
  const twice = one.title.includes("two layers");
  const few: readonly [Mode[], PlanShape][] = [
    [["block"], { devices: 3, overlap: false }],
    [["summed-axis", "axis"], { devices: 4, overlap: true }],
    [["summed-block", "summed-axis", "block", "axis"], { devices: 2, overlap: true }],
    [["axis", "single"], { devices: 3, overlap: true, everywhere: true }],
  ];
  const more: readonly [Mode[], PlanShape][] = [
    [["replicated"], { devices: 2, overlap: true }],
    [["axis", "outputs"], { devices: 2, overlap: false }],
    [["axis", "outputs"], { devices: 3, overlap: true }],
    [["outputs", "single"], { devices: 2, overlap: true }],
    [["summed-axis", "axis"], { devices: 3, overlap: false }],
    [["summed-single", "single"], { devices: 3, overlap: true }],
  ];
  test.each(twice ? few : [...few, ...more])("%j on %j", (wishes, shape) => check(prefer(small, ...wishes), shape));

  test.each(twice ? [2] : [1, 2, 3])("modes at random, seed %i", (seed) => {
    const next = uniforms(seed);
    const modes = choose(small, (possible) => possible[Math.floor(next() * possible.length)] as Mode);
    return check(modes, { devices: 2 + (seed % 3), overlap: seed % 2 === 0 });
  });
});
