/** The manifest of a checkpoint: which run it is of, and the files of the last whole state. */
import { readFile, stat } from "node:fs/promises";
import { z } from "zod";
import { AegisError } from "../base/errors.ts";
import type { ParametersSpec, WholeCiphertext } from "../ckks/index.ts";
import { maximumDevices, type Plan } from "../placement/index.ts";
import type { Program } from "../program/index.ts";
import { digestOf, digestOfCiphertexts } from "./digest.ts";

export const manifestName = "manifest.json";
/** A manifest is some kilobytes. */
const mostBytes = 2 ** 20;

const digest = z.string().regex(/^[0-9a-f]{64}$/);

const schema = z
  .strictObject({
    format: z.literal(1),
    program: digest,
    parameters: digest,
    plan: digest,
    input: digest,
    devices: z.int().min(1).max(maximumDevices),
    strategy: z.string().max(40),
    overlap: z.boolean(),
    step: z.int().min(0),
    files: z.array(z.strictObject({ file: z.string(), digest })).max(maximumDevices),
  })
  .refine(
    ({ step, files, devices }) =>
      files.length === (step === 0 ? 0 : devices) &&
      files.every(({ file }, rank) => file === `step-${step}-device-${rank}.bin`),
  );

export type Manifest = z.infer<typeof schema>;

/** What a run is known by. */
export type Identity = Omit<Manifest, "format" | "step" | "files">;

/** What a run is known by before its input is encrypted. */
export type RunIdentity = Omit<Identity, "input">;

export const startAnew = "delete the folder to begin anew, or give another one";

export function runIdentity(program: Program, plan: Plan, parameters: ParametersSpec): RunIdentity {
  const { devices, strategy, overlap } = plan;
  return {
    program: digestOf(program),
    parameters: digestOf(parameters),
    plan: digestOf(plan),
    devices,
    strategy,
    overlap,
  };
}

/** @param input the encrypted input, which text, keys and seed have a part in */
export function identityOf(
  program: Program,
  plan: Plan,
  parameters: ParametersSpec,
  input: readonly WholeCiphertext[],
): Identity {
  return { ...runIdentity(program, plan, parameters), input: digestOfCiphertexts(input) };
}

/** Undefined where there is no such file. Throws `format`, and `io` where it cannot be read. */
export async function readManifest(path: string): Promise<Manifest | undefined> {
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > mostBytes) throw damagedManifest(path, `damaged: ${size} bytes long`);
    text = await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof AegisError) throw cause;
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new AegisError("io", `${path}: cannot be read`, { hint: startAnew, cause });
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw damagedManifest(path, "damaged: not JSON", cause);
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const place = (parsed.error.issues[0]?.path ?? []).map(String).join(".").slice(0, 60);
  throw damagedManifest(path, `damaged${place === "" ? "" : ` at ${place}`}: not the manifest of a checkpoint`);
}

/** Throws `plan` when a checkpoint is of another run. */
export function refuseOther(path: string, manifest: Manifest, run: RunIdentity & { readonly input?: string }): void {
  const other = (what: string, hint: string): AegisError =>
    new AegisError("plan", `${path}: the checkpoint is of ${what}`, { hint: `${hint}; ${startAnew}` });
  if (manifest.program !== run.program)
    throw other("another program", "use the model, the preset and the length of text that it was begun with");
  if (manifest.parameters !== run.parameters)
    throw other("other parameters", "use the preset and the version that it was begun with");
  if (manifest.plan !== run.plan)
    throw other(
      `another plan (${describePlan(manifest)}), this run has ${describePlan(run)}`,
      "use the same devices, strategy and memory",
    );
  if (run.input !== undefined && manifest.input !== run.input)
    throw other("another input", "use the text, and the seed if there was one, that it was begun with");
}

/** For what does not fit together. */
export function damagedManifest(path: string, message: string, cause?: unknown): AegisError {
  return new AegisError("format", `${path}: ${message}`, {
    hint: startAnew,
    ...(cause === undefined ? {} : { cause }),
  });
}

function describePlan({ devices, strategy, overlap }: RunIdentity): string {
  return `${strategy} on ${devices} device${devices === 1 ? "" : "s"}${overlap ? "" : " without overlap"}`;
}
