/**
 * Strategies: which ways of running an operation a planner may choose from. None has code of its own;
 * they are sets of modes.
 */
import { AegisError } from "../base/errors.ts";
import { type ShardingName, shardingNames } from "../kernels/index.ts";

export const strategyNames = [
  "aegis",
  "megatron",
  "tensor",
  "data",
  "coefficient",
  "limb",
  "limb-ib",
  "limb-oa",
  "limb-merged",
] as const;

export type StrategyName = (typeof strategyNames)[number];

/**
 * How an operation is shared out. On whole ciphertexts:
 * - `replicated`: every device computes everything
 * - `single`: the first device computes everything
 * - `outputs`: tensor o of the operation on device o mod n
 * - `axis`: ciphertexts of every output spread along its axis
 * - `block`: spread by token block
 * - `summed-axis`, `summed-block`, `summed-single`: every device sums the terms that it has; sums meet
 *   where the result is owned
 *
 * The names of shardings stand for running it on ciphertexts that are cut: every device has a share
 * of every polynomial.
 */
export const modeNames = [
  "replicated",
  "single",
  "outputs",
  "axis",
  "block",
  "summed-axis",
  "summed-block",
  "summed-single",
  ...shardingNames,
] as const;

export type Mode = (typeof modeNames)[number];

/** Strategies that cut single ciphertexts. */
export const cutStrategies = ["coefficient", "limb", "limb-ib", "limb-oa", "limb-merged"] as const;

export type CutStrategy = (typeof cutStrategies)[number];

/** The sharding of a mode on ciphertexts that are cut; undefined for modes on whole ones. */
export function shardingOfMode(mode: Mode): ShardingName | undefined {
  return shardingNames.find((name) => name === mode);
}

/**
 * Shardings that a strategy may run an operation under.
 *
 * `limb-merged` stands for Cerium's schedule (arXiv 2512.11269), which merges output aggregation and the
 * input broadcast that follows it into one all-reduce. Here every operation is run under that of the
 * two which sends less, and going over from one to the other between operations sends nothing: no
 * schedule that chooses operation by operation sends less. It is a bound to compare with, in favour of
 * that design, and cannot be run, since limbs would have to move between the two layouts.
 */
export function shardingsOf(strategy: CutStrategy): readonly ShardingName[] {
  if (strategy === "limb-merged") return ["limb-ib", "limb-oa"];
  return shardingNames.filter((name) => name === strategy);
}

export function isCut(strategy: StrategyName): strategy is CutStrategy {
  return (cutStrategies as readonly string[]).includes(strategy);
}

/** Throws `argument` for a name that no strategy has. */
export function checkStrategy(name: string): StrategyName {
  if ((strategyNames as readonly string[]).includes(name)) return name as StrategyName;
  throw new AegisError(
    "argument",
    `strategy: expected one of ${strategyNames.join(", ")}, got ${JSON.stringify(name)}`,
  );
}
