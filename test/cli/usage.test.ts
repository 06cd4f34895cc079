/** Exit codes, and one clear message for everything that can be wrong with what the command is given. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseSafetensors, readFloat32 } from "../../src/model/index.ts";
import { buildDist, root } from "../support/build.ts";
import { modelFiles } from "../support/transformer.ts";
import { float32, json, microTokenizer, type RawTensor, writeSafetensors } from "../vectors/model/micro.ts";
import { aegis, type Files, Folders, shape } from "./support.ts";

const folders = new Folders();
let model: string;

beforeAll(async () => {
  await buildDist();
  model = folders.model();
});

afterAll(() => folders[Symbol.dispose]());

describe("exit codes", () => {
  test.each<[string[], number, RegExp]>([
    [[], 2, /^Usage: aegis/],
    [["nonsense"], 2, /^error: unknown command 'nonsense'\n/],
    [["run"], 2, /^error: required option '--model <dir>' not specified\n/],
    [["compile", "--model", "MODEL", "--nonsense"], 2, /^error: unknown option '--nonsense'\n/],
    [["run", "--model", "MODEL"], 2, /^error: missing option '--text <text>' or '--file <path>'\n/],
    [["run", "--model", "MODEL", "--text"], 2, /^error: option '--text <text>' argument missing\n/],
    [
      ["run", "--model", "MODEL", "--text", "a", "--file", "b"],
      2,
      /^error: option '--text <text>' cannot be used with option '--file <path>'\n/,
    ],
    [
      ["compile", "--model", "MODEL", "--text", "a", "--tokens", "4"],
      2,
      /^error: option '--text <text>' cannot be used with/,
    ],
  ])("%j is wrong usage", async (args, code, message) => {
    const outcome = await aegis(args.map((arg) => (arg === "MODEL" ? model : arg)));
    expect(outcome.stderr).toMatch(message);
    expect(outcome).toMatchObject({ code, stdout: "" });
  });

  test.each([[["--help"]], [["help"]], [["run", "--help"]]])("%j is answered", async (args) => {
    const { code, stdout, stderr } = await aegis(args);
    expect(stdout).toMatch(/^Usage: aegis/);
    expect([code, stderr]).toEqual([0, ""]);
  });

  test("--version", async () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
    expect(await aegis(["--version"])).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  });
});

/** Fails with exactly `error: …` and a line that says what to do; leaves the folder as it was. */
async function refused(args: readonly string[], message: RegExp, folder?: string): Promise<void> {
  const before = folder === undefined ? [] : readdirSync(folder);
  const { code, stdout, stderr } = await aegis(args);
  const lines = stderr
    .trimEnd()
    .split("\n")
    .filter((line) => !line.startsWith("warning: parameters insecure-test"));
  expect(lines[0]).toMatch(/^error: /);
  expect(lines[0]).toMatch(message);
  expect(lines.length).toBeLessThanOrEqual(2);
  if (lines.length === 2) expect(lines[1]).toMatch(/^ {2}\S/);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect([code, stdout]).toEqual([1, ""]);
  if (folder !== undefined) expect(readdirSync(folder)).toEqual(before);
}

describe("a checkpoint that is not right", () => {
  const files = modelFiles(shape);
  const config = JSON.parse(new TextDecoder().decode(files.config)) as Record<string, unknown>;

  /** The model's tensors with some changed or left out. */
  function tensors(change: (all: Map<string, RawTensor>) => void): Uint8Array {
    const container = parseSafetensors(files.model);
    const all = new Map<string, RawTensor>();
    for (const [name, { shape: dimensions }] of container.entries) {
      const values = readFloat32(container, name);
      all.set(
        name,
        float32(dimensions, (i) => values[i]),
      );
    }
    change(all);
    return writeSafetensors(all);
  }
  const query = "bert.encoder.layer.0.attention.self.query.weight";

  test.each<[string, Files, RegExp]>([
    ["no weights", { "model.safetensors": undefined }, /model\.safetensors is missing/],
    [
      "no config and no tokenizer",
      { "config.json": undefined, "tokenizer.json": undefined },
      /config\.json, tokenizer\.json are missing/,
    ],
    [
      "truncated weights",
      { "model.safetensors": files.model.slice(0, files.model.length - 100) },
      /model\.safetensors: /,
    ],
    ["weights cut in the header", { "model.safetensors": files.model.slice(0, 50) }, /model\.safetensors: /],
    ["empty weights", { "model.safetensors": new Uint8Array(0) }, /model\.safetensors: /],
    [
      "another type of number",
      { "model.safetensors": tensors((all) => all.set(query, { ...(all.get(query) as RawTensor), dtype: "I32" })) },
      /query\.weight.*I32/,
    ],
    [
      "another shape",
      {
        "model.safetensors": tensors((all) =>
          all.set(
            query,
            float32([4, 16], () => 0),
          ),
        ),
      },
      /query\.weight.*expected shape \[8, 8\], got \[4, 16\]/,
    ],
    [
      "a missing tensor",
      { "model.safetensors": tensors((all) => all.delete(query)) },
      /missing tensor .*query\.weight/,
    ],
    [
      "NaN among the weights",
      {
        "model.safetensors": tensors((all) =>
          all.set(
            query,
            float32([8, 8], () => Number.NaN),
          ),
        ),
      },
      /element 0 is NaN/,
    ],
    ["a config of another size", { "config.json": json({ ...config, hidden_size: 16 }) }, /expected shape/],
    [
      "a config that contradicts itself",
      { "config.json": json({ ...config, num_attention_heads: 3 }) },
      /config\.json: .*3/,
    ],
    ["a config that is no JSON", { "config.json": "{" }, /config\.json: not valid JSON/],
    [
      "a tokenizer of a larger model",
      {
        "tokenizer.json": json({
          ...microTokenizer,
          model: { ...microTokenizer.model, vocab: { ...microTokenizer.model.vocab, more: 99 } },
        }),
      },
      /"more" has id 99/,
    ],
    ["a tokenizer that is no JSON", { "tokenizer.json": "not" }, /tokenizer\.json: not valid JSON/],
    ["no calibration", { "calibration.json": undefined }, /calibration\.json: cannot be read/],
    ["a calibration cut off", { "calibration.json": '{ "format": 1,' }, /calibration\.json: not JSON/],
    [
      "a calibration with a wrong number",
      { "calibration.json": JSON.stringify({ format: 1, checkpoint: 7 }) },
      /calibration\.json: checkpoint: /,
    ],
  ])("%s", async (_, changes, message) => {
    const folder = folders.model(changes);
    await refused(["compile", "--model", folder, "--tokens", "4"], message, folder);
  });

  test("a calibration of another checkpoint", async () => {
    const folder = folders.model({ "model.safetensors": modelFiles(shape, 2).model });
    await refused(
      ["run", "--model", folder, "--text", "good"],
      /calibration\.json belongs to another checkpoint/,
      folder,
    );
  });

  test("a folder that is not there", () =>
    refused(["run", "--model", "/nowhere/model", "--text", "good"], /\/nowhere\/model: not a directory/));
});

describe("an argument that is not right", () => {
  const run = (...args: string[]): string[] => ["run", "--model", model, ...args];
  const compile = (...args: string[]): string[] => ["compile", "--model", model, ...args];
  const long = "good film ".repeat(20).trim();

  test.each<[string, () => string[], RegExp]>([
    ["an empty text", () => run("--text", ""), /the text is empty/],
    ["a text of spaces", () => run("--text", "  \n "), /the text is empty/],
    ["a file that is not there", () => run("--file", "/nowhere/text"), /\/nowhere\/text: cannot be read/],
    [
      "an unknown preset",
      () => run("--text", "good", "--preset", "fast"),
      /expected one of bootstrap-16, .*got "fast"/,
    ],
    [
      "a preset without bootstrapping",
      () => run("--text", "good", "--preset", "compute-14"),
      /compute-14 cannot bootstrap/,
    ],
    [
      "an unknown backend",
      () => run("--text", "good", "--backend", "gpu"),
      /--backend: expected one of wasm, reference, got "gpu"/,
    ],
    ["no tokens", () => compile("--tokens", "0"), /--tokens: expected 1 to 16, got "0"/],
    ["too many tokens", () => compile("--tokens", "17"), /--tokens: expected 1 to 16, got "17"/],
    ["tokens that are no number", () => compile("--tokens", "four"), /--tokens: expected 1 to 16, got "four"/],
    [
      "a file that cannot be written",
      () => compile("--tokens", "2", "--preset", "insecure-test", "--out", "/nowhere/program.json", "--json"),
      /\/nowhere\/program\.json: cannot be written/,
    ],
    [
      "no such limit",
      () => ["calibrate", "--model", model, "--limit", "0", "--texts", join(model, "config.json")],
      /--limit: expected a positive integer, got "0"/,
    ],
  ])("%s", (_, args, message) => refused(args(), message, model));

  test("a text that is too long: its length, and --truncate", async () => {
    const { code, stderr } = await aegis(run("--text", long));
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^error: the text is too long: it has 42 tokens, the model takes at most 16 tokens\n {2}shorten it, or pass --truncate .*\n$/,
    );
    const cut = await aegis(compile("--text", long, "--truncate", "--preset", "insecure-test", "--json"));
    expect(cut.code).toBe(0);
    expect(JSON.parse(cut.stdout)).toMatchObject({ tokens: 16 });
  });

  test("--debug adds a stack", async () => {
    const { code, stderr } = await aegis(["run", "--model", "/nowhere", "--text", "good", "--debug"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: \/nowhere: .*\n.*\n(.*\n)*\s+at /);
  });
});
