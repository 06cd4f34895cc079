/**
 * Hybrid key switching (Han–Ki, eprint 2019/688, §3) in its two halves, so that several
 * rotations of one ciphertext share the first (hoisting, Halevi–Shoup, eprint 2018/244) and sums
 * share the ModDown (double hoisting, Bossuat et al., EUROCRYPT 2021, §5).
 *
 * All polynomials are in NTT domain at the interfaces. "Extended" means over the basis QP,
 * special primes first.
 */
import type { KeyProduct, Limbs } from "../kernels/backend.ts";
import type { Poly } from "../ring/poly.ts";
import type { Context } from "./context.ts";
import type { LoadedKey } from "./key-store.ts";
import { keyModuli } from "./keys.ts";

/** What else happens to a product with a key while its limbs are in the cache. */
export interface ProductSteps {
  /** Polynomials over Q: P times them is added to the parts. */
  readonly lifted?: readonly (Limbs | undefined)[];
  /** An extended polynomial added to part 0. */
  readonly added?: Limbs;
  /** Galois element of an automorphism after that. */
  readonly element?: number;
  /** Sum that the parts are added to at last; otherwise they are fresh. */
  readonly into?: readonly [Poly, Poly];
}

/** The conversion of ModUp: digits over QP in coefficient domain; their own limbs are left out. */
function raiseDigits(context: Context, poly: Limbs, level: number, specialCount: number): Poly[] {
  const { ring, parameters } = context;
  const { kernels } = ring;
  const limbs = parameters.limbs(level);
  using coefficients = ring.poly(parameters.moduli(level), "ntt");
  kernels.inverseNttInto(coefficients, poly);
  coefficients.domain = "coefficient";
  context.exchanges.beforeModUp(coefficients);
  const basis = keyModuli(context, level, specialCount);
  return parameters.digitsAt(level).map(([from, to]) => {
    const digit = ring.poly(basis, "coefficient");
    const source = coefficients.limbs(from, to);
    const below = digit.limbs(0, specialCount + from);
    kernels.convert(below, source, ring.conversion(source.moduli, below.moduli));
    if (to < limbs) {
      const above = digit.limbs(specialCount + to);
      kernels.convert(above, source, ring.conversion(source.moduli, above.moduli));
    }
    return digit;
  });
}

/** A polynomial over Q decomposed at `level`, its digits over QP. */
export class Decomposed implements Disposable {
  readonly digits: readonly Poly[];
  readonly #poly: Limbs | undefined;
  readonly #ranges: readonly (readonly [number, number])[];
  #transformed = false;

  /** @param poly where digits are in coefficient domain: what they were made of, with their own limbs in NTT domain */
  constructor(digits: readonly Poly[], ranges: readonly (readonly [number, number])[], poly?: Limbs) {
    this.digits = digits;
    this.#ranges = ranges;
    this.#poly = poly;
  }

  /** Whether the next product transforms the digits. */
  get pending(): boolean {
    return this.#poly !== undefined && !this.#transformed;
  }

  /** Digits and source for the next product: the first one transforms the digits. */
  take(): Pick<KeyProduct, "digits" | "source"> {
    const { digits } = this;
    if (this.#poly === undefined) return { digits, source: undefined };
    const source = { poly: this.#poly, ranges: this.#ranges, transformed: this.#transformed };
    this.#transformed = true;
    return { digits, source };
  }

  [Symbol.dispose](): void {
    for (const digit of this.digits) digit.dispose();
  }
}

/** ModUp: the gadget digits of a polynomial at `level`, each extended to QP. */
export function decompose(context: Context, poly: Limbs, level: number, specialCount: number): Decomposed {
  const { ring, parameters } = context;
  const ranges = parameters.digitsAt(level);
  const digits = raiseDigits(context, poly, level, specialCount);
  for (const [d, digit] of digits.entries()) {
    const [from, to] = ranges[d] as readonly [number, number];
    const own = digit.limbs(specialCount + from, specialCount + to);
    ring.kernels.forwardNtt(digit.limbs(0, specialCount + from));
    ring.kernels.forwardNtt(digit.limbs(specialCount + to));
    ring.kernels.copy(own, { address: poly.address + from * ring.kernels.limbStride, moduli: own.moduli });
    digit.domain = "ntt";
  }
  return new Decomposed(digits, ranges);
}

/**
 * ModUp whose digits are transformed by the first product that reads them, limb by limb, while they are in the cache.
 * `poly` stays as it is until the last product.
 */
export function decomposeLater(context: Context, poly: Limbs, level: number, specialCount: number): Decomposed {
  // Where transforms are exchanges, they are made for all limbs together.
  if (context.exchanges.inTransforms) return decompose(context, poly, level, specialCount);
  const digits = raiseDigits(context, poly, level, specialCount);
  return new Decomposed(digits, context.parameters.digitsAt(level), poly);
}

/** A factor of a product with a key. */
export interface KeyFactor {
  readonly decomposed: Decomposed;
  readonly key: LoadedKey;
  readonly steps?: ProductSteps;
}

/** ModUp and product of one polynomial at `level` in one. */
export function keySwitch(
  context: Context,
  poly: Limbs,
  level: number,
  key: LoadedKey,
  steps: ProductSteps = {},
): readonly [Poly, Poly] {
  using decomposed = decomposeLater(context, poly, level, key.specialCount);
  return keyProduct(context, { decomposed, key, steps });
}

/** Σ_d digit_d · key_d: two extended polynomials (parts 0 and 1). */
export function keyProduct(context: Context, factor: KeyFactor): readonly [Poly, Poly] {
  return (keyProducts(context, [factor]) as [readonly [Poly, Poly]])[0];
}

/** {@link keyProduct} of several at one level: those that follow one another find digits or a key that they share in the cache. */
export function keyProducts(context: Context, factors: readonly KeyFactor[]): (readonly [Poly, Poly])[] {
  const { ring } = context;
  const [first] = factors as [KeyFactor];
  const { specialCount } = first.key;
  const basis = (first.decomposed.digits[0] as Poly).moduli;
  const products: KeyProduct[] = [];
  const results: (readonly [Poly, Poly])[] = [];
  for (const { decomposed, key, steps = {} } of factors) {
    const { lifted, added, element, into } = steps;
    const result = into ?? ([ring.poly(basis, "ntt"), ring.poly(basis, "ntt")] as const);
    results.push(result);
    const { digits, source } = decomposed.take();
    products.push({
      digits,
      source,
      key,
      lifted: [lifted?.[0], lifted?.[1]],
      added,
      element: element ?? 1,
      accumulates: into !== undefined,
      dst: result,
    });
  }
  const liftScalarsOfQ = liftScalars(context, basis.slice(specialCount), specialCount);
  ring.kernels.keyProducts(products, { specialCount, liftScalars: liftScalarsOfQ });
  return results;
}

/** ModDown: divides an extended polynomial by P, into a fresh polynomial over Q at `level`. */
export function modDown(context: Context, extended: Poly, level: number, specialCount: number): Poly {
  const limbs = context.parameters.limbs(level);
  const kept = extended.limbs(specialCount, specialCount + limbs);
  const result = context.ring.divide(kept, extended.limbs(0, specialCount));
  context.exchanges.afterModDown(result);
  return result;
}

/**
 * ModDown and rescale in one: divides an extended polynomial by P and by the primes that `level`
 * has and `level` − 1 has not; the result is at `level` − 1.
 */
export function modDownRescale(context: Context, extended: Poly, level: number, specialCount: number): Poly {
  const { ring, parameters } = context;
  const kept = specialCount + parameters.limbs(level - 1);
  const special = extended.limbs(0, specialCount);
  const result = ring.divide(extended.limbs(specialCount, kept), special, extended.limbs(kept));
  context.exchanges.afterModDown(result);
  return result;
}

/** P mod q for each limb. */
export function liftScalars(context: Context, moduli: readonly number[], specialCount: number): Uint32Array {
  const { ring, parameters } = context;
  return ring.scalars(`P${specialCount}`, moduli, (q) => {
    let product = 1n;
    for (const index of parameters.special.slice(0, specialCount))
      product = (product * BigInt(ring.primes[index] as number)) % BigInt(q);
    return Number(product);
  });
}
