/**
 * The points at which a rank of the coefficient sharding evaluates. With N = n·M, rank r holds the
 * positions r·M + i of the bit-reversed order; position r·M + i is the point ψ^e,
 * e = 2·(n·bitrev(i) + bitrev(r)) + 1, where i is reversed in log2 M bits and r in log2 n.
 */
import type { Limbs, RingKernels } from "../backend.ts";
import { multiplyModulo, powerModulo, smallestGenerator } from "../modulus.ts";

export function reverseBits(value: number, bits: number): number {
  let reversed = 0;
  for (let bit = 0; bit < bits; bit++) reversed = reversed * 2 + ((value >>> bit) & 1);
  return reversed;
}

export interface Twiddles {
  /** Limb j: x^j·2^32 for the points x of the rank. */
  readonly forward: readonly Limbs[];
  /** Limb j: x^-j·n^-1·2^32. */
  readonly inverse: readonly Limbs[];
}

/**
 * Tables of one prime in the memory of the backend, for as long as it lives.
 *
 * @param part kernels of degree M
 * @param filled whether anything reads them
 */
export function makeTwiddles(
  part: RingKernels,
  modulus: number,
  rank: number,
  size: number,
  filled: boolean,
): Twiddles {
  const limbs = (address: number): Limbs[] =>
    Array.from({ length: size }, (_, j) => ({ address: address + j * part.limbStride, moduli: [modulus] }));
  if (!filled) return { forward: limbs(0), inverse: limbs(0) };
  const q = part.moduli[modulus];
  const degree = size * part.degree;
  const root = powerModulo(smallestGenerator(q), (q - 1) / (2 * degree), q);
  const fill = (psi: number, first: number): Limbs[] => {
    const tables = limbs(part.allocate(size));
    const points = pointsOf(part, rank, size, psi, q);
    const powers = new Uint32Array(part.degree).fill(first);
    for (const table of tables) {
      part.write(table, 0, powers);
      for (let i = 0; i < powers.length; i++) powers[i] = multiplyModulo(powers[i], points[i], q);
    }
    return tables;
  };
  const radix = 2 ** 32 % q;
  return {
    forward: fill(root, radix),
    inverse: fill(powerModulo(root, q - 2, q), multiplyModulo(radix, powerModulo(size, q - 2, q), q)),
  };
}

function pointsOf(part: RingKernels, rank: number, size: number, psi: number, q: number): Uint32Array {
  const points = new Uint32Array(part.degree);
  const step = powerModulo(psi, 2 * size, q);
  let point = powerModulo(psi, 2 * reverseBits(rank, Math.log2(size)) + 1, q);
  for (let b = 0; b < points.length; b++) {
    points[reverseBits(b, part.logN)] = point;
    point = multiplyModulo(point, step, q);
  }
  return points;
}

/**
 * Where the values of a rank come from under X → X^g: all from one rank. Value e of a(X^g) is value e·g of
 * a; e modulo 2n tells the rank, and so does e·g.
 */
export class BlockPermutation {
  /** Rank of the source of each rank's block. */
  readonly sources: readonly number[];
  readonly #part: RingKernels;
  readonly #rank: number;
  readonly #size: number;
  readonly #element: number;
  #positions: Uint32Array | undefined;

  constructor(part: RingKernels, rank: number, size: number, element: number) {
    this.#part = part;
    this.#rank = rank;
    this.#size = size;
    this.#element = element;
    const logSize = Math.log2(size);
    this.sources = Array.from({ length: size }, (_, block) => reverseBits(this.#sourceOf(0, block) % size, logSize));
  }

  /** Position in the source's block of each value of this rank; made when values move first. */
  get positions(): Uint32Array {
    const { degree, logN } = this.#part;
    this.#positions ??= Uint32Array.from({ length: degree }, (_, i) =>
      reverseBits(Math.floor(this.#sourceOf(i, this.#rank) / this.#size), logN),
    );
    return this.#positions;
  }

  #sourceOf(position: number, block: number): number {
    const size = this.#size;
    const exponent = 2 * (size * reverseBits(position, this.#part.logN) + reverseBits(block, Math.log2(size))) + 1;
    return (((exponent * this.#element) % (2 * size * this.#part.degree)) - 1) / 2;
  }
}
