/** The manifest of a checkpoint: one whole state or none. */
import { createHash } from "node:crypto";
import { access, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { AegisError } from "../base/errors.ts";
import type { Plan } from "../placement/index.ts";
import type { Program } from "../program/index.ts";
import { CheckpointFolder } from "./checkpoint.ts";

const program = { length: 3 } as Program;
const plan = { devices: 2, overlap: true } as Plan;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "aegis-checkpoint-"));
});

afterEach(() => rm(directory, { recursive: true, force: true }));

function open(of = plan, onFailure?: (error: AegisError) => void): Promise<CheckpointFolder> {
  return CheckpointFolder.open(directory, program, of, onFailure);
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
  await vi.waitFor(async () => expect((await open()).resume?.step).toBe(index));
}

test("a new folder has nothing to go on from", async () => {
  expect((await open()).resume).toBeUndefined();
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

test("refuses what is of another run, or damaged", async () => {
  await saveAll(await open(), 4);
  await expect(open({ ...plan, overlap: false })).rejects.toMatchObject({ code: "plan" });
  await expect(CheckpointFolder.open(directory, { length: 4 } as Program, plan)).rejects.toMatchObject({
    code: "plan",
  });
  await writeFile(join(directory, "step-4-device-1.bin"), "something else");
  await expect(open()).rejects.toMatchObject({ code: "format" });
  await writeFile(join(directory, "manifest.json"), "{");
  await expect(open()).rejects.toMatchObject({ code: "format" });
});

test("says so when the manifest cannot be written", async () => {
  const failures: AegisError[] = [];
  const folder = await open(plan, (error) => failures.push(error));
  await rm(directory, { recursive: true });
  for (const rank of [0, 1]) folder.saved(rank, { kind: "checkpoint", index: 4, file: "x", digest: "0".repeat(64) });
  await vi.waitFor(() => expect(failures).toMatchObject([{ code: "io" }]));
});
