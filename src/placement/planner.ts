/**
 * Plans: modes are searched (or given by the strategy), expanded to steps, played and weighed. The
 * `aegis` strategy takes the best of its own search and of every other strategy's plan, so that it is
 * never behind one of them.
 */
import { integerIn } from "../base/validate.ts";
import type { Parameters } from "../ckks/index.ts";
import type { ShardingName } from "../kernels/index.ts";
import type { Operation, Program } from "../program/index.ts";
import { defaultChunkBytes } from "../transformer/index.ts";
import { type CutCosts, cutSteps } from "./cut.ts";
import { expand } from "./expand.ts";
import { type DeviceMemory, planMemory } from "./memory.ts";
import { bytesOf, type ModuleName, moduleOf, type Plan, type Step } from "./plan.ts";
import type { Samples } from "./samples.ts";
import { searchModes } from "./search.ts";
import { type CutStrategy, isCut, type Mode, type StrategyName } from "./strategies.ts";
import { type PlanCosts, playPlan, type Timeline } from "./timeline.ts";

/** Most devices of a plan. */
export const maximumDevices = 64;

/** How much longer than the fastest plan one may take that sends less, if it is still ahead of all rivals. */
const patience = 1.01;

/** What a planner knows of the machine and the program besides the program itself. */
export interface PlanSetting {
  readonly parameters: Parameters;
  readonly samples: Samples;
  /** Lowest level that bootstrapping takes. */
  readonly bootstrapInput: number;
  readonly costs: PlanCosts;
  /** Costs of operations on ciphertexts that are cut. Throws `plan` for a number of devices that cannot be. */
  cut(sharding: ShardingName, devices: number): CutCosts;
  /** SHA-256 of the program. */
  readonly digest: string;
}

export interface PlanOptions {
  readonly devices: number;
  readonly strategy: StrategyName;
  readonly overlap?: boolean;
  readonly chunkBytes?: number;
}

/** A plan and what is expected of it. */
export interface Planned {
  readonly plan: Plan;
  readonly modes: readonly Mode[];
  readonly timeline: Timeline;
  readonly memory: readonly DeviceMemory[];
  readonly bytes: Readonly<Record<ModuleName | "total", number>>;
}

export function makePlan(program: Program, setting: PlanSetting, options: PlanOptions): Planned {
  const devices = integerIn("devices", options.devices, 1, maximumDevices);
  if (isCut(options.strategy)) return cutPlan(program, setting, options.strategy, options);
  if (options.strategy !== "aegis" || devices === 1) return wholePlan(program, setting, options);
  const rivals = (["megatron", "tensor", "data"] as const).map((strategy) =>
    wholePlan(program, setting, { ...options, strategy }),
  );
  // A rival's modes without what it sends needlessly are candidates too.
  const candidates = [
    wholePlan(program, setting, options),
    ...rivals.map(({ modes }) => planWith(program, setting, options, modes)),
  ];
  return fewestBytes(candidates, Math.min(...rivals.map(({ timeline }) => timeline.seconds)));
}

/** Of the plans that are no slower than the best rival (or than the fastest), the one that sends least. */
function fewestBytes(candidates: readonly Planned[], rival: number): Planned {
  const fastest = Math.min(...candidates.map(({ timeline }) => timeline.seconds));
  const limit = Math.max(fastest, Math.min(rival, fastest * patience));
  const fit = candidates.filter(({ timeline }) => timeline.seconds <= limit);
  return fit.reduce((a, b) => (b.bytes.total < a.bytes.total ? b : a));
}

/** A plan on whole ciphertexts. */
function wholePlan(program: Program, setting: PlanSetting, options: PlanOptions): Planned {
  const { devices, strategy, overlap = true } = options;
  const { parameters, bootstrapInput, costs } = setting;
  const { modes } = searchModes(program, { devices, strategy, overlap, ring: parameters, bootstrapInput, costs });
  return planWith(program, setting, options, modes);
}

/** The plan that given modes lead to. */
export function planWith(
  program: Program,
  setting: PlanSetting,
  { devices, strategy, overlap = true, chunkBytes = defaultChunkBytes }: PlanOptions,
  modes: readonly Mode[],
): Planned {
  const { parameters, bootstrapInput } = setting;
  const steps = expand(program, modes, {
    devices,
    overlap,
    ring: parameters,
    bootstrapInput,
    chunkBytes,
    everywhere: strategy === "tensor",
  });
  return weigh(program, setting, setting.costs, { devices, strategy, overlap }, modes, steps);
}

function cutPlan(program: Program, setting: PlanSetting, strategy: CutStrategy, options: PlanOptions): Planned {
  const { devices, overlap = true, chunkBytes = defaultChunkBytes } = options;
  const { parameters, bootstrapInput } = setting;
  const costs = (sharding: ShardingName): CutCosts => setting.cut(sharding, devices);
  const steps = cutSteps(program, parameters, { strategy, devices, chunkBytes, bootstrapInput, costs });
  return weigh(program, setting, setting.costs, { devices, strategy, overlap }, [], steps);
}

function weigh(
  program: Program,
  { parameters, samples, digest }: PlanSetting,
  costs: PlanCosts,
  fields: { devices: number; strategy: StrategyName; overlap: boolean },
  modes: readonly Mode[],
  steps: readonly Step[],
): Planned {
  const plan: Plan = { format: 1, ...fields, program: digest, preset: program.preset, steps };
  return {
    plan,
    modes,
    timeline: playPlan(program, plan, costs),
    memory: planMemory(program, plan, parameters, samples),
    bytes: planBytes(program, plan),
  };
}

/** Bytes that all devices send, by module. */
export function planBytes(program: Program, plan: Plan): Record<ModuleName | "total", number> {
  const bytes = { total: 0, feedForward: 0, selfAttention: 0, other: 0 };
  for (const step of plan.steps) {
    const sent = bytesOf(step);
    bytes[moduleOf((program.operations[step.operation] as Operation).path)] += sent;
    bytes.total += sent;
  }
  return bytes;
}
