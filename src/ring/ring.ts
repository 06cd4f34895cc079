/**
 * The polynomial ring Z[X]/(X^N + 1) modulo a table of primes, on one backend: memory for
 * polynomials, constants that are computed once, and the composite RNS operation that both
 * ModDown and rescale are: exact division by a set of primes.
 */
import { invariant } from "../base/validate.ts";
import type { Backend, ConversionTable, Limbs, RingKernels } from "../kernels/backend.ts";
import { nameOfModuli } from "../kernels/limbs.ts";
import { conversionTable } from "./conversion.ts";
import { invertModulo, productModulo } from "./modular.ts";
import { type Domain, Poly } from "./poly.ts";

/** Constants depend on the primes alone: rings over one table of primes share them. */
class Constants {
  readonly conversions = new Map<string, ConversionTable>();
  readonly scalars = new Map<string, Uint32Array>();
}

const constants = new WeakMap<readonly number[], Constants>();

function constantsOf(primes: readonly number[]): Constants {
  const known = constants.get(primes) ?? new Constants();
  constants.set(primes, known);
  return known;
}

export class Ring {
  readonly kernels: RingKernels;
  readonly logN: number;
  readonly degree: number;
  /** All primes: indices of `moduli` everywhere refer to this table. */
  readonly primes: readonly number[];
  /** `[m]` for every prime index m: the moduli of single limbs. */
  readonly singles: readonly (readonly number[])[];
  readonly #constants: Constants;
  readonly #subrings = new Map<number, Ring>();

  constructor(backend: Backend, logN: number, primes: readonly number[]) {
    this.kernels = backend.ring(logN, primes);
    this.logN = logN;
    this.degree = 2 ** logN;
    this.primes = primes;
    this.#constants = constantsOf(primes);
    this.singles = primes.map((_, index) => Object.freeze([index]));
  }

  get backend(): Backend {
    return this.kernels.backend;
  }

  /** Uninitialised polynomial over the primes with these indices. */
  poly(moduli: readonly number[], domain: Domain): Poly {
    return new Poly(this, moduli, domain);
  }

  /** Zero polynomial. */
  zero(moduli: readonly number[], domain: Domain): Poly {
    const poly = this.poly(moduli, domain);
    this.kernels.zero(poly);
    return poly;
  }

  /** The ring of degree 2^logDegree over the same primes: polynomials in X^(N/2^logDegree). */
  subring(logDegree: number): Ring {
    if (logDegree === this.logN) return this;
    let ring = this.#subrings.get(logDegree);
    if (ring === undefined) {
      ring = new Ring(this.backend, logDegree, this.primes);
      this.#subrings.set(logDegree, ring);
    }
    return ring;
  }

  /** Conversion constants from one set of primes to another, cached. */
  conversion(from: readonly number[], to: readonly number[]): ConversionTable {
    const key = `${nameOfModuli(from)}>${nameOfModuli(to)}`;
    let table = this.#constants.conversions.get(key);
    if (table === undefined) {
      table = conversionTable(this.primes, from, to);
      this.#constants.conversions.set(key, table);
    }
    return table;
  }

  /** One residue per limb, computed once per (name, moduli). */
  scalars(name: string, moduli: readonly number[], residue: (prime: number) => number): Uint32Array {
    const key = `${name}|${nameOfModuli(moduli)}`;
    let scalars = this.#constants.scalars.get(key);
    if (scalars === undefined) {
      scalars = Uint32Array.from(moduli, (index) => residue(this.primes[index] as number));
      this.#constants.scalars.set(key, scalars);
    }
    return scalars;
  }

  /** 2^32 mod q per limb: multiplying by it brings residues into Montgomery form. */
  montgomery(moduli: readonly number[]): Uint32Array {
    return this.scalars("R", moduli, (q) => 2 ** 32 % q);
  }

  /** 2^-32 mod q per limb: multiplying by it leaves Montgomery form. */
  montgomeryInverse(moduli: readonly number[]): Uint32Array {
    return this.scalars("1/R", moduli, (q) => invertModulo(2 ** 32 % q, q));
  }

  /**
   * round(x / D) modulo the primes of `kept`, where D is the product of the primes of `dropped`:
   * ModDown (D = P), rescale (D = the primes of one level), or both at once. NTT domain in and
   * out; the centred remainder is subtracted, so the rounding error is at most 1/2 (plus 2^-27).
   *
   * @param kept the limbs of x to divide
   * @param dropped limbs of x modulo the divisor's primes, in any number of views
   */
  divide(kept: Limbs, ...dropped: readonly Limbs[]): Poly {
    const moduli = dropped.flatMap((view) => view.moduli);
    invariant(moduli.length > 0, "divide needs at least one prime to drop");
    using remainder = this.poly(moduli, "coefficient");
    let gathered = 0;
    for (const view of dropped) {
      this.kernels.inverseNttInto(remainder.limbs(gathered, gathered + view.moduli.length), view);
      gathered += view.moduli.length;
    }
    const divisor = moduli.map((index) => this.primes[index] as number);
    const inverse = this.scalars(`1/${nameOfModuli(moduli)}`, kept.moduli, (q) =>
      invertModulo(productModulo(divisor, q), q),
    );
    const quotient = this.poly(kept.moduli, "ntt");
    this.kernels.convert(quotient, remainder, this.conversion(moduli, kept.moduli));
    // In place: what is transformed is in the cache, memory elsewhere would have to be read to be written.
    this.kernels.subtractTransformed(quotient, kept, quotient, inverse);
    return quotient;
  }

  /** Limb i of a view. */
  limb(view: Limbs, i: number): Limbs {
    return {
      address: view.address + i * this.kernels.limbStride,
      moduli: this.singles[view.moduli[i] as number] as readonly number[],
    };
  }
}
