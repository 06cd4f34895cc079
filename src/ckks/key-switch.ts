/**
 * Hybrid key switching (Han–Ki, eprint 2019/688, §3) in its two halves, so that several
 * rotations of one ciphertext share the first (hoisting, Halevi–Shoup, eprint 2018/244) and sums
 * share the ModDown (double hoisting, Bossuat et al., EUROCRYPT 2021, §5).
 *
 * All polynomials are in NTT domain at the interfaces. "Extended" means over the basis QP,
 * special primes first.
 */
import type { Limbs } from "../kernels/backend.ts";
import type { Poly } from "../ring/poly.ts";
import type { Context } from "./context.ts";
import type { LoadedKey } from "./key-store.ts";
import { keyModuli } from "./keys.ts";

/** ModUp: the gadget digits of a polynomial at `level`, each extended to QP. */
export function decompose(context: Context, poly: Limbs, level: number, specialCount: number): Poly[] {
  const { ring, parameters } = context;
  const { kernels } = ring;
  const limbs = parameters.limbs(level);
  using coefficients = ring.poly(parameters.moduli(level), "ntt");
  kernels.copy(coefficients, poly);
  coefficients.toCoefficient();
  const basis = keyModuli(context, level, specialCount);
  return parameters.digitsAt(level).map(([from, to]) => {
    const digit = ring.poly(basis, "ntt");
    const source = coefficients.limbs(from, to);
    const below = digit.limbs(0, specialCount + from);
    kernels.convert(below, source, ring.conversion(source.moduli, below.moduli));
    kernels.forwardNtt(below);
    if (to < limbs) {
      const above = digit.limbs(specialCount + to);
      kernels.convert(above, source, ring.conversion(source.moduli, above.moduli));
      kernels.forwardNtt(above);
    }
    const own = { address: poly.address + from * kernels.limbStride, moduli: source.moduli };
    kernels.copy(digit.limbs(specialCount + from, specialCount + to), own);
    return digit;
  });
}

/** Σ_d digit_d · key_d: two extended polynomials (parts 0 and 1). */
export function keyProduct(context: Context, digits: readonly Poly[], key: LoadedKey): [Poly, Poly] {
  const { ring } = context;
  const basis = (digits[0] as Poly).moduli;
  const part0 = ring.poly(basis, "ntt");
  const part1 = ring.poly(basis, "ntt");
  const prefix = (poly: Poly): Limbs => poly.limbs(0, basis.length);
  const b = digits.map((_, d) => prefix(key.b[d] as Poly));
  const a = digits.map((_, d) => prefix(key.a[d] as Poly));
  ring.kernels.multiplySumPair(part0, part1, digits, b, a, false, 0);
  return [part0, part1];
}

/** ModDown: divides an extended polynomial by P, into a fresh polynomial over Q at `level`. */
export function modDown(context: Context, extended: Poly, level: number, specialCount: number): Poly {
  const { ring, parameters } = context;
  const result = ring.poly(parameters.moduli(level), "ntt");
  ring.divide(result, extended.limbs(specialCount), extended.limbs(0, specialCount));
  return result;
}

/**
 * ModDown and rescale in one: divides an extended polynomial by P and by the primes that `level`
 * has and `level` − 1 has not; the result is at `level` − 1.
 */
export function modDownRescale(context: Context, extended: Poly, level: number, specialCount: number): Poly {
  const { ring, parameters } = context;
  const kept = specialCount + parameters.limbs(level - 1);
  const result = ring.poly(parameters.moduli(level - 1), "ntt");
  ring.divide(result, extended.limbs(specialCount, kept), extended.limbs(0, specialCount), extended.limbs(kept));
  return result;
}

/** part += P·poly on the Q limbs of an extended polynomial. */
export function addLifted(context: Context, part: Poly, poly: Limbs, specialCount: number): void {
  const { ring } = context;
  const scalars = liftScalars(context, poly.moduli, specialCount);
  ring.kernels.multiplyScalarAdd(part.limbs(specialCount), poly, scalars);
}

/** P mod q for each limb. */
export function liftScalars(context: Context, moduli: readonly number[], specialCount: number): Uint32Array {
  const { ring, parameters } = context;
  return ring.scalars(`P${specialCount}`, moduli, (q) => {
    let product = 1n;
    for (const index of parameters.special.slice(0, specialCount)) product = (product * BigInt(ring.primes[index] as number)) % BigInt(q);
    return Number(product);
  });
}
