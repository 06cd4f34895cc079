/** Linear kernels on sums over ranks, as products with keys leave them. */
import { createWasmBackend, type Limbs, type RingKernels } from "../../../src/kernels/index.ts";
import { isSharded, noExchanges, shardedBackend } from "../../../src/kernels/sharded/index.ts";
import { fillings, indices, primes, readAll, seed } from "../../kernels/support.ts";
import type { SharedCommunicator } from "./shared-communicator.ts";

const logN = 5;
const specialCount = 2;
export const partialModuli = primes(logN, 30, 6);
const digits = [
  [0, 2],
  [2, 3],
  [3, 4],
] as const;

export interface PartialResults {
  readonly results: Record<string, number[][]>;
  readonly used: number;
}

export async function partialSums(communicator: SharedCommunicator): Promise<PartialResults> {
  const inner = await createWasmBackend();
  const chain = { logN, specialCount, digits };
  const ring = shardedBackend(inner, communicator, { name: "limb-oa", chain }).ring(logN, partialModuli);
  linearKernels(ring); // makes what kernels keep
  const before = inner.memory().used;
  const results = linearKernels(ring);
  return { results, used: inner.memory().used - before };
}

/** Results of linear kernels by name. */
export function linearKernels(ring: RingKernels): Record<string, number[][]> {
  seed(5);
  const exchanges = isSharded(ring) ? ring.exchanges : noExchanges;
  const all = indices(partialModuli.length);
  const results: Record<string, number[][]> = {};
  const held: Limbs[] = [];
  const blank = (): Limbs => {
    const limbs = { address: ring.allocate(all.length), moduli: all };
    held.push(limbs);
    return limbs;
  };
  const stored = (): Limbs => {
    const limbs = blank();
    for (const i of all) {
      const q = partialModuli[i];
      ring.write(
        limbs,
        i,
        Uint32Array.from({ length: ring.degree }, (_, k) => fillings.uniform(k, q)),
      );
    }
    return limbs;
  };
  /** A part of each of some digits' ranks. */
  const partial = (of: readonly number[]): Limbs => {
    const sum = blank();
    for (const [k, digit] of of.entries()) {
      const part = exchanges.ofDigit(digit, stored);
      if (k === 0) ring.copy(sum, part);
      else ring.add(sum, sum, part);
    }
    return sum;
  };
  const known = (): Limbs => {
    const limbs = blank();
    ring.fromInt32(
      limbs,
      Int32Array.from({ length: ring.degree }, () => fillings.uniform(0, 2 ** 31)),
    );
    return limbs;
  };
  const operands = {
    stored: stored(),
    known: known(),
    "digit 1": partial([1]),
    "digits 0 and 2": partial([0, 2]),
    "all digits": partial([0, 1, 2]),
  };
  const scalars = Uint32Array.from(partialModuli, (q, i) => (i === 2 ? 0 : q - 1 - i));
  for (const [left, a] of Object.entries(operands)) {
    const one = (name: string, run: (dst: Limbs) => void): void => {
      const dst = blank();
      run(dst);
      results[`${name} of ${left}`] = readAll(ring, dst);
      exchanges.afterModDown(dst);
      results[`${name} of ${left}, aggregated`] = readAll(ring, dst);
    };
    one("negate", (dst) => ring.negate(dst, a));
    one("multiplyScalar", (dst) => ring.multiplyScalar(dst, a, scalars));
    one("addScalar", (dst) => ring.addScalar(dst, a, scalars));
    one("automorphism", (dst) => ring.automorphism(dst, a, 5));
    one("transforms", (dst) => {
      ring.copy(dst, a);
      ring.inverseNtt(dst);
      ring.forwardNtt(dst);
    });
    one("product with what all know", (dst) => ring.multiply(dst, operands.known, a));
    for (const [right, b] of Object.entries(operands)) {
      const two = (name: string, run: (dst: Limbs) => void): void => one(`${name} with ${right}`, run);
      two("add", (dst) => ring.add(dst, a, b));
      two("subtract", (dst) => ring.subtract(dst, a, b));
      two("subtractMultiplyScalar", (dst) => ring.subtractMultiplyScalar(dst, a, b, scalars));
      two("multiplyScalarAdd", (dst) => {
        ring.copy(dst, a);
        ring.multiplyScalarAdd(dst, b, scalars);
      });
      two("in place of the second", (dst) => {
        ring.copy(dst, b);
        ring.subtract(dst, a, dst);
      });
      two("sums of products", (dst) => {
        const other = blank();
        ring.copy(dst, b);
        ring.copy(other, operands.stored);
        const factors = [operands.known, operands.known];
        // The sums have different holders, and one of them may have no term on a rank.
        ring.multiplySumPair(dst, other, factors, [a, b], [b, operands.stored], left !== "known", 0);
        ring.add(dst, dst, other);
      });
    }
  }
  for (const { address } of held) ring.release(address, all.length);
  return results;
}
