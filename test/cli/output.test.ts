/** What commands print, and where. */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseProgram } from "../../src/program/index.ts";
import { buildDist, command } from "../support/build.ts";
import { aegis, CallsInTurn, Folders } from "./support.ts";

const folders = new Folders();
const calls = new CallsInTurn();
let model: string;

beforeAll(async () => {
  await buildDist();
  model = folders.model();
});

afterAll(() => {
  calls[Symbol.dispose]();
  folders[Symbol.dispose]();
});

const number = expect.any(Number) as number;
const warning = "warning: parameters insecure-test give no security: for tests only\n";
const escapeCode = /\u001b/;

describe("aegis run", () => {
  test("--json: one object with all that was promised, nothing else on stdout", async () => {
    const { code, stdout, stderr } = await aegis([
      "run",
      "--model",
      model,
      "--text",
      "good film",
      "--preset",
      "insecure-test",
      "--json",
    ]);
    expect([code, stderr]).toEqual([0, warning]);
    const result = JSON.parse(stdout) as Record<string, unknown> & {
      logits: number[];
      twin: { logits: number[] };
      maxError: number;
      label: string;
    };
    expect(result).toMatchObject({
      model: expect.any(String),
      tokens: 4,
      label: expect.stringMatching(/^(YES|NO)$/),
      logits: [number, number],
      reference: { label: result.label, logits: [number, number] },
      twin: { logits: [number, number] },
      maxError: number,
      security: { bits: 0, logN: 11, logQP: number, secret: "uniform ternary" },
      seconds: { keys: number, encrypt: number, inference: number, decrypt: number, total: number },
      counts: { bootstraps: number, keySwitches: number, multiplications: number, rotations: number },
      memory: { peakBytes: number, keyBytes: number },
      backend: expect.stringMatching(/^(native|wasm)$/),
    });
    const differences = result.logits.map((logit, i) => Math.abs(logit - result.twin.logits[i]));
    expect(result.maxError).toBeCloseTo(Math.max(...differences), 12);
    expect(result.maxError).toBeLessThan(2 ** -10);
  });

  test("for people: label, error, security; no escape codes without a terminal or with NO_COLOR", async () => {
    const text = join(model, "text.txt");
    writeFileSync(text, "bad film\n");
    const { code, stdout, stderr } = await aegis(
      ["run", "--model", model, "--file", text, "--preset", "insecure-test"],
      { NO_COLOR: "1" },
    );
    expect([code, stderr]).toEqual([0, warning]);
    expect(stdout).toMatch(/label +(YES|NO) .*computed on ciphertexts/);
    expect(stdout).toMatch(/security +none: N = 2\^11/);
    expect(stdout).not.toMatch(escapeCode);
  });
});

describe("aegis compile", () => {
  test("--json and --out: what a run will need", async () => {
    const folder = folders.folder({});
    const out = join(folder, "program.json");
    const { code, stdout, stderr } = await aegis([
      "compile",
      "--model",
      model,
      "--tokens",
      "4",
      "--preset",
      "insecure-test",
      "--json",
      "--out",
      out,
    ]);
    expect([code, stderr]).toEqual([0, warning]);
    const result = JSON.parse(stdout) as {
      bootstraps: unknown[];
      keys: unknown[];
      operations: unknown[];
      program: unknown;
      tokens: number;
    };
    expect(result).toMatchObject({
      tokens: 4,
      verified: true,
      expectedSeconds: number,
      ciphertexts: number,
      counts: { bootstraps: number, keySwitches: number },
      memory: { workBytes: number, keyBytes: number, compressedKeyBytes: number },
    });
    expect(result.bootstraps[0]).toMatchObject({
      place: expect.stringContaining("layer 0 → "),
      refreshes: [expect.any(String)],
      from: number,
      to: number,
    });
    expect(result.keys[0]).toMatchObject({ name: expect.any(String), level: number, bytes: number });
    expect(result.operations[0]).toMatchObject({
      path: ["client", "input"],
      level: number,
      depth: 0,
      outputs: [{ name: "embeddings", level: number }],
    });
    expect(readdirSync(folder)).toEqual(["program.json"]);
    expect(parseProgram(readFileSync(out, "utf8"))).toEqual(parseProgram(result.program));
  });

  test("for people: the program, bootstraps, keys, memory, time", async () => {
    const { code, stdout } = await aegis(["compile", "--model", model, "--tokens", "4", "--preset", "insecure-test"]);
    expect(code).toBe(0);
    for (const line of [
      /^program for 4 of 4 tokens/m,
      /^bootstraps +\d+$/m,
      /^keys +\d+: .* on the wire$/m,
      /^memory /m,
      /^time /m,
    ])
      expect(stdout).toMatch(line);
    expect(stdout).not.toMatch(escapeCode);
  });
});

test("aegis params: every preset, as a table and as JSON", async () => {
  const [people, machine] = await Promise.all([aegis(["params"]), aegis(["params", "--json", "--depth", "5"])]);
  expect(people.stdout).toMatch(/bootstrap-16.*128-bit/);
  expect(people.stdout).not.toMatch(escapeCode);
  const { presets, suggestion } = JSON.parse(machine.stdout) as { presets: { name: string }[]; suggestion: unknown };
  expect(presets.map(({ name }) => name)).toContain("insecure-test");
  expect(suggestion).toMatchObject({ name: expect.any(String), reasons: expect.any(Array) });
  expect([people.stderr, machine.stderr]).toEqual(["", ""]);
});

test("aegis calibrate writes a calibration that compile takes, and nothing else", async () => {
  const fresh = folders.model({ "calibration.json": undefined, "texts.txt": "good film\nbad film\na good bad film\n" });
  const { code, stdout, stderr } = await aegis([
    "calibrate",
    "--model",
    fresh,
    "--texts",
    join(fresh, "texts.txt"),
    "--json",
  ]);
  expect([code, stderr]).toEqual([0, ""]);
  expect(JSON.parse(stdout)).toEqual(JSON.parse(readFileSync(join(fresh, "calibration.json"), "utf8")));
  expect(readdirSync(fresh).sort()).toEqual([
    "calibration.json",
    "config.json",
    "model.safetensors",
    "texts.txt",
    "tokenizer.json",
  ]);
  const compiled = await aegis([
    "compile",
    "--model",
    fresh,
    "--text",
    "good film",
    "--preset",
    "insecure-test",
    "--json",
  ]);
  expect(compiled.code).toBe(0);
});

test("aegis recommend: within a budget, and by a deadline that nothing meets", async () => {
  const recommend = (...args: string[]) =>
    calls.call([
      "recommend",
      "--model",
      model,
      "--preset",
      "insecure-test",
      "--tokens",
      "4",
      "--budget",
      "2x a100-40",
      ...args,
    ]);
  const { code, stdout, stderr } = await recommend("--json");
  expect([code, stderr]).toEqual([0, warning]);
  const result = JSON.parse(stdout);
  expect(result.recommendation).toMatchObject({ profile: "a100-40", strategy: "aegis", seconds: number, fits: true });
  expect(result.why).toMatch(/^the fastest that fits/);
  for (const { seconds } of result.others) expect(result.recommendation.seconds).toBeLessThanOrEqual(seconds);
  const late = await recommend("--deadline", "0.001s");
  expect(late.code).toBe(1);
  expect(late.stdout).toMatch(/nothing takes less than 0.001 s/);
});

describe("aegis simulate", () => {
  const simulate = (...args: string[]) =>
    calls.call(["simulate", "--model", model, "--preset", "insecure-test", "--tokens", "4", "--devices", "2", ...args]);

  test("--json: what one strategy takes, beside one device", async () => {
    const { code, stdout, stderr } = await simulate("--json");
    expect([code, stderr]).toEqual([0, warning]);
    const result = JSON.parse(stdout);
    expect(result).toMatchObject({
      tokens: 4,
      devices: 2,
      profile: "a100-40",
      strategy: "aegis",
      seconds: number,
      memoryPerDevice: { activations: number, workspace: number, keys: number, total: number },
      memoryReduction: number,
      bytes: { total: number, feedForward: number, selfAttention: number },
      exposedCommFraction: number,
      breakdown: { computeByModule: { feedForward: number, selfAttention: number, other: number }, exposed: number },
      fits: true,
    });
    expect(result.speedup).toBeCloseTo(result.oneDeviceSeconds / result.seconds, 12);
    expect(result.efficiency).toBeCloseTo(result.speedup / 2, 12);
    expect(result.speedup).toBeGreaterThan(0);
    const { computeByModule, computeByOperation, exposed } = result.breakdown;
    const total = (seconds: Record<string, number>): number =>
      Object.values(seconds).reduce((sum, one) => sum + one, 0);
    expect(total(computeByModule)).toBeCloseTo(total(computeByOperation), 9);
    expect(total(computeByModule) + exposed).toBeCloseTo(result.seconds, 6);
  });

  test("--trace: a timeline in a file, and no other output than without", async () => {
    const trace = join(folders.folder({}), "trace.json");
    const { code, stdout } = await simulate("--trace", trace);
    expect([code, stdout]).toEqual([0, (await simulate()).stdout]);
    const { traceEvents } = JSON.parse(readFileSync(trace, "utf8"));
    expect(traceEvents.length).toBeGreaterThan(10);
  });

  test("a profile of this machine, on which plans are played", async () => {
    const profile = join(folders.folder({}), "here.json");
    const made = await aegis(["profile", "--preset", "insecure-test", "--device", "wasm", "--out", profile, "--json"]);
    expect([made.code, made.stderr]).toEqual([0, warning]);
    expect(JSON.parse(made.stdout)).toMatchObject({
      name: "this-machine",
      title: expect.stringMatching(/: wasm, 1 thread$/),
      kind: "measured",
      memory: { value: 2 ** 32 },
    });
    expect(JSON.parse(readFileSync(profile, "utf8"))).toEqual(JSON.parse(made.stdout));
    const { code, stdout } = await simulate("--profile", profile, "--json");
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ profile: "this-machine", seconds: number, fits: true });
  });

  test("a reader that stops reading is no failure", async () => {
    const line = `"${process.execPath}" "${command}" simulate --model "${model}" --preset insecure-test --tokens 4 --strategy all`;
    const { stderr } = spawnSync("sh", ["-c", `${line} | true`], { encoding: "utf8" });
    expect(stderr).toBe(warning);
  });

  test("a faster machine takes less time, and one table lists all strategies", async () => {
    const [slow, fast] = await Promise.all(
      ["a100-40", "h200"].map(async (profile) => JSON.parse((await simulate("--profile", profile, "--json")).stdout)),
    );
    expect(fast.seconds).toBeLessThan(slow.seconds);
    const { code, stdout } = await simulate("--strategy", "all");
    expect(code).toBe(0);
    expect(stdout).not.toMatch(escapeCode);
    for (const strategy of ["aegis", "megatron", "tensor", "data", "limb", "coefficient"])
      expect(stdout).toMatch(new RegExp(`^│ ${strategy} `, "m"));
  });
});
