/** One program on any number of devices, by any strategy: the same ciphertexts, and the bytes that were planned. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseProgram } from "../../src/program/index.ts";
import { buildDist } from "../support/build.ts";
import { modelFiles, type Shape, smallModel } from "../support/transformer.ts";
import { aegis, Folders, shape } from "./support.ts";

const folders = new Folders();

beforeAll(() => buildDist());

afterAll(() => folders[Symbol.dispose]());

interface Told {
  readonly outputDigest: string;
  readonly strategy: string;
  readonly devices: readonly { readonly bytesSent: number }[];
  readonly communication: { readonly plannedBytes: number; readonly measuredBytes: number };
  readonly label: string;
  readonly reference: { readonly label: string };
}

async function told(args: readonly string[]): Promise<Told> {
  const { code, stdout, stderr } = await aegis([...args, "--preset", "insecure-test", "--json"]);
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^(warning: .*\n)*$/)]);
  return JSON.parse(stdout) as Told;
}

/** A model, a text for it and a program that was compiled for this text. */
interface Compiled {
  readonly model: string;
  readonly text: string;
  readonly program: string;
}

async function compiled(of: Shape, text: string): Promise<Compiled> {
  const { config, model: weights, tokenizer } = modelFiles(of);
  const model = folders.model({
    "config.json": config,
    "model.safetensors": weights,
    "tokenizer.json": tokenizer,
    "calibration.json": JSON.stringify(smallModel(of).calibration),
  });
  const file = join(model, "text.txt");
  writeFileSync(file, text);
  const program = join(model, "program.json");
  const args = ["compile", "--model", model, "--file", file, "--preset", "insecure-test", "--out", program];
  const { code, stderr } = await aegis(args);
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^(warning: .*\n)*$/)]);
  return { model, text: file, program };
}

function run({ model, text, program }: Compiled, devices: number, strategy: string, ...more: string[]): Promise<Told> {
  const fixed = ["run", "--model", model, "--file", text, "--program", program, "--insecure-seed", "1"];
  return told([...fixed, "--devices", String(devices), "--strategy", strategy, ...more]);
}

function check(result: Told, devices: number, strategy: string): void {
  const { plannedBytes, measuredBytes } = result.communication;
  expect(measuredBytes).toBe(plannedBytes);
  expect(result.devices.reduce((sum, { bytesSent }) => sum + bytesSent, 0)).toBe(measuredBytes);
  expect([result.devices.length, result.strategy, result.label]).toEqual([devices, strategy, result.reference.label]);
}

describe("a short text", () => {
  let one: Compiled;
  let alone: Told;

  beforeAll(async () => {
    one = await compiled(shape, "good film");
    alone = await run(one, 1, "aegis");
    check(alone, 1, "aegis");
    expect(alone.communication.plannedBytes).toBe(0);
  });

  test.each<[number, string]>([
    [2, "aegis"],
    [2, "megatron"],
    [3, "tensor"],
    [2, "data"],
    [7, "aegis"], // more than there is work for
  ])("%d devices, %s", async (devices, strategy) => {
    const result = await run(one, devices, strategy);
    check(result, devices, strategy);
    expect(result.outputDigest).toBe(alone.outputDigest);
  });

  test("a plan from aegis plan, without overlap", async () => {
    const plan = join(one.model, "plan.json");
    const made = await told([
      ...["plan", "--model", one.model, "--program", one.program, "--no-overlap"],
      ...["--devices", "2", "--strategy", "tensor", "--out", plan],
    ]);
    const fixed = ["run", "--model", one.model, "--file", one.text, "--program", one.program, "--insecure-seed", "1"];
    const result = await told([...fixed, "--plan", plan]);
    check(result, 2, "tensor");
    expect(result.outputDigest).toBe(alone.outputDigest);
    const { strategies } = made as unknown as { strategies: { bytes: { total: number } }[] };
    expect(result.communication.plannedBytes).toBe(strategies[0]?.bytes.total);
  });
});

test("a text that takes the long layout", async () => {
  const one = await compiled({ hidden: 8, heads: 2, inner: 12, tokens: 128 }, "good film ".repeat(63).trim());
  const { geometry } = parseProgram(readFileSync(one.program, "utf8"));
  expect(geometry.layout).toBe("long");
  const [alone, two] = [await run(one, 1, "aegis"), await run(one, 2, "aegis")];
  check(alone, 1, "aegis");
  check(two, 2, "aegis");
  expect(two.communication.plannedBytes).toBeGreaterThan(0);
  expect(two.outputDigest).toBe(alone.outputDigest);
});
