/** From a compiled program to what runs: a plan, what each device needs, which keys to make. */
import { AegisError } from "../base/errors.ts";
import { lazily } from "../base/lazily.ts";
import {
  checkStrategy,
  fragmentation,
  makePlan,
  maximumDevices,
  type Plan,
  planSetting,
  playPlan,
  type StrategyName,
  verifyPlan,
} from "../placement/index.ts";
import type { Program } from "../program/index.ts";
import {
  type DeviceSetup,
  digestOf,
  type NeededKey,
  planRequirements,
  type Requirements,
  requireRunnable,
} from "../runtime/index.ts";
import { referenceTimes } from "../transformer/index.ts";
import { formatBytes } from "./output.ts";
import { pagingSeconds, type Session } from "./session.ts";

/** Of a device's memory, for what kernels keep. */
const tableBytes = 2 ** 26;
/** Devices here are threads of one host, which share its memory; what they send are copies. */
const spare = "memory";
/** For finding out how many devices would do. */
const patienceMilliseconds = 10_000;

export interface PlaceOptions {
  /** What the plan runs on. */
  readonly devices: readonly DeviceSetup[];
  /** Where devices differ: seconds of each for what takes the first one. */
  readonly paces?: readonly number[] | undefined;
  readonly strategy: StrategyName;
  /** See {@link PlanOptions.overlap}. */
  readonly overlap: boolean | undefined;
  /** A plan in place of planning. */
  readonly plan?: Plan;
}

export interface Placed {
  readonly devices: readonly DeviceSetup[];
  readonly plan: Plan;
  readonly requirements: readonly Requirements[];
  /** Keys of all devices. */
  readonly keys: readonly NeededKey[];
  readonly bootstraps: number;
  /** Seconds expected of each operation. */
  readonly seconds: readonly number[];
  readonly expectedSeconds: number;
  /** By device, beside what is measured. */
  readonly forecast: readonly {
    readonly forecastWorkBytes: number;
    readonly forecastActivationBytes: number;
    readonly forecastSeconds: number;
  }[];
}

/** Throws `plan` for what cannot be placed. */
export async function place(session: Session, options: PlaceOptions): Promise<Placed> {
  const { compiled, context, times } = session;
  const { program } = compiled;
  const { parameters } = context;
  const digest = digestOf(program);
  requireRunnable(options.strategy);
  // Planned with the times of the reference machine: measured ones differ from run to run, and a run that is
  // taken up again must have the plan that it was begun with.
  const { strategy, overlap, paces } = options;
  const planned = lazily(() => planSetting(program, parameters, digest, referenceTimes, paces));
  const memoryBytes = options.devices.map((device) => device.memoryBytes);
  const least = Math.min(...memoryBytes);
  const planFor = (devices: number): Plan => {
    const memory = devices === memoryBytes.length ? memoryBytes : least;
    return makePlan(program, planned(), { strategy, overlap, memoryBytes: memory, devices, spare }).plan;
  };
  const plan =
    options.plan === undefined ? planFor(options.devices.length) : checkedPlan(options.plan, program, digest);
  if (plan.devices !== options.devices.length)
    throw new AegisError("plan", `--plan: made for ${plan.devices} devices, --device names ${options.devices.length}`);
  const timeline = playPlan(program, plan, planSetting(program, parameters, digest, times, paces).costs);
  const memoryOf = (rank: number): number => memoryBytes[rank] ?? least;
  const fitting = (needed: readonly Requirements[]): boolean =>
    needed.every((one, rank) => leastBytes(one) <= memoryOf(rank));
  let { devices: requirements } = await planRequirements(program, parameters, plan);
  if (!fitting(requirements))
    ({ devices: requirements } = await planRequirements(program, parameters, plan, { releaseTransforms: true }));
  if (!fitting(requirements)) {
    const excess = requirements.map((one, rank) => leastBytes(one) - memoryOf(rank));
    const rank = excess.indexOf(Math.max(...excess));
    const fullest = requirements[rank] as Requirements;
    const fits = async (devices: number): Promise<boolean> => {
      const other = planFor(devices);
      const needed = (await planRequirements(program, parameters, other, { releaseTransforms: true })).devices;
      return needed.every((one) => leastBytes(one) <= least);
    };
    throw await doesNotFit(rank, fullest, memoryOf(rank), plan.devices, fits);
  }
  return {
    devices: options.devices,
    plan,
    requirements,
    keys: union(requirements),
    bootstraps: requirements[0]?.counts.bootstraps ?? 0,
    seconds: timeline.operations,
    expectedSeconds: Math.max(
      ...requirements.map(
        (needed, rank) => (timeline.devices[rank]?.end ?? 0) + pagingSeconds(session, needed, memoryOf(rank)),
      ),
    ),
    forecast: requirements.map(({ workBytes, activationBytes }, rank) => ({
      forecastWorkBytes: workBytes,
      forecastActivationBytes: activationBytes,
      forecastSeconds: timeline.devices[rank]?.end ?? 0,
    })),
  };
}

function checkedPlan(plan: Plan, program: Program, digest: string): Plan {
  requireRunnable(checkStrategy(plan.strategy));
  verifyPlan(program, digest, plan);
  return plan;
}

/** Bytes that a device cannot do without: keys give way but for the two that are in use. */
function leastBytes(needed: Requirements): number {
  return needed.workBytes + fragmentation(needed.workBytes) + twoKeys(needed) + tableBytes;
}

function twoKeys({ keys }: Requirements): number {
  return 2 * Math.max(0, ...keys.map(({ bytes }) => bytes));
}

/** What fills the memory of a device, and how many devices would do. */
async function doesNotFit(
  rank: number,
  needed: Requirements,
  memoryBytes: number,
  devices: number,
  fits: (devices: number) => Promise<boolean>,
): Promise<AegisError> {
  const { workBytes } = needed;
  const parts = `${formatBytes(workBytes)} of ciphertexts and workspace, ${formatBytes(fragmentation(workBytes))} between them, ${formatBytes(twoKeys(needed))} for keys, ${formatBytes(tableBytes)} for tables`;
  const start = performance.now();
  let tried = devices;
  let hint: string | undefined;
  while (hint === undefined && 2 * tried <= maximumDevices && performance.now() - start < patienceMilliseconds) {
    tried *= 2;
    if (await fits(tried)) hint = `${tried} devices would do`;
  }
  hint ??= `${tried} devices are not enough either: give more memory or a shorter text`;
  const message = `device ${rank} needs ${formatBytes(leastBytes(needed))} (${parts}), it has ${formatBytes(memoryBytes)}`;
  return new AegisError("plan", message, { hint });
}

/** Every key once, at the highest level that a device uses it at. */
function union(requirements: readonly Requirements[]): NeededKey[] {
  const keys = new Map<string, NeededKey>();
  for (const key of requirements.flatMap((device) => device.keys)) {
    const present = keys.get(key.name);
    if (present === undefined || present.level < key.level) keys.set(key.name, key);
  }
  return [...keys.values()].sort((a, b) => b.level - a.level || (a.name < b.name ? -1 : 1));
}
