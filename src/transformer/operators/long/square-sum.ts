/** Sums of squares over the features of each token, in the long layout. */
import type { Ciphertext } from "../../../ckks/index.ts";
import { Multiplier, TensorAccumulator } from "../../../ckks/index.ts";
import type { Part, SquareSumOperation } from "../../../program/index.ts";
import type { Environment } from "../environment.ts";
import { PartialSum } from "../sum.ts";

/** Degree-2 sums over the ciphertexts in `part.summed`; one for each block. */
export function squareSums(
  environment: Environment,
  operation: SquareSumOperation,
  input: readonly (Ciphertext | undefined)[],
  count: number,
  part: Part,
): PartialSum[] {
  const { context } = environment.evaluator;
  const level = operation.level as number;
  return (part.outputs[0] as readonly number[]).map((block) => {
    using sum = new TensorAccumulator(context, level);
    for (let i = 0; i < count; i++) {
      if (part.summed !== undefined && !part.summed.includes(i)) continue;
      const a = input[block * count + i] as Ciphertext;
      using factor = new Multiplier(context, a, level);
      sum.add([factor], [a]);
    }
    const { parts, scale } = sum.take();
    return new PartialSum(parts, level, scale);
  });
}

/** The total over the lanes + constant, in all lanes: summed into lane 0, masked, copied; depth 2. */
export function finishSquareSum(environment: Environment, operation: SquareSumOperation, sum: PartialSum): Ciphertext {
  const { lanes } = environment.geometry;
  using squares = environment.relineariseSum(sum);
  using total = environment.sumWindow(squares, 1, lanes);
  using first = environment.multiplyVector(
    total,
    environment.lanes((lane) => (lane === 0 ? 1 : 0)),
  );
  using copies = environment.sumWindow(first, -1, lanes);
  return environment.evaluator.addConstant(copies, operation.constant);
}
