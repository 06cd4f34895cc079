/**
 * What the simulator says of things that somebody has measured and published. Shares of the kernel settings
 * were fitted to some of them (`role: "fit"`); the others show what forecasts are worth.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { AegisError } from "../base/errors.ts";
import { lazily } from "../base/lazily.ts";
import { Bootstrapper } from "../circuits/index.ts";
import { Context, Evaluator, Parameters, preset } from "../ckks/index.ts";
import { emptyWork, type KernelWork, kernelNames, NullBackend, shardingNames } from "../kernels/index.ts";
import { builtinConfig, loadCheckpoint } from "../model/index.ts";
import { makePlan, planSettingOn, threadMachine } from "../placement/index.ts";
import type { Program } from "../program/index.ts";
import {
  BlankKeys,
  calibrationFile,
  compile,
  parseCalibration,
  referenceTimes,
  secondsOf,
  typicalCalibration,
} from "../transformer/index.ts";
import { kernelSeconds, type LaunchShape, launchShape, loadKernelSetting, type WordSize } from "./kernel-seconds.ts";
import { machineOf } from "./machine.ts";
import { loadProfile, type Profile } from "./profile.ts";
import { simulate } from "./simulate.ts";
import { topologyOf } from "./topology.ts";

const common = {
  what: z.string().min(1),
  profile: z.string(),
  words: z.union([z.literal(32), z.literal(64)]),
  reference: z.number().positive().optional(),
  /** Where publications differ: from the least to the most. */
  range: z.tuple([z.number().positive(), z.number().positive()]).optional(),
  unit: z.string().min(1),
  role: z.enum(["fit", "forecast"]),
  source: z.string().min(1),
};

const devices = z.int().min(2).max(64);

const schema = z.array(
  z.discriminatedUnion("kind", [
    /** A ciphertext of as many complex numbers as it has slots, refreshed: seconds. */
    z.strictObject({ ...common, kind: z.literal("bootstrap") }),
    /** Of a polynomial with so many limbs, each a gadget digit, and one special prime: seconds. */
    z.strictObject({ ...common, kind: z.literal("key-switch"), limbs: z.int().min(1).max(64) }),
    /** A bootstrap on ciphertexts that are cut: how many times as fast as on one device. */
    z.strictObject({
      ...common,
      kind: z.literal("cut"),
      devices,
      sharding: z.enum(shardingNames),
      digits: z.int().min(1).max(8).optional(),
    }),
    /** An inference on whole ciphertexts: how many times as fast as on one device. */
    z.strictObject({ ...common, kind: z.literal("whole"), devices }),
    /** An inference of this project on thread devices, as `aegis run` plans it: seconds. */
    z.strictObject({
      ...common,
      kind: z.literal("run"),
      model: z.string().regex(/^[a-z0-9-]+$/),
      tokens: z.int().min(2).max(2048),
      devices: z.int().min(1).max(64),
    }),
  ]),
);

type Published = z.infer<typeof schema>[number];

/** A figure of the simulator beside a published one. */
export interface CalibrationRow {
  readonly what: string;
  readonly predicted: number;
  /** Of a range, what is nearest to the prediction. */
  readonly reference: number;
  readonly range?: readonly [number, number];
  readonly unit: string;
  /** predicted / reference − 1 */
  readonly error: number;
  readonly source: string;
  readonly role: "fit" | "forecast";
}

export async function calibrationRows(): Promise<CalibrationRow[]> {
  const file = new URL("../../profiles/published/figures.json", import.meta.url);
  const parsed = schema.safeParse(JSON.parse(await readFile(file, "utf8")));
  if (!parsed.success)
    throw new AegisError(
      "internal",
      `profiles/published/figures.json: ${parsed.error.issues[0]?.message ?? "not valid"}`,
    );
  const rows: CalibrationRow[] = [];
  for (const one of parsed.data) {
    const { what, range, unit, source, role } = one;
    const predicted = await predict(one);
    const [least, most] = range ?? [one.reference as number, one.reference as number];
    const reference = Math.min(Math.max(predicted, least), most);
    const error = predicted / reference - 1;
    rows.push({ what, predicted, reference, ...(range && { range }), unit, error, source, role });
  }
  return rows;
}

async function predict(one: Published): Promise<number> {
  const [profile, kernels] = [await loadProfile(one.profile), await loadKernelSetting(one.words)];
  const seconds = (work: KernelWork, shape: LaunchShape): number =>
    secondsOf(work, kernelSeconds(profile, kernels, shape));
  switch (one.kind) {
    case "bootstrap":
      return seconds(bootstrapWork(), launchShape(defaultParameters()));
    case "key-switch": {
      const limbs = wordsPerLimb * one.limbs;
      return seconds(keySwitchWork(one.limbs), { logN: keySwitchLogN, limbs: limbs + wordsPerLimb, digits: one.limbs });
    }
    case "cut":
      return await cutSpeedup(profile, one);
    case "whole":
      return await wholeSpeedup(profile, one);
    case "run":
      return await runSeconds(profile, one);
  }
}

/** What plans are made for by default. */
const defaultParameters = lazily(() => new Parameters(preset("bootstrap-16").spec));

/** Kernel work of our bootstrapping of one ciphertext with full slots. */
const bootstrapWork = lazily((): KernelWork => {
  const parameters = defaultParameters();
  const backend = new NullBackend();
  const context = new Context(parameters, backend);
  const bootstrapper = new Bootstrapper(context, parameters.maximumSlots);
  const evaluator = new Evaluator(context, new BlankKeys(context));
  using a = evaluator.zero(bootstrapper.inputLevel, parameters.scale, bootstrapper.slots);
  // Keys and plaintexts are made the first time.
  bootstrapper.bootstrap(evaluator, a).dispose();
  const before = { ...backend.work };
  bootstrapper.bootstrap(evaluator, a).dispose();
  const work = emptyWork();
  for (const name of kernelNames) work[name] = backend.work[name] - before[name];
  return work;
});

const keySwitchLogN = 16;
/** Units of work are those of 32-bit words. */
const wordsPerLimb = 2;

/** Kernel work of a hybrid key switch (Han and Ki, eprint 2019/688, §3) with a digit for each limb. */
function keySwitchWork(limbs: number): KernelWork {
  const residues = wordsPerLimb * 2 ** keySwitchLogN;
  const extended = limbs + 1;
  // ModUp: back to coefficients, each digit to all other limbs. ModDown: two polynomials, one special limb each.
  const transformed = limbs + limbs * limbs + 2 * (1 + limbs);
  return {
    ...emptyWork(),
    ntt: transformed * residues * (keySwitchLogN / 2),
    convert: wordsPerLimb * residues * (limbs * limbs + 2 * limbs),
    multiplySumPair: limbs * extended * residues,
    scalarProduct: 2 * limbs * residues,
  };
}

/** A layer of it has more ciphertexts than there are devices, of every kind but denominators and variances. */
const inference = lazily((): Program => {
  const config = builtinConfig("bert-base", 2048);
  const options = { length: 2048, times: referenceTimes } as const;
  return compile(config, typicalCalibration(config), defaultParameters(), options).program;
});

/** Parameters with so many gadget digits: fewer special primes, so that security is no less. */
function parametersWith(digits: number): Parameters {
  const { spec } = preset("bootstrap-16");
  for (let special = spec.logSpecial.length; special > 0; special--) {
    const parameters = new Parameters({ ...spec, logSpecial: spec.logSpecial.slice(0, special) });
    if (parameters.digits.length >= digits) return parameters;
  }
  throw new AegisError("internal", `calibration: no parameters with ${digits} gadget digits`);
}

async function settingOf(
  profile: Profile,
  { devices, words }: { devices: number; words: WordSize },
  parameters = defaultParameters(),
) {
  const machine = machineOf(profile, await loadKernelSetting(words), parameters, devices);
  return planSettingOn(inference(), parameters, "", machine);
}

async function cutSpeedup(profile: Profile, one: Extract<Published, { kind: "cut" }>): Promise<number> {
  const { costs } = await settingOf(profile, one, one.digits === undefined ? undefined : parametersWith(one.digits));
  const { operations } = inference();
  const operation = operations.findIndex(({ kind }) => kind === "bootstrap");
  // Two real ciphertexts fill the slots of one.
  const part = { outputs: (operations[operation]?.outputs ?? []).map((_, o) => (o === 0 ? [0, 1] : [])) };
  const { compute, communication } = costs.cut({ operation, sharding: one.sharding, part }, one.devices);
  return costs.compute(operation, "whole", part) / (compute + communication);
}

async function wholeSpeedup(profile: Profile, one: Extract<Published, { kind: "whole" }>): Promise<number> {
  const seconds: number[] = [];
  for (const devices of [1, one.devices]) {
    const setting = await settingOf(profile, { ...one, devices });
    const { plan } = makePlan(inference(), setting, {
      devices,
      strategy: "aegis",
      memoryBytes: profile.memory.value,
    });
    seconds.push(simulate(inference(), plan, setting.costs, topologyOf(profile, devices)).seconds);
  }
  const [alone, together] = seconds as [number, number];
  return alone / together;
}

/** Keys are not counted: they are expanded while the devices start. */
async function runSeconds(
  profile: Profile,
  { model, tokens: length, devices, words }: Extract<Published, { kind: "run" }>,
): Promise<number> {
  const folder = fileURLToPath(new URL(`../../models/${model}`, import.meta.url));
  const checkpoint = await loadCheckpoint(folder);
  const calibration = parseCalibration(JSON.parse(await readFile(join(folder, calibrationFile), "utf8")), checkpoint);
  const parameters = defaultParameters();
  const { program } = compile(checkpoint.config, calibration, parameters, { length, times: referenceTimes });
  const planned = planSettingOn(program, parameters, "", threadMachine(referenceTimes));
  const memoryBytes = profile.memory.value;
  const { plan } = makePlan(program, planned, { devices, strategy: "aegis", memoryBytes, spare: "memory" });
  const setting = planSettingOn(
    program,
    parameters,
    "",
    machineOf(profile, await loadKernelSetting(words), parameters, devices),
  );
  return simulate(program, plan, setting.costs, topologyOf(profile, devices)).seconds;
}
