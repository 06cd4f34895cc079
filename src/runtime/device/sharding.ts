/** Which strategies can be run. */
import { AegisError } from "../../base/errors.ts";
import { shardingNames } from "../../kernels/index.ts";
import { isCut, type StrategyName } from "../../placement/index.ts";

/** Throws `plan` for strategies that are only planned. */
export function requireRunnable(strategy: StrategyName): void {
  if (!isCut(strategy) || shardingNames.some((known) => known === strategy)) return;
  throw new AegisError("plan", `strategy ${strategy} can be planned but not run`, {
    hint: `run ${shardingNames.join(", ")} instead`,
  });
}
