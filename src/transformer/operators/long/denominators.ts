/**
 * Sums of scores over all keys, in the long layout: each diagonal is masked and weighted by head on the
 * way, each giant step's sum is rotated back once over QP, the groups are summed at last.
 */
import type { Ciphertext, ExtendedCiphertext, Plaintext } from "../../../ckks/index.ts";
import { type DenominatorsOperation, diagonalCount, groupsOf, type Part, range } from "../../../program/index.ts";
import type { Environment } from "../environment.ts";
import { PartialSum } from "../sum.ts";
import { byGiant } from "./context.ts";
import { keyWeights } from "./mask.ts";
import { giantStep } from "./scores.ts";

/** Sums over QP of the diagonals in `part.summed`, which holds whole giant steps; one for each block of queries. */
export function denominatorSums(
  environment: Environment,
  operation: DenominatorsOperation,
  scores: readonly (Ciphertext | undefined)[],
  part: Part,
): PartialSum[] {
  const { evaluator, geometry } = environment;
  const level = operation.level as number;
  const count = diagonalCount(geometry);
  const rows = byGiant(environment, part.summed ?? range(count));
  return (part.outputs[0] as readonly number[]).map((queryBlock) => {
    const masks = new Map<string, Plaintext>();
    let total: ExtendedCiphertext | undefined;
    for (const [giant, places] of rows) {
      const terms = places.map(({ keyBlock, baby, index }) => {
        const a = scores[queryBlock * count + index] as Ciphertext;
        const key = `${keyBlock} ${baby}`;
        const mask = masks.get(key) ?? encodeMask(environment, operation, keyBlock, baby, a, level);
        masks.set(key, mask);
        return [a, mask] as const;
      });
      using sum = evaluator.plainSum(terms);
      total ??= environment.zeroExtended(level, sum.scale);
      using extended = giant === 0 ? evaluator.extend(sum) : rotated(environment, sum, giant * giantStep(geometry));
      evaluator.addExtended(total, extended);
    }
    for (const mask of masks.values()) mask.dispose();
    const { parts, scale } = total as ExtendedCiphertext;
    return new PartialSum(parts, level, scale);
  });
}

/** factor·total + constant in the lanes of every group; depth 1, or 2 where groups are summed. */
export function finishDenominators(
  environment: Environment,
  operation: DenominatorsOperation,
  sum: PartialSum,
): Ciphertext {
  const { geometry } = environment;
  const groups = groupsOf(geometry);
  using total = environment.divideSum(sum);
  // Lanes without a head stay zero: the middle of the interval of the inverse that follows.
  const constants = environment.lanes((lane) => (lane % geometry.width < geometry.heads ? operation.constant : 0));
  if (groups === 1) return environment.addVector(total, constants);
  using summed = environment.sumWindow(total, geometry.width, groups);
  using first = environment.multiplyVector(summed, environment.singleMask());
  using copies = environment.sumWindow(first, -geometry.width, groups);
  return environment.addVector(copies, constants);
}

function rotated(environment: Environment, a: Ciphertext, steps: number): ExtendedCiphertext {
  using hoisted = environment.evaluator.hoist(a);
  return environment.evaluator.rotateExtended(hoisted, steps);
}

/** Weights of the keys that a baby step meets, such that the rescaled sum has the common scale. */
function encodeMask(
  environment: Environment,
  operation: DenominatorsOperation,
  keyBlock: number,
  baby: number,
  a: Ciphertext,
  level: number,
): Plaintext {
  const factors = (operation.headFactors as readonly number[]).map((factor) => factor * operation.factor);
  const scale = (environment.scale * environment.evaluator.context.parameters.levelModulus(level)) / a.scale;
  return environment.evaluator.encode(keyWeights(environment, keyBlock, factors, baby), {
    level,
    scale,
    use: "product",
  });
}
