/** From a compiled program to what runs: a plan, what each device needs, which keys to make. */
import { AegisError } from "../base/errors.ts";
import {
  checkStrategy,
  isCut,
  makePlan,
  type Plan,
  type Planned,
  parsePlan,
  planSetting,
  playPlan,
  type StrategyName,
  verifyPlan,
} from "../placement/index.ts";
import { digestOf, type NeededKey, planRequirements, type Requirements, shardingOf } from "../runtime/index.ts";
import { readText } from "./arguments.ts";
import { formatBytes } from "./output.ts";
import { pagingSeconds, type Session } from "./session.ts";

export interface PlaceOptions {
  readonly devices: number;
  readonly strategy: StrategyName;
  readonly overlap: boolean;
  readonly memoryBytes: number;
  /** A plan file in place of planning. */
  readonly file?: string;
}

export interface Placed {
  readonly plan: Plan;
  readonly requirements: readonly Requirements[];
  /** Keys of all devices. */
  readonly keys: readonly NeededKey[];
  readonly bootstraps: number;
  /** Seconds expected of each operation. */
  readonly seconds: readonly number[];
  readonly expectedSeconds: number;
  /** By device, beside what is measured. */
  readonly forecast: readonly { readonly forecastWorkBytes: number; readonly forecastSeconds: number }[];
}

/** Throws `plan` for what cannot be placed. */
export async function place(session: Session, options: PlaceOptions): Promise<Placed> {
  const { compiled, context, times } = session;
  const { program } = compiled;
  const { parameters } = context;
  const digest = digestOf(program);
  if (isCut(options.strategy)) shardingOf(options.strategy, parameters); // not all that is planned can be run
  const setting = planSetting(program, parameters, digest, times);
  let plan: Plan;
  if (options.file === undefined) {
    const planned: Planned = makePlan(program, setting, options);
    ({ plan } = planned);
  } else {
    plan = parsePlan(await readText(options.file, "--plan"));
    checkStrategy(plan.strategy);
    verifyPlan(program, digest, plan);
  }
  const timeline = playPlan(program, plan, setting.costs);
  const { devices: requirements } = await planRequirements(program, parameters, plan);
  for (const [rank, { workBytes, keys }] of requirements.entries()) {
    const largest = Math.max(0, ...keys.map(({ bytes }) => bytes));
    const least = workBytes + 2 * largest + 2 ** 26;
    if (least <= options.memoryBytes) continue;
    throw new AegisError(
      "plan",
      `device ${rank} needs ${formatBytes(least)} (${formatBytes(workBytes)} of ciphertexts and workspace, ${formatBytes(2 * largest)} for keys), it has ${formatBytes(options.memoryBytes)}`,
      { hint: "use more devices or a shorter text" },
    );
  }
  return {
    plan,
    requirements,
    keys: union(requirements),
    bootstraps: requirements[0]?.counts.bootstraps ?? 0,
    seconds: timeline.operations,
    expectedSeconds: Math.max(
      ...requirements.map(
        (needed, rank) => (timeline.devices[rank]?.end ?? 0) + pagingSeconds(session, needed, options.memoryBytes),
      ),
    ),
    forecast: requirements.map(({ workBytes }, rank) => ({
      forecastWorkBytes: workBytes,
      forecastSeconds: timeline.devices[rank]?.end ?? 0,
    })),
  };
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
