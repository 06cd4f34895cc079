/** How a strategy that cuts ciphertexts shares out polynomials. */
import { AegisError } from "../../base/errors.ts";
import type { Parameters } from "../../ckks/index.ts";
import { type Sharding, shardingNames } from "../../kernels/index.ts";
import type { CutStrategy } from "../../placement/index.ts";

/** Throws `plan` for strategies that are only planned. */
export function shardingOf(strategy: CutStrategy, parameters: Parameters): Sharding {
  const name = shardingNames.find((known) => known === strategy);
  if (name === undefined) {
    throw new AegisError("plan", `strategy ${strategy} can be planned but not run`, {
      hint: `run ${shardingNames.join(", ")} instead`,
    });
  }
  return { name, chain: parameters };
}
