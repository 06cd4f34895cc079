/** Runs that fail while they run: one message that says which device, where and why; nothing that was saved is lost. */
import { cpSync, readdirSync, readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildDist } from "../support/build.ts";
import { aegis, Folders, type Outcome } from "./support.ts";

const folders = new Folders();
const misbehave = new URL("misbehave.mjs", import.meta.url).href;
let model: string;
let program: string;
let plan: string;

beforeAll(async () => {
  await buildDist();
  model = folders.model();
  // Compiled and planned once: what fails here is what comes after.
  [program, plan] = ["program.json", "plan.json"].map((name) => join(folders.folder({}), name)) as [string, string];
  const common = ["--model", model, "--preset", "insecure-test"];
  const compiled = await aegis(["compile", ...common, "--text", "good film", "--out", program]);
  const planned = await aegis(["plan", ...common, "--program", program, "--devices", "2", "--out", plan]);
  expect([compiled.code, planned.code]).toEqual([0, 0]);
});

afterAll(() => folders[Symbol.dispose]());

/** On two devices, by the plan, unless more is said of devices. */
function run(...more: string[]): string[] {
  const fixed = ["--preset", "insecure-test", "--program", program, "--json"];
  const placed = more.includes("--devices") ? [] : ["--plan", plan];
  return ["run", "--model", model, "--text", "good film", ...fixed, ...placed, ...more];
}

interface Fault {
  readonly how: "throw" | "exit" | "block" | "exhaust" | "interrupt";
  readonly rank: number;
  readonly step: number;
  readonly mark?: string;
}

/** What a run says of which one device misbehaves: exit code 1, nothing on stdout. */
async function failing(args: readonly string[], fault: Fault, nodeOptions: readonly string[] = []): Promise<string> {
  const outcome = await aegis(args, { MISBEHAVE: JSON.stringify(fault) }, [...nodeOptions, "--import", misbehave]);
  expect({ code: outcome.code, printed: outcome.stdout.length }).toEqual({ code: 1, printed: 0 });
  return said(outcome);
}

function said({ stderr }: Outcome): string {
  return stderr.replace(/^warning: .*\n/gm, "");
}

interface Told {
  readonly outputDigest: string;
  readonly communication: { readonly plannedBytes: number; readonly measuredBytes: number };
}

async function told(args: readonly string[]): Promise<Told> {
  const { code, stdout, stderr } = await aegis(args);
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^(warning: .*\n)*$/)]);
  return JSON.parse(stdout) as Told;
}

const place = "layer 0 → .*";

describe("a device that fails names itself, the operation and the cause", () => {
  test.each<[Fault["how"], RegExp, string[]]>([
    ["throw", new RegExp(`^error: (?:wasm|native:\\w+) 1 failed in ${place}: a device that throws\n$`), []],
    [
      "exhaust",
      new RegExp(`^error: (?:wasm|native:\\w+) 1 ran out of memory in ${place}\n {2}run on fewer devices, .*\n$`),
      ["--max-old-space-size=200"],
    ],
  ])("%s", async (how, message, nodeOptions) => {
    expect(await failing(run(), { how, rank: 1, step: 1 }, nodeOptions)).toMatch(message);
  });

  test("one that stands still, within 10 s", async () => {
    const mark = join(folders.folder({}), "mark");
    const message = await failing(run(), { how: "block", rank: 1, step: 1, mark });
    const seconds = (Date.now() - Number(readFileSync(mark, "utf8"))) / 1000;
    expect(message).toMatch(
      new RegExp(`^error: (?:wasm|native:\\w+) 1 has not responded for 8 s in ${place}\n {2}.*\n$`),
    );
    expect(seconds).toBeLessThan(10);
  });
});

describe("a run that is interrupted", () => {
  const seeded = (...more: string[]): string[] => run("--insecure-seed", "3", ...more);
  let expected: Told;
  let kept: string;

  /** What an interrupted run left behind, once more. */
  function copy(): string {
    const folder = folders.folder({});
    cpSync(kept, folder, { recursive: true });
    return folder;
  }

  beforeAll(async () => {
    kept = folders.folder({});
    expected = await told(seeded());
    const message = await failing(seeded("--checkpoint", kept), { how: "interrupt", rank: 0, step: 20 });
    expect(message).toBe(
      `error: the run was cancelled\n  what is done is kept in ${kept}: run again to go on from there\n`,
    );
  });

  function states(folder: string): string[] {
    const { files } = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as { files: { file: string }[] };
    return files.map(({ file }) => file);
  }

  test("leaves one whole state", () => {
    expect(states(kept).length).toBe(2);
    expect(readdirSync(kept)).toEqual(expect.arrayContaining(["manifest.json", ...states(kept)]));
  });

  test("goes on to the same ciphertexts, with less to do, and leaves nothing", async () => {
    const folder = copy();
    const resumed = await told(seeded("--checkpoint", folder));
    expect(resumed.outputDigest).toBe(expected.outputDigest);
    expect(resumed.communication.plannedBytes).toBeLessThan(expected.communication.plannedBytes);
    expect(resumed.communication.measuredBytes).toBe(resumed.communication.plannedBytes);
    expect(readdirSync(folder)).toEqual([]);
  });

  test("fails again and goes on again", async () => {
    const folder = copy();
    const message = await failing(seeded("--checkpoint", folder), { how: "exit", rank: 1, step: 21 });
    expect(message).toMatch(/^error: (?:wasm|native:\w+) 1 exited with code 7 .*\n {2}what is done is kept in .*\n$/);
    expect((await told(seeded("--checkpoint", folder))).outputDigest).toBe(expected.outputDigest);
  });

  test.each<[string, (folder: string) => void, string[], RegExp]>([
    [
      "a damaged state",
      (folder) => truncateSync(join(folder, states(folder)[0] as string), 10),
      ["--insecure-seed", "3"],
      /manifest\.json: step-\d+-device-0\.bin is damaged/,
    ],
    ["no seed", () => undefined, [], /client-secret: missing, so that what was saved cannot be decrypted/],
    ["another text", () => undefined, ["--insecure-seed", "3", "--text", "bad film"], /is of another input/],
    [
      "another plan",
      () => undefined,
      ["--insecure-seed", "3", "--devices", "3"],
      /of another plan \(aegis on 2 devices\), this run has aegis on 3 devices/,
    ],
  ])("is not taken up with %s, and stays as it was", async (_, spoil, more, message) => {
    const folder = copy();
    spoil(folder);
    const before = readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "latin1")]);
    const outcome = await aegis(run("--checkpoint", folder, ...more));
    expect({ code: outcome.code, printed: outcome.stdout.length }).toEqual({ code: 1, printed: 0 });
    expect(said(outcome)).toMatch(/^error: .*\n {2}.*or give another one\n$/);
    expect(said(outcome)).toMatch(message);
    expect(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), "latin1")])).toEqual(before);
  });
});

test("secret keys of a run that can be taken up: of one text, gone when it is over", async () => {
  const folder = folders.folder({});
  await failing(run("--checkpoint", folder), { how: "interrupt", rank: 0, step: 20 });
  expect(readdirSync(folder)).toContain("client-secret");
  const other = await aegis(run("--checkpoint", folder, "--text", "bad film"));
  expect(said(other)).toMatch(/^error: .*client-secret: the checkpoint is of another text, or damaged\n/);
  const { communication } = await told(run("--checkpoint", folder));
  expect(communication.measuredBytes).toBe(communication.plannedBytes);
  expect(readdirSync(folder)).toEqual([]);
});
