/**
 * Strategies: which ways of running an operation a planner may choose from. None has code of its own;
 * they are sets of modes.
 */
import { AegisError } from "../base/errors.ts";

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
 * How an operation on whole ciphertexts is shared out.
 * - `replicated`: every device computes everything
 * - `single`: the first device computes everything
 * - `outputs`: tensor o of the operation on device o mod n
 * - `axis`: ciphertexts of every output spread along its axis
 * - `block`: spread by token block
 * - `summed-axis`, `summed-block`, `summed-single`: every device sums the terms that it has; sums meet
 *   where the result is owned
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
] as const;

export type Mode = (typeof modeNames)[number];

/** Strategies that cut single ciphertexts. */
export const cutStrategies = ["coefficient", "limb", "limb-ib", "limb-oa", "limb-merged"] as const;

export type CutStrategy = (typeof cutStrategies)[number];

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
