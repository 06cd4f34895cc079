/** Parts of an operation: what one device computes of it. */
import { ciphertextsOf, type Operation, type Program } from "./program.ts";

export interface Part {
  /** For each output of the operation, the numbers (block·count + i) of the ciphertexts to make, ascending. */
  readonly outputs: readonly (readonly number[])[];
  /**
   * Places along the input axis that the operation sums over, ascending: results are partial sums
   * of these terms. Absent: all, and results are whole.
   */
  readonly summed?: readonly number[];
}

/** 0, 1, …, count − 1. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** All of an operation. */
export function wholePart(program: Pick<Program, "tensors">, operation: Operation): Part {
  return {
    outputs: operation.outputs.map((name) => {
      const tensor = program.tensors[name];
      return range(tensor === undefined ? 0 : ciphertextsOf(tensor));
    }),
  };
}
