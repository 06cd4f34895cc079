/** Checks that operations on ciphertexts share, with errors that say levels and scales. */
import { AegisError } from "../base/errors.ts";
import type { Ciphertext } from "./ciphertext.ts";

/** Sums accept scales whose ratio differs from 1 by less than this. */
export const scaleTolerance = 2 ** -35;

export function requireLevel(operation: string, a: Ciphertext): void {
  if (a.level > 0) return;
  throw new AegisError(
    "level",
    `${operation}: the ciphertext is at level 0 (scale 2^${Math.log2(a.scale).toFixed(2)}): no level is left`,
    {
      operation,
      level: 0,
      logScale: Math.log2(a.scale),
      hint: "bootstrap it, or use parameters with more levels",
    },
  );
}

export function requireSameScale(
  operation: string,
  a: { scale: number; level: number },
  b: { scale: number; level: number },
): void {
  const ratio = a.scale / b.scale;
  if (Math.abs(ratio - 1) < scaleTolerance) return;
  const show = (x: { scale: number; level: number }): string =>
    `2^${Math.log2(x.scale).toFixed(4)} at level ${x.level}`;
  throw new AegisError("scale", `${operation}: the scales differ: ${show(a)} and ${show(b)}`, {
    operation,
    level: Math.min(a.level, b.level),
    logScale: Math.log2(a.scale),
    hint: "rescale both alike, or multiply one by a constant whose scale makes up the ratio",
  });
}

export function requireDegree(operation: string, a: Ciphertext): void {
  if (a.parts.length === 2) return;
  throw new AegisError(
    "argument",
    `${operation}: expected a ciphertext of degree 1, got degree ${a.parts.length - 1}`,
    {
      operation,
      level: a.level,
      hint: "relinearise it first",
    },
  );
}

export function requireScaleRatio(operation: string, ratio: number, level: number): void {
  if (Math.abs(ratio - 1) < scaleTolerance) return;
  throw new AegisError(
    "scale",
    `${operation}: the products of a sum have scales whose ratio is 2^${Math.log2(ratio).toFixed(6)}`,
    { operation, level },
  );
}
