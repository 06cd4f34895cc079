/**
 * Takes ciphertexts [a b] of 2n slots apart, a in the first n and b in the others. One level: products
 * with a vector that is constant on both halves.
 */
import { type Ciphertext, type Context, Encoder, type Evaluator, type Plaintext } from "../../ckks/index.ts";

export class Unpacking implements Disposable {
  /** n. */
  readonly #slots: number;
  /** 1 in the first half, i in the second. */
  readonly #turns: Plaintext;
  /** 1 in the first half, −1 in the second. */
  readonly #signs: Plaintext;

  constructor(context: Context, slots: number, level: number) {
    this.#slots = slots;
    const half = (first: number, second: number): Float64Array =>
      Float64Array.from({ length: 2 * slots }, (_, j) => (j < slots ? first : second));
    const encoder = new Encoder(context);
    const options = { level, scale: context.parameters.levelModulus(level), use: "product" } as const;
    this.#turns = encoder.encode({ real: half(1, 0), imaginary: half(0, 1) }, options);
    this.#signs = encoder.encode(half(1, -1), options);
  }

  get bytes(): number {
    return this.#turns.bytes + this.#signs.bytes;
  }

  /** [a b] → a + i·b. */
  complex(evaluator: Evaluator, halves: Ciphertext): Ciphertext {
    using turned = multiplyRescale(evaluator, halves, this.#turns);
    using swapped = evaluator.rotate(turned, this.#slots);
    return evaluator.add(turned, swapped);
  }

  /** [a b] → 2a and 2b, from the sum and the difference of [a b] and [b a]. */
  doubledParts(evaluator: Evaluator, halves: Ciphertext): [Ciphertext, Ciphertext] {
    using swapped = evaluator.rotate(halves, this.#slots);
    using sum = evaluator.add(halves, swapped);
    using opposite = evaluator.subtract(halves, swapped);
    using difference = multiplyRescale(evaluator, opposite, this.#signs);
    return [evaluator.add(sum, difference), evaluator.subtract(sum, difference)];
  }

  [Symbol.dispose](): void {
    this.#turns.dispose();
    this.#signs.dispose();
  }
}

function multiplyRescale(evaluator: Evaluator, a: Ciphertext, plaintext: Plaintext): Ciphertext {
  using product = evaluator.multiplyPlain(a, plaintext);
  return evaluator.rescale(product);
}
