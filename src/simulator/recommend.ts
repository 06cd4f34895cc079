/** Which machine, how many devices and which strategy for a deadline or a budget, and what comes next. */
import { maximumDevices, type StrategyName } from "../placement/index.ts";
import type { Profile } from "./profile.ts";
import type { Comparison, Study } from "./study.ts";

/** So many devices of a machine, and what a plan on them is forecast to take. */
export interface Option extends Comparison {
  readonly profile: string;
  readonly meetsDeadline: boolean;
}

export interface Wish {
  /** Seconds that an inference may take. */
  readonly deadline?: number;
  /** Machines to choose from, each with the most devices that may be used. */
  readonly machines: readonly { readonly profile: Profile; readonly most: number }[];
  /** A study of the program on a machine. */
  readonly study: (profile: Profile) => Study;
  /** Called before a machine is tried, and asked to stop by throwing. */
  readonly onProgress?: (what: string) => void | Promise<void>;
}

export interface Recommendation {
  /** Undefined where nothing fits, or nothing meets the deadline. */
  readonly choice: Option | undefined;
  readonly why: string;
  /** What else was looked at, best first. */
  readonly others: readonly Option[];
  /** Other strategies on the devices of the choice. */
  readonly strategies: readonly { readonly strategy: StrategyName; readonly seconds: number; readonly fits: boolean }[];
}

/** Strategies that the choice is compared with: those on whole ciphertexts, and the best that cut them. */
const rivals: readonly StrategyName[] = ["megatron", "tensor", "limb", "limb-ib"];

/** With memory of their own, devices work in larger chunks than one alone. */
const superlinear = 1.5;

/** Forecasts are about this good: a deadline is met with so much to spare. */
export const forecastMargin = 0.1;

/**
 * With a deadline the fewest devices that meet it with a tenth to spare, of those the ones with least memory
 * bandwidth; without, the fastest. Devices are taken in powers of two, and as many as there may be.
 */
export async function recommend(wish: Wish): Promise<Recommendation> {
  const { deadline = Number.POSITIVE_INFINITY, machines, study, onProgress } = wish;
  const bandwidth = new Map(machines.map(({ profile }) => [profile.name, bandwidthOf(profile)]));
  const options: Option[] = [];
  for (const { profile, most } of machines) {
    await onProgress?.(profile.title);
    const one = study(profile);
    let alone: number | undefined;
    for (const devices of counts(most)) {
      // Not worth trying: devices are hardly more times as fast as one than there are of them.
      if (alone !== undefined && alone / devices > superlinear * deadline) continue;
      const option = tryOne(one, profile, devices, deadline);
      if (option === undefined) continue;
      if (devices === 1) alone = option.seconds;
      options.push(option);
      if (wish.deadline !== undefined && option.meetsDeadline) break;
    }
  }
  const byRank = (a: Option, b: Option): number =>
    wish.deadline === undefined
      ? a.seconds - b.seconds
      : a.devices - b.devices || (bandwidth.get(a.profile) ?? 0) - (bandwidth.get(b.profile) ?? 0);
  const possible = options.filter(({ meetsDeadline }) => meetsDeadline).sort(byRank);
  const [choice] = possible;
  const rest = options.filter((option) => option !== choice);
  const others = [...possible.slice(1), ...rest.filter((o) => !o.meetsDeadline).sort((a, b) => a.seconds - b.seconds)];
  if (choice === undefined) return { choice, why: whyNot(wish, others[0]), others, strategies: [] };
  const { profile } = machines.find((machine) => machine.profile.name === choice.profile) as Wish["machines"][number];
  return { choice, why: whyThis(wish, choice, others), others, strategies: beside(study(profile), choice.devices) };
}

function counts(most: number): number[] {
  const powers: number[] = [];
  for (let n = 1; n < Math.min(most, maximumDevices); n *= 2) powers.push(n);
  return [...powers, Math.min(most, maximumDevices)];
}

/** Undefined where there is no plan, or none that fits. */
function tryOne(study: Study, profile: Profile, devices: number, deadline: number): Option | undefined {
  if (study.tryPlay("aegis", devices)?.fits !== true) return undefined;
  const comparison = study.compare("aegis", devices);
  const meetsDeadline = comparison.seconds * (1 + forecastMargin) <= deadline;
  return { profile: profile.name, ...comparison, meetsDeadline };
}

function beside(study: Study, devices: number): Recommendation["strategies"] {
  if (devices === 1) return [];
  return rivals.flatMap((strategy) => {
    const played = study.tryPlay(strategy, devices);
    return played === undefined ? [] : [{ strategy, seconds: played.simulation.seconds, fits: played.fits }];
  });
}

function whyThis({ deadline }: Wish, choice: Option, others: readonly Option[]): string {
  const waits = `${(100 * choice.exposedCommFraction).toFixed(1)} % of the time is waiting`;
  const speed = choice.devices === 1 ? "" : `, ${choice.speedup.toFixed(2)} times one device, ${waits}`;
  if (deadline === undefined) {
    const [next] = others;
    const ahead = next === undefined ? "" : `; next is ${named(next)} with ${next.seconds.toFixed(0)} s`;
    return `the fastest that fits${speed}${ahead}`;
  }
  const fewer = others.filter(({ devices, meetsDeadline }) => meetsDeadline && devices === choice.devices);
  const modest =
    fewer.length === 0 ? "" : `, the one with least memory bandwidth of the ${fewer.length + 1} that would do`;
  return `the fewest devices that meet the deadline with ${100 * forecastMargin} % to spare, which is about what forecasts are worth${modest}${speed}`;
}

function whyNot({ deadline }: Wish, nearest: Option | undefined): string {
  if (nearest === undefined) return "no machine has the memory";
  return `nothing takes less than ${deadline} s with ${100 * forecastMargin} % to spare; nearest is ${named(nearest)} with ${nearest.seconds.toFixed(0)} s`;
}

function named({ devices, profile }: Option): string {
  return `${devices} × ${profile}`;
}

function bandwidthOf(profile: Profile): number {
  return profile.kind === "gpu" ? profile.bandwidth.value : 0;
}
