/** The manifest of a checkpoint: one whole state or none. */
import { createHash } from "node:crypto";
import { access, mkdtemp, readdir, readFile, rm, truncate, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { AegisError } from "../base/errors.ts";
import { CheckpointFolder, checkCheckpoint } from "./checkpoint.ts";
import type { Identity, Manifest } from "./checkpoint-manifest.ts";
import { digestOf } from "./digest.ts";

const run: Identity = {
  program: digestOf("a program"),
  parameters: digestOf("parameters"),
  plan: digestOf("a plan"),
  input: digestOf("an input"),
  devices: 2,
  strategy: "aegis",
  overlap: true,
};
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "aegis-checkpoint-"));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

function open(of = run, onFailure?: (error: AegisError) => void): Promise<CheckpointFolder> {
  return CheckpointFolder.open(directory, of, onFailure);
}

/** What a device does: a file, and word of it. */
async function save(folder: CheckpointFolder, rank: number, index: number): Promise<void> {
  const file = `step-${index}-device-${rank}.bin`;
  const state = `state ${index} of ${rank}`;
  await writeFile(join(directory, file), state);
  folder.saved(rank, { kind: "checkpoint", index, file, digest: createHash("sha256").update(state).digest("hex") });
}

async function saveAll(folder: CheckpointFolder, index: number): Promise<void> {
  for (const rank of [0, 1]) await save(folder, rank, index);
  await folder.settle();
}

test("a new folder has nothing to go on from", async () => {
  expect((await open()).resume).toBeUndefined();
});

test("makes the folders above it", async () => {
  const deep = join(directory, "a", "b");
  expect((await CheckpointFolder.open(deep, run)).resume).toBeUndefined();
  expect((await CheckpointFolder.open(deep, run)).resume).toBeUndefined();
});

test.skipIf(process.platform !== "linux")("says so at once where no folder can be made", async () => {
  const inKernel = "/proc/aegis/checkpoint";
  await expect(CheckpointFolder.open(inKernel, run)).rejects.toThrow(`${inKernel}: cannot be made a folder`);
});

test("goes on from the last step that all devices have saved", async () => {
  const folder = await open();
  await saveAll(folder, 4);
  await save(folder, 1, 9);
  const { resume } = await open();
  expect(resume?.step).toBe(4);
  expect(resume?.paths).toEqual([0, 1].map((rank) => join(directory, `step-4-device-${rank}.bin`)));
});

test("files of earlier steps go, those of later steps stay although no one has told of them", async () => {
  const folder = await open();
  await saveAll(folder, 4);
  const early = join(directory, "step-9-device-0.bin");
  await writeFile(early, "a device that is ahead");
  await saveAll(folder, 7);
  await vi.waitFor(() => expect(access(join(directory, "step-4-device-0.bin"))).rejects.toThrow());
  await access(early);
});

test("leaves nothing behind when the run is over", async () => {
  const folder = await open();
  await saveAll(folder, 4);
  await writeFile(join(directory, "step-9-device-0.bin.tmp"), "half");
  await folder.finish();
  expect(await readdir(directory)).toEqual([]);
});

test("what was begun and never saved is begun anew, by any run", async () => {
  await open();
  await writeFile(join(directory, "step-4-device-0.bin"), "of a run that was killed");
  expect((await open({ ...run, plan: digestOf("another") })).resume).toBeUndefined();
  expect(await readdir(directory)).toEqual(["manifest.json"]);
});

describe("refused, and left as it was", () => {
  const state = (rank: number): string => join(directory, `step-4-device-${rank}.bin`);
  const manifest = (): string => join(directory, "manifest.json");
  const change = async (changes: object): Promise<void> => {
    const told = JSON.parse(await readFile(manifest(), "utf8")) as Manifest;
    await writeFile(manifest(), JSON.stringify({ ...told, ...changes }));
  };

  async function contents(): Promise<Record<string, string>> {
    const names = (await readdir(directory)).sort();
    const bytes = await Promise.all(names.map((name) => readFile(join(directory, name), "latin1")));
    return Object.fromEntries(names.map((name, i) => [name, bytes[i] as string]));
  }

  async function refused(of: Identity, code: string, message: RegExp): Promise<void> {
    const before = await contents();
    const error = (await open(of).then(
      () => undefined,
      (thrown: unknown) => thrown,
    )) as AegisError;
    expect(error).toMatchObject({ name: "AegisError", code, message: expect.stringMatching(message) });
    expect(error.hint).toMatch(/delete the folder to begin anew, or give another one$/);
    expect(await contents()).toEqual(before);
  }

  beforeEach(async () => saveAll(await open(), 4));

  test.each<[string, Partial<Identity>, RegExp]>([
    ["another program", { program: digestOf("x") }, /manifest\.json: the checkpoint is of another program/],
    ["other parameters", { parameters: digestOf("x") }, /the checkpoint is of other parameters/],
    [
      "another plan",
      { plan: digestOf("x"), devices: 3, strategy: "tensor", overlap: false },
      /another plan \(aegis on 2 devices\), this run has tensor on 3 devices without overlap$/,
    ],
    ["another input", { input: digestOf("x") }, /the checkpoint is of another input/],
  ])("%s", (_, changes, message) => refused({ ...run, ...changes }, "plan", message));

  test.each<[string, () => Promise<void>, RegExp]>([
    ["a state cut off", () => truncate(state(1), 5), /step-4-device-1\.bin is damaged/],
    [
      "a flipped bit",
      async () => {
        const bytes = await readFile(state(0));
        bytes[3] ^= 1;
        await writeFile(state(0), bytes);
      },
      /step-4-device-0\.bin is damaged/,
    ],
    ["a state that is gone", () => unlink(state(0)), /step-4-device-0\.bin is missing/],
    ["a manifest that is gone", () => unlink(manifest()), /manifest\.json: missing, beside 2 saved states/],
    ["a manifest cut off", () => truncate(manifest(), 40), /manifest\.json: damaged: not JSON/],
    ["an empty manifest", () => truncate(manifest(), 0), /manifest\.json: damaged: not JSON/],
    ["a manifest of zeros", () => truncate(manifest(), 2 ** 21), /manifest\.json: damaged: 2097152 bytes long/],
    ["another format", () => change({ format: 2 }), /damaged at format/],
    ["a step that is no number", () => change({ step: "4" }), /damaged at step/],
    ["files of another step", () => change({ step: 5 }), /manifest\.json: damaged/],
    ["a step of hostile size", () => change({ step: 1e300 }), /damaged at step/],
    ["too few files", () => change({ files: [] }), /manifest\.json: damaged/],
    [
      "a file from elsewhere",
      () => change({ files: [0, 1].map(() => ({ file: "../secret", digest: "0".repeat(64) })) }),
      /manifest\.json: damaged/,
    ],
    ["devices without end", () => change({ devices: 1e9 }), /damaged at devices/],
  ])("%s", (_, spoil, message) => spoil().then(() => refused(run, "format", message)));

  test("before a run has its input, too", async () => {
    expect(await checkCheckpoint(directory, run)).toBe(true);
    await expect(checkCheckpoint(directory, { ...run, plan: digestOf("x") })).rejects.toMatchObject({ code: "plan" });
    await unlink(manifest());
    await expect(checkCheckpoint(directory, run)).rejects.toMatchObject({ code: "format" });
  });

  test("a path that is a file", async () => {
    await expect(CheckpointFolder.open(manifest(), run)).rejects.toMatchObject({
      code: "io",
      message: `${manifest()}: is not a folder`,
    });
    await refused({ ...run, input: digestOf("x") }, "plan", /another input/);
  });
});

test("says so when the manifest cannot be written", async () => {
  const failures: AegisError[] = [];
  const folder = await open(run, (error) => failures.push(error));
  await rm(directory, { recursive: true });
  for (const rank of [0, 1]) folder.saved(rank, { kind: "checkpoint", index: 4, file: "x", digest: "0".repeat(64) });
  await vi.waitFor(() => expect(failures).toMatchObject([{ code: "io" }]));
});
