/** What both sides of the comparison do: the same operations on the same data, checked. */

export const operations = [
  "encode",
  "encrypt",
  "encrypt with the secret key",
  "decrypt and decode",
  "add",
  "multiply-plain",
  "multiply, relinearise, rescale",
  "rotate",
] as const;

export type Operation = (typeof operations)[number];

/** One library with parameters, keys and data in place. */
export interface Side {
  readonly name: string;
  /** log2 of the ciphertext modulus and of the modulus with the special primes. */
  readonly logQ: number;
  readonly logQP: number;
  /** log2 of the scale that data is encoded at. */
  readonly logScale: number;
  /** Products in sequence that the modulus allows at this scale. */
  readonly levels: number;
  /** Runs the operation once and frees its result. */
  run(operation: Operation): void;
  /** Slots after the operation, decrypted. */
  result(operation: Operation): Float64Array;
  dispose(): void;
}

/** The two operands: real numbers in [−1, 1]. */
export function operands(slots: number): readonly [Float64Array, Float64Array] {
  return [
    Float64Array.from({ length: slots }, (_, j) => Math.sin(1 + j)),
    Float64Array.from({ length: slots }, (_, j) => Math.cos(3 * j)),
  ];
}

/** Worst slot error of an operation's result as bits: −log2 of the largest difference. */
export function correctBits(operation: Operation, result: Float64Array): number {
  const slots = result.length;
  const [x, y] = operands(slots);
  const expected = (j: number): number => {
    switch (operation) {
      case "add":
        return (x[j] as number) + (y[j] as number);
      case "multiply-plain":
      case "multiply, relinearise, rescale":
        return (x[j] as number) * (y[j] as number);
      case "rotate":
        return x[(j + 1) % slots] as number;
      default:
        return x[j] as number;
    }
  };
  let worst = 0;
  for (let j = 0; j < slots; j++) worst = Math.max(worst, Math.abs((result[j] as number) - expected(j)));
  return -Math.log2(worst);
}
