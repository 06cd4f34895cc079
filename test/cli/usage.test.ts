/** Exit codes, and one clear message for everything that can be wrong with what the command is given. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseSafetensors, readFloat32 } from "../../src/model/index.ts";
import { buildDist, root } from "../support/build.ts";
import { modelFiles, smallModel } from "../support/transformer.ts";
import { float32, json, microTokenizer, type RawTensor, writeSafetensors } from "../vectors/model/micro.ts";
import { aegis, CallsInTurn, type Files, Folders, shape } from "./support.ts";

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
    [
      ["compile", "--model", "MODEL", "--file", "a", "--text", "b"],
      2,
      /^error: option '--text <text>' cannot be used with option '--file <path>'\n/,
    ],
    ...(["--devices", "--strategy"] as const).map((option): [string[], number, RegExp] => [
      ["run", "--model", "MODEL", "--text", "a", "--plan", "plan.json", option, option === "--devices" ? "2" : "data"],
      2,
      new RegExp(`^error: option '--plan <file>' cannot be used with option '${option} <.*>'\n$`),
    ]),
    [["plan", "--tokens", "4"], 2, /^error: required option '--model <name>' not specified\n/],
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
  const { code, stdout, stderr } = await calls.call(args);
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
      "an unknown device",
      () => run("--text", "good", "--device", "gpu"),
      /--device: expected one of native, wasm, webgpu, reference, got "gpu"/,
    ],
    ["no tokens", () => compile("--tokens", "0"), /--tokens: expected 1 to 16, got "0"/],
    ["too many tokens", () => compile("--tokens", "17"), /--tokens: expected 1 to 16, got "17"/],
    ["tokens that are no number", () => compile("--tokens", "four"), /--tokens: expected 1 to 16, got "four"/],
    [
      "a file that cannot be written",
      () => compile("--tokens", "2", "--preset", "insecure-test", "--out", "/nowhere/program.json", "--json"),
      /\/nowhere\/program\.json: cannot be written/,
    ],
    ["tokens in another notation", () => compile("--tokens", "0x4"), /--tokens: expected 1 to 16, got "0x4"/],
    ["a text that cannot be read", () => compile("--file", "/nowhere/text"), /\/nowhere\/text: cannot be read/],
    ...["0", "-1", "1.5", "65", "1e1", ""].map((devices): [string, () => string[], RegExp] => [
      `${JSON.stringify(devices)} devices`,
      () => run("--text", "good", "--devices", devices, "--json"),
      new RegExp(`--devices: expected 1 to 64, got ${JSON.stringify(devices)}$`),
    ]),
    [
      "an unknown strategy",
      () => run("--text", "good", "--strategy", "fast"),
      /strategy: expected one of .*got "fast"/,
    ],
    [
      "more memory than there can be",
      () => run("--text", "good", "--device", "wasm", "--memory", "5GiB"),
      /--memory: a wasm device has 4\.00 GiB at most, got "5GiB"/,
    ],
    ["memory without a unit that is known", () => run("--text", "good", "--memory", "2GB"), /--memory: .*got "2GB"/],
    [
      "a seed that is none",
      () => run("--text", "good", "--insecure-seed", "x"),
      /--insecure-seed: expected 0 to \d+, got "x"/,
    ],
    [
      "no such limit",
      () => ["calibrate", "--model", model, "--limit", "0", "--texts", join(model, "config.json")],
      /--limit: expected a positive integer, got "0"/,
    ],
  ])("%s", (_, args, message) => refused(args(), message, model));

  test("memory that nothing fits: what fills it, and that more devices do not help", async () => {
    const args = run("--text", "good", "--preset", "insecure-test", "--devices", "2", "--memory", "66MiB", "--json");
    const { code, stdout, stderr } = await aegis(args);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(
      /\nerror: device \d needs [\d.]+ MiB \([\d.]+ MiB of ciphertexts and workspace, [\d.]+ MiB between them, [\d.]+ MiB for keys, 64\.0 MiB for tables\), it has 66\.0 MiB\n {2}\d+ devices (would do|are not enough either: .*)\n$/,
    );
  });

  test("a folder for checkpoints that is a file, which stays as it was", async () => {
    const file = join(folders.folder({ file: "mine" }), "file");
    await refused(run("--text", "good", "--preset", "insecure-test", "--checkpoint", file), /\/file: is not a folder$/);
    expect(readFileSync(file, "utf8")).toBe("mine");
  });

  test("a text that is too long: its length, and --truncate", async () => {
    const { code, stderr } = await calls.call(run("--text", long));
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^error: the text is too long: it has 42 tokens, the model takes at most 16 tokens\n {2}shorten it, or pass --truncate .*\n$/,
    );
    const cut = await calls.call(compile("--text", long, "--truncate", "--preset", "insecure-test", "--json"));
    expect(cut.code).toBe(0);
    expect(JSON.parse(cut.stdout)).toMatchObject({ tokens: 16 });
  });

  test("--debug adds a stack", async () => {
    const { code, stderr } = await aegis(["run", "--model", "/nowhere", "--text", "good", "--debug"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: \/nowhere: .*\n.*\n(.*\n)*\s+at /);
  });
});

describe("a program or a plan that is not right", () => {
  let folder: string;
  let other: string;
  const file = (name: string): string => join(folder, name);
  const run = (...args: string[]): string[] => ["run", "--model", model, "--preset", "insecure-test", ...args];
  const plan = (...args: string[]): string[] => ["plan", "--model", model, "--preset", "insecure-test", ...args];
  const recommend = (...args: string[]): string[] => ["recommend", "--model", "bert-tiny", ...args];
  const simulate = (...args: string[]): string[] => [
    "simulate",
    "--model",
    model,
    "--preset",
    "insecure-test",
    ...args,
  ];

  beforeAll(async () => {
    folder = folders.folder({
      "no.json": "{",
      "empty.json": "{}",
      "t5.json": '{ "model_type": "t5" }',
      "vit.json": '{ "model_type": "vit" }',
    });
    other = folders.model({
      "model.safetensors": modelFiles(shape, 2).model,
      "calibration.json": JSON.stringify(smallModel(shape, undefined, 2).calibration),
    });
    const made = await calls.call([
      ...["compile", "--model", model, "--tokens", "4", "--preset", "insecure-test"],
      ...["--out", file("program.json")],
    ]);
    const planned = await calls.call(plan("--program", file("program.json"), "--out", file("plan.json")));
    expect([made.code, planned.code]).toEqual([0, 0]);
  });

  test.each<[string, () => string[], RegExp]>([
    ["no such program", () => run("--text", "a", "--program", file("x")), /\/x: cannot be read/],
    ["no JSON", () => run("--text", "a", "--program", file("no.json")), /no\.json: not a program: not JSON/],
    ["no program", () => run("--text", "a", "--program", file("empty.json")), /empty\.json: not a program: format/],
    [
      "a plan in place of a program",
      () => run("--text", "a", "--program", file("plan.json")),
      /plan\.json: not a program: /,
    ],
    [
      "a program for another length",
      () => run("--text", "good", "--program", file("program.json")),
      /--program: compiled for 4 tokens, the text has 3/,
    ],
    [
      "a program of another model",
      () => ["run", "--model", other, "--text", "good film", "--program", file("program.json")],
      /--program: compiled for another model/,
    ],
    [
      "a program for other parameters",
      () => ["run", "--model", model, "--text", "good film", "--program", file("program.json")],
      /--program: compiled for parameters insecure-test, not bootstrap-16/,
    ],
    ["no plan", () => run("--text", "a", "--plan", file("empty.json")), /empty\.json: not a plan: /],
    [
      "a plan of another program",
      () => run("--text", "good", "--plan", file("plan.json")),
      /the plan was made for another program/,
    ],
    ["aegis plan: no program", () => plan("--program", file("no.json")), /no\.json: not a program: not JSON/],
    [
      "aegis plan: other tokens than the program's",
      () => plan("--program", file("program.json"), "--tokens", "5"),
      /--program: compiled for 4 tokens, the text has 5/,
    ],
    [
      "aegis plan: a program of another model",
      () => ["plan", "--model", other, "--preset", "insecure-test", "--program", file("program.json")],
      /--program: compiled for another model/,
    ],
    ["aegis plan: no devices", () => plan("--devices", "0"), /--devices: expected 1 to 64, got "0"/],
    ["aegis plan: an unknown strategy", () => plan("--strategy", "x"), /strategy: expected one of .*got "x"/],
    ["aegis plan: slack that is no percentage", () => plan("--slack", "-1"), /--slack: expected 0 to 100, got "-1"/],
    [
      "aegis plan: nothing that can be spared",
      () => plan("--spare", "time"),
      /--spare: expected bytes or memory, got "time"/,
    ],
    [
      "aegis plan: nowhere to write",
      () => plan("--tokens", "4", "--out", "/nowhere/plan.json"),
      /\/nowhere\/plan\.json: cannot be written/,
    ],
    [
      "aegis simulate: a machine that nobody described",
      () => simulate("--profile", "a100-41"),
      /--profile: there is no profile "a100-41"$/,
    ],
    ["aegis simulate: a profile that is none", () => simulate("--profile", file("no.json")), /no\.json: not JSON/],
    [
      "aegis simulate: a profile without its fields",
      () => simulate("--profile", file("program.json")),
      /program\.json: .*expected/i,
    ],
    ["aegis simulate: words of no kernel", () => simulate("--words", "48"), /--words: expected 32 or 64, got "48"/],
    [
      "aegis simulate: a timeline of many",
      () => simulate("--strategy", "all", "--trace", file("t.json")),
      /--trace: one strategy at a time/,
    ],
    ["aegis simulate: nothing to play", () => ["simulate"], /--model is not given/],
    [
      "aegis profile: a name that is none",
      () => ["profile", "--preset", "insecure-test", "--name", "../x"],
      /--name: expected small letters, digits and dashes, got "\.\.\/x"/,
    ],
    ["aegis simulate: no devices", () => simulate("--devices", "0"), /--devices: expected 1 to 64, got "0"/],
    ["aegis simulate: an unknown strategy", () => simulate("--strategy", "x"), /strategy: expected one of .*got "x"/],
    ["aegis simulate: an unknown model", () => ["simulate", "--model", "bert-huge"], /bert-huge/],
    [
      "aegis simulate: a model of no known family",
      () => ["simulate", "--model", file("t5.json")],
      /model_type: expected bert, vit, gpt2, llama or mistral, got "t5"/,
    ],
    [
      "aegis simulate: a model without its dimensions",
      () => ["simulate", "--model", file("vit.json")],
      /vit\.json: hidden_size/,
    ],
    ["aegis recommend: nothing to go by", () => recommend(), /neither --deadline nor --budget is given/],
    ["aegis recommend: a deadline that is none", () => recommend("--deadline", "soon"), /--deadline: expected a time/],
    ["aegis recommend: a deadline of no time", () => recommend("--deadline", "0s"), /--deadline: expected a time/],
    [
      "aegis recommend: a budget that is none",
      () => recommend("--budget", "four"),
      /--budget: expected devices such as/,
    ],
    ["aegis recommend: no devices", () => recommend("--budget", "0x a100-40"), /--budget: expected 1 to 64, got "0"/],
    [
      "aegis recommend: devices that nobody described",
      () => recommend("--budget", "4x a100-41"),
      /there is no profile "a100-41"/,
    ],
    ["aegis report: of nothing known", () => ["report", "novel"], /report: expected paper, got "novel"/],
    [
      "aegis report: no folder to write to",
      () => ["report", "paper", "--out", file("no.json")],
      /--out: .*no\.json cannot be made/,
    ],
    [
      "aegis plan: memory that nothing fits",
      () => plan("--tokens", "4", "--memory", "1MiB"),
      /strategy aegis needs .* on a device \(.* of ciphertexts, .* of workspace, .* between them, .* for keys, which are paged\), it has 1\.0 MiB/,
    ],
  ])("%s", (_, args, message) => refused(args(), message, folder));
});
