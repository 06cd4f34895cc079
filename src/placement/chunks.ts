/** How many results of an operation are worked on at a time: what bounds its workspace. */
import type { Operation, Program } from "../program/index.ts";
import { isSumming } from "../transformer/index.ts";
import { type RingSizes, sumBytes } from "./sizes.ts";

/**
 * Results whose sums take `bytes` together. Diagonals come in whole giant steps, so that a chunk's keys
 * are rotated by all baby steps for each of its giant steps.
 */
export function chunkSize(
  ring: RingSizes,
  program: Pick<Program, "tensors" | "geometry">,
  operation: Operation,
  bytes: number,
): number {
  if (!isSumming(program, operation) || (operation.kind !== "linear" && operation.kind !== "scores"))
    return Number.POSITIVE_INFINITY;
  const unit = Math.max(...operation.outputs.map((_, o) => sumBytes(ring, program, operation, o)));
  const fit = Math.max(1, Math.floor(bytes / unit));
  if (operation.kind === "linear") return fit;
  const { babySteps } = program.geometry;
  return Math.max(babySteps, Math.floor(fit / babySteps) * babySteps);
}
