/** Runs that are put down between two steps and taken up by other devices. */
import { mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  digestOfWords,
  LocalDevices,
  type LocalRunners,
  planCases,
  planOf,
  prefer,
} from "../../../test/support/plan.ts";
import { parties, type SmallProgram, smallProgram } from "../../../test/support/run.ts";
import { gatherCiphertext, type WholeCiphertext } from "../../ckks/index.ts";
import type { Plan } from "../../placement/index.ts";
import { boundaries } from "./boundaries.ts";
import { restoreState, saveState } from "./checkpoint-state.ts";

let small: SmallProgram;
let devices: LocalDevices;
let input: WholeCiphertext[];
let expected: string[];
let directory: string;
let plan: Plan;

beforeAll(async () => {
  const one = planCases[1];
  small = await smallProgram(one);
  const { client, server, keys } = parties(small);
  const ciphertexts = client.encrypt(small.program, small.model.ids(one.length));
  input = ciphertexts.map(gatherCiphertext);
  const { output } = await server.infer(ciphertexts);
  expected = output.map((a) => digestOfWords(gatherCiphertext(a)));
  devices = await LocalDevices.open(small, keys, 2);
  directory = await mkdtemp(join(tmpdir(), "aegis-state-"));
  plan = planOf(small, prefer(small, "summed-axis", "axis"), { devices: 2, overlap: true });
});

afterAll(async () => {
  devices[Symbol.dispose]();
  small.backend.dispose();
  await rm(directory, { recursive: true });
});

function save({ runners }: LocalRunners, index: number): Promise<{ file: string; digest: string }[]> {
  return Promise.all(runners.map((runner, rank) => saveState(runner, directory, index, rank)));
}

async function restored(files: readonly { file: string }[]): Promise<LocalRunners> {
  const begun = devices.start(plan);
  for (const [rank, runner] of begun.runners.entries())
    await restoreState(runner, { context: () => devices.context(rank) }, join(directory, files[rank].file));
  return begun;
}

test("boundaries are where another block of the model begins", () => {
  const steps = boundaries(small.program, plan);
  expect(steps.length).toBeGreaterThan(3);
  expect(steps).toEqual([...new Set(steps)].sort((a, b) => a - b));
  const blockOf = (index: number): string =>
    small.program.operations[plan.steps[index].operation].path.slice(0, 2).join(" ");
  expect(new Set(steps.map(blockOf)).size).toBe(steps.length);
});

test("goes on with the same words, wherever it was put down", async () => {
  let running = devices.start(plan, input);
  let at = 0;
  // Between any two blocks, and once in the middle of one, where sums are alive.
  const stops = boundaries(small.program, plan);
  const sums = plan.steps.findIndex((step) => step.kind === "compute" && step.phase === "sums") + 1;
  let sumsSaved = 0;
  for (const stop of [...stops, sums].sort((a, b) => a - b)) {
    running.advance(at, stop);
    sumsSaved += running.runners.reduce((sum, runner) => sum + runner.sums.keys().length, 0);
    const files = await save(running, stop);
    running.dispose();
    running = await restored(files);
    at = stop;
  }
  expect(sumsSaved).toBeGreaterThan(0);
  running.advance(at, plan.steps.length);
  expect(running.takeOutput()).toEqual(expected);
  running.dispose();
});

describe("a file that is not right", () => {
  async function refusal(spoil: (path: string) => Promise<unknown>): Promise<void> {
    const begun = devices.start(plan, input);
    const files = await save(begun, 0);
    begun.dispose();
    const path = join(directory, files[0].file);
    await spoil(path);
    await expect(restored(files)).rejects.toMatchObject({ code: "format" });
  }

  test("cut off", () => refusal(async (path) => truncate(path, (await readFile(path)).length - 1)));
  test("empty", () => refusal((path) => truncate(path, 0)));
  test("something else", () => refusal((path) => writeFile(path, "x".repeat(100))));

  const magic = "aegis checkpoint 1\n";
  /** Changes the head, which is JSON after its length, and leaves the rest. */
  const headed = (change: (entries: Record<string, unknown>[]) => unknown) => async (path: string) => {
    const bytes = await readFile(path);
    const end = bytes.indexOf(10, magic.length);
    const length = Number(bytes.subarray(magic.length, end).toString());
    const entries = JSON.parse(bytes.subarray(end + 1, end + 1 + length).toString()) as Record<string, unknown>[];
    const head = JSON.stringify(change(entries));
    const rest = bytes.subarray(end + 1 + length);
    await writeFile(path, Buffer.concat([Buffer.from(`${magic}${head.length}\n${head}`), rest]));
  };
  const first = (changes: object) =>
    headed((entries) => entries.map((entry, i) => (i === 0 ? { ...entry, ...changes } : entry)));

  test("changed in nothing is right", async () => {
    const begun = devices.start(plan, input);
    const files = await save(begun, 0);
    begun.dispose();
    await headed((entries) => entries)(join(directory, files[0].file));
    (await restored(files)).dispose();
  });

  test.each<[string, (path: string) => Promise<unknown>]>([
    ["a head of hostile length", (path) => writeFile(path, `${magic}999999999999999\n[]`)],
    ["a head of no length", (path) => writeFile(path, `${magic}-1\n[]`)],
    ["a head that is no JSON", (path) => writeFile(path, `${magic}2\n[{`)],
    ["a head that is no list", headed(() => ({}))],
    ["polynomials of hostile number", first({ parts: 2 ** 40 })],
    ["moduli that are not there", first({ moduli: [9999] })],
    ["another level", first({ level: 0 })],
    ["a level of hostile size", first({ level: 2 ** 40 })],
    ["a scale that is no number", first({ scale: [0, 0x7ff80000] })],
    ["fewer values than the file has", headed((entries) => entries.slice(1))],
  ])("%s", (_, spoil) => refusal(spoil));

  test("residues that are none", () =>
    refusal(async (path) => {
      const bytes = await readFile(path);
      bytes.fill(0xff, bytes.length - 4);
      await writeFile(path, bytes);
    }));
});

test("a folder that cannot be written to", async () => {
  const begun = devices.start(plan, input);
  await expect(saveState(begun.runners[0], join(directory, "nowhere"), 0, 0)).rejects.toMatchObject({ code: "io" });
  begun.dispose();
});
