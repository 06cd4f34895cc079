/**
 * Profiles of machines: data files in `profiles/`, a source for every number. A GPU is described by its data
 * sheet, a machine at hand by what its kernels were measured to take.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { z } from "zod";
import { AegisError } from "../base/errors.ts";
import { kernelNames } from "../kernels/index.ts";

const figure = (least: number, most: number) =>
  z.strictObject({
    value: z.number().min(least).max(most),
    unit: z.string().min(1).max(60),
    source: z.string().min(1).max(300),
  });

const memory = figure(2 ** 20, 2 ** 44);
const bandwidth = figure(1e6, 1e15);
const latency = figure(0, 1);
const devicesPerHost = figure(1, 64);

const wire = z.strictObject({ bandwidth, latency });

const link = z.discriminatedUnion("kind", [
  /** Every device reaches every other of its host at once. */
  z.strictObject({ kind: z.literal("switch"), bandwidth, latency }),
  /** Devices 2k and 2k + 1 are connected; all others reach each other through the host. */
  z.strictObject({ kind: z.literal("pairs"), bandwidth, latency }),
  /** Everything goes through the host. */
  z.strictObject({ kind: z.literal("none") }),
]);

const common = { name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/), title: z.string().min(1).max(100) };

const gpu = z.strictObject({
  ...common,
  kind: z.literal("gpu"),
  memory,
  /** Of device memory. */
  bandwidth,
  /** Integer operations on 32-bit words. */
  operations: figure(1e9, 1e16),
  /** Of a kernel. */
  launch: latency,
  link,
  /** One device's, to the host. */
  pcie: wire,
  devicesPerHost,
  /** One device's share of what connects hosts. */
  network: wire,
});

const measured = z.strictObject({
  ...common,
  kind: z.literal("measured"),
  memory,
  /** Seconds per unit of kernel work, and how they were measured. */
  kernels: z.strictObject({
    seconds: z.strictObject(
      Object.fromEntries(kernelNames.map((name) => [name, z.number().min(0).max(1e-3)])) as Record<
        (typeof kernelNames)[number],
        z.ZodNumber
      >,
    ),
    source: z.string().min(1).max(300),
  }),
  /** Between threads: copies through memory. */
  copies: wire,
  /** Collectives inside operations on cut ciphertexts. */
  barrier: wire,
  devicesPerHost,
  network: wire,
});

const schema = z.discriminatedUnion("kind", [gpu, measured]);

export type Profile = z.infer<typeof schema>;
export type GpuProfile = Extract<Profile, { kind: "gpu" }>;
export type MeasuredProfile = Extract<Profile, { kind: "measured" }>;

const folder = new URL("../../profiles/", import.meta.url);
const mostBytes = 2 ** 16;

/** Names of the profiles that come with the package. */
export async function profileNames(): Promise<string[]> {
  const files = await readdir(folder);
  return files
    .filter((file) => file.endsWith(".json"))
    .map((file) => file.slice(0, -5))
    .sort();
}

/**
 * A profile by its name, or from a file.
 *
 * @throws AegisError `argument` for a name that is unknown, `io` for a file that cannot be read, `format` for one that is no profile
 */
export async function loadProfile(name: string): Promise<Profile> {
  if (!name.endsWith(".json")) {
    const names = await profileNames();
    if (!names.includes(name))
      throw new AegisError("argument", `--profile: there is no profile ${JSON.stringify(name.slice(0, 80))}`, {
        hint: `there are ${names.join(", ")}; or give the path of a .json file`,
      });
    return parseProfile(await readFile(new URL(`${name}.json`, folder), "utf8"), `${name}.json`);
  }
  const unreadable = (cause: unknown) => new AegisError("io", `--profile: ${name} cannot be read`, { cause });
  const file = await stat(name).catch((cause: unknown) => {
    throw unreadable(cause);
  });
  if (!file.isFile() || file.size > mostBytes)
    throw new AegisError("format", `${name}: no profile, which is a file of at most ${mostBytes} bytes`);
  const text = await readFile(name, "utf8").catch((cause: unknown) => {
    throw unreadable(cause);
  });
  return parseProfile(text, name);
}

/** Checks the text of a profile. Throws `format`, with the place in the file. */
export function parseProfile(text: string, file: string): Profile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AegisError("format", `${file}: not JSON`, { cause });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new AegisError("format", `${file}: ${issue?.path.join(".") ?? ""}: ${issue?.message ?? "no profile"}`, {
    hint: "profiles/a100-40.json shows what a profile looks like",
  });
}
