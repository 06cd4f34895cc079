/** Weights for counting: all ones. */
import type { Operation, Program, Tensor } from "../../program/index.ts";
import type { FoldedWeights } from "../weights.ts";

/** Ones of the shape of a linear operation's weights: which diagonals exist is what matters. */
export function emptyWeights(
  program: Pick<Program, "tensors" | "geometry" | "classes" | "output">,
  operation: Operation,
  index: number,
): FoldedWeights {
  const { geometry, tensors } = program;
  const output = tensors[operation.outputs[index] as string] as Tensor;
  const input = tensors[operation.inputs[0] as string] as Tensor;
  const hidden = geometry.heads * geometry.headSize;
  const narrow = output.name === program.output ? program.classes : hidden;
  const rows = output.content === "wide" ? (output.features ?? output.count * geometry.lanes) : narrow;
  const columns =
    input.axis === "feature" && input.content === "wide" ? (input.features ?? input.count * geometry.lanes) : hidden;
  return { rows, columns, at: () => 1, bias: new Float64Array(rows) };
}
