/**
 * Encryption parameters: a plain JSON description (ParametersSpec) is checked into a frozen
 * object (Parameters) with its primes, levels, digits and sizes.
 *
 * A *level* is a set of primes; rescaling from level l to l−1 divides by the primes that level l
 * has and level l−1 has not. Special primes P stand first in the table of primes and in every
 * extended polynomial, so that lower levels are prefixes of higher ones also in the basis QP.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { AegisError } from "../base/errors.ts";
import { integerIn } from "../base/validate.ts";
import { PrimeSupply } from "../ring/primes.ts";
import { maximumLogQP, requireSecure, type SecretDistribution } from "./security.ts";

/**
 * What a bootstrapping circuit needs to know; see circuits/bootstrapping. Levels from below: the
 * slots-to-coefficients transform, those a program uses, one that unpacks, EvalMod, the
 * coefficients-to-slots transform.
 */
export interface BootstrappingSpec {
  /** Levels of the slots-to-coefficients and coefficients-to-slots transforms. */
  readonly slotsToCoefficients: number;
  readonly coefficientsToSlots: number;
  /** log2 of the base modulus over the scale of the message that the sine reduces. */
  readonly logMessageRatio: number;
  /** Bound on the multiples of q0 after ModRaise. */
  readonly range: number;
  /** Degree of the cosine approximation and number of double-angle steps after it. */
  readonly cosineDegree: number;
  readonly doubleAngles: number;
  /** Weight of the ephemeral sparse secret (eprint 2022/024). */
  readonly ephemeralWeight: number;
}

/** Serialisable description of parameters; sizes are log2. */
export interface ParametersSpec {
  readonly name: string;
  readonly logN: number;
  /** log2 of the modulus at level 0. */
  readonly logBase: number;
  /** log2 of what each level divides by, from level 1 upwards. */
  readonly logLevels: readonly number[];
  /** log2 of the special primes of key switching. */
  readonly logSpecial: readonly number[];
  /**
   * Most bits of a gadget digit; default: half a bit more than the special primes together. Larger
   * digits are fewer, so key switching is faster, and its noise grows by what they exceed P.
   */
  readonly logDigit?: number;
  /** log2 of the default scale. */
  readonly logScale: number;
  readonly secret: SecretDistribution;
  readonly bootstrapping?: BootstrappingSpec;
  /** Accepts parameters below 128 bits of security; the name must contain `insecure`. */
  readonly insecure?: boolean;
}

/** Most special primes: base conversion takes 24 source limbs, up to four of them a level's. */
const maximumSpecial = 20;

/** Bounds of a gadget digit in bits: one prime, and what 24 limbs of 24 bits hold. */
const minimumDigitBits = 29.6;
const maximumDigitBits = 576;

/** Largest modulus of one level, in bits. */
const maximumSetBits = 118;

/** Primes a set of `bits` bits is made of: as few as fit under 29.5 bits each. */
function primeCount(bits: number): number {
  return Math.ceil(bits / 29.5);
}

export class Parameters {
  readonly spec: ParametersSpec;
  readonly name: string;
  readonly logN: number;
  /** Ring degree N. */
  readonly degree: number;
  /** N/2, the number of complex slots of a full ciphertext. */
  readonly maximumSlots: number;
  /** All primes, special ones first. */
  readonly primes: readonly number[];
  /** Number of special primes. */
  readonly specialCount: number;
  /** Indices of the special primes. */
  readonly special: readonly number[];
  /** Number of Q limbs at each level. */
  readonly limbsAtLevel: readonly number[];
  readonly maximumLevel: number;
  readonly scale: number;
  readonly logQ: number;
  readonly logP: number;
  readonly logQP: number;
  /** Q-limb ranges [from, to) of the gadget digits, over the whole chain. */
  readonly digits: readonly (readonly [number, number])[];
  /** 16 bytes that name the exact primes and secret; stands in every serialised object. */
  readonly digest: Uint8Array;
  /** By level. */
  readonly #moduli: readonly (readonly number[])[];
  readonly #extendedModuli: readonly (readonly number[])[];
  readonly #digitsAtLevel: readonly (readonly (readonly [number, number])[])[];

  /** Checks `spec`, searches primes. Throws `parameters` or `security`. */
  constructor(spec: ParametersSpec) {
    checkShape(spec);
    this.spec = Object.freeze(structuredClone(spec) as ParametersSpec);
    this.name = spec.name;
    this.logN = spec.logN;
    this.degree = 2 ** spec.logN;
    this.maximumSlots = this.degree / 2;
    const supply = new PrimeSupply(spec.logN);
    const special = spec.logSpecial.map((bits) => supply.takeNearest(2 ** bits, 2 ** 29.5));
    const limbs: number[] = [];
    const limbsAtLevel: number[] = [];
    // The largest sets choose first, so that small ones keep the small primes they need.
    const sets = [spec.logBase, ...spec.logLevels];
    const chosen: number[][] = new Array(sets.length);
    const order = sets.map((_, i) => i).sort((a, b) => perPrime(sets[b] as number) - perPrime(sets[a] as number));
    for (const i of order) chosen[i] = takeSet(supply, sets[i] as number);
    for (const set of chosen) {
      limbs.push(...set);
      limbsAtLevel.push(limbs.length);
    }
    this.primes = Object.freeze([...special, ...limbs]);
    this.specialCount = special.length;
    this.special = Object.freeze(special.map((_, i) => i));
    this.limbsAtLevel = Object.freeze(limbsAtLevel);
    this.maximumLevel = limbsAtLevel.length - 1;
    this.scale = 2 ** spec.logScale;
    this.logQ = sumLog2(limbs);
    this.logP = sumLog2(special);
    this.logQP = this.logQ + this.logP;
    this.digits = special.length === 0 ? [] : Object.freeze(gadgetDigits(limbs, spec.logDigit ?? this.logP + 0.5));
    this.digest = digestOf(spec, this.primes, limbsAtLevel, this.digits);
    if (spec.insecure !== true) requireSecure(`parameters ${spec.name}`, spec.logN, this.logQP, spec.secret);
    this.#moduli = limbsAtLevel.map((count) => range(this.specialCount, this.specialCount + count));
    this.#extendedModuli = limbsAtLevel.map((count) => range(0, this.specialCount + count));
    this.#digitsAtLevel = limbsAtLevel.map((count) =>
      Object.freeze(
        this.digits.filter(([from]) => from < count).map(([from, to]) => [from, Math.min(to, count)] as const),
      ),
    );
    Object.freeze(this);
  }

  /** Bits of security that the published tables grant: 128, or 0 where they do not cover it. */
  get securityBits(): number {
    return this.logQP <= maximumLogQP(this.logN, this.spec.secret) ? 128 : 0;
  }

  /** Number of Q limbs at a level. */
  limbs(level: number): number {
    return this.limbsAtLevel[integerIn("level", level, 0, this.maximumLevel)] as number;
  }

  /** Prime indices of a polynomial at a level, in limb order. */
  moduli(level: number): readonly number[] {
    return this.#moduli[integerIn("level", level, 0, this.maximumLevel)] as readonly number[];
  }

  /** Prime indices of an extended polynomial (special primes first) at a level. */
  extendedModuli(level: number): readonly number[] {
    return this.#extendedModuli[integerIn("level", level, 0, this.maximumLevel)] as readonly number[];
  }

  /** What a rescale from this level divides by, as a double (relative error 2^-52). */
  levelModulus(level: number): number {
    integerIn("level", level, 1, this.maximumLevel);
    let product = 1;
    for (let i = this.limbs(level - 1); i < this.limbs(level); i++) product *= this.limbPrime(i);
    return product;
  }

  /** The prime of Q limb i. */
  limbPrime(i: number): number {
    return this.primes[this.specialCount + i] as number;
  }

  /** log2 of the whole modulus at a level. */
  logModulus(level: number): number {
    return sumLog2(this.primes.slice(this.specialCount, this.specialCount + this.limbs(level)));
  }

  /** Digits that are not empty at a level, cut to its limbs. */
  digitsAt(level: number): readonly (readonly [number, number])[] {
    return this.#digitsAtLevel[integerIn("level", level, 0, this.maximumLevel)] as readonly (readonly [
      number,
      number,
    ])[];
  }

  /** Bytes of an evaluation key for use up to a level: seed-compressed and expanded. */
  keyBytes(level: number): { compressed: number; expanded: number } {
    const half = this.digitsAt(level).length * (this.limbs(level) + this.specialCount) * this.degree * 4;
    return { compressed: half + 32, expanded: 2 * half };
  }

  /** Bytes of a ciphertext of two polynomials at a level. */
  ciphertextBytes(level: number): number {
    return 2 * this.limbs(level) * this.degree * 4;
  }
}

function range(from: number, to: number): readonly number[] {
  return Object.freeze(Array.from({ length: to - from }, (_, i) => from + i));
}

function perPrime(bits: number): number {
  return bits / primeCount(bits);
}

function takeSet(supply: PrimeSupply, bits: number): number[] {
  const count = primeCount(bits);
  const set: number[] = [];
  let rest = 2 ** bits;
  for (let left = count; left > 0; left--) {
    const prime = supply.takeNearest(rest ** (1 / left), 2 ** 29.6);
    set.push(prime);
    rest /= prime;
  }
  return set;
}

function sumLog2(primes: readonly number[]): number {
  return primes.reduce((sum, q) => sum + Math.log2(q), 0);
}

/**
 * Cuts the chain into the fewest digits of at most `logDigit` bits, as even as possible:
 * hybrid key switching (Han–Ki, eprint 2019/688, §3) with the digits over the whole chain.
 */
function gadgetDigits(limbs: readonly number[], logDigit: number): (readonly [number, number])[] {
  const greedy = (limit: number): (readonly [number, number])[] => {
    const digits: (readonly [number, number])[] = [];
    let from = 0;
    let bits = 0;
    for (let i = 0; i < limbs.length; i++) {
      const size = Math.log2(limbs[i] as number);
      if (i > from && bits + size > limit) {
        digits.push([from, i]);
        from = i;
        bits = 0;
      }
      bits += size;
    }
    digits.push([from, limbs.length]);
    return digits;
  };
  const fewest = greedy(logDigit).length;
  let even = logDigit;
  for (let limit = even; limit > 29; limit -= 1) {
    if (greedy(limit).length > fewest) break;
    even = limit;
  }
  return greedy(even);
}

function checkShape(spec: ParametersSpec): void {
  integerIn("logN", spec.logN, 4, 17);
  if (spec.logLevels.length > 64)
    throw new AegisError("parameters", `expected at most 64 levels, got ${spec.logLevels.length}`);
  for (const bits of [spec.logBase, ...spec.logLevels]) {
    const each = perPrime(bits);
    if (!(each > 24 && each <= 29.5 && bits <= maximumSetBits)) {
      throw new AegisError("parameters", `a modulus of ${bits} bits cannot be made of primes of 24 to 29.5 bits`, {
        hint: `sizes of 25 to 29 bits, 49 to 59 bits and 74 to ${maximumSetBits} bits can`,
      });
    }
  }
  if (spec.logSpecial.length > maximumSpecial) {
    throw new AegisError(
      "parameters",
      `expected at most ${maximumSpecial} special primes, got ${spec.logSpecial.length}`,
    );
  }
  for (const bits of spec.logSpecial) {
    if (!(bits > 24 && bits <= 29.5))
      throw new AegisError("parameters", `special primes have 24 to 29.5 bits, got ${bits}`);
  }
  const { logDigit = minimumDigitBits } = spec;
  if (!(logDigit >= minimumDigitBits && logDigit <= maximumDigitBits)) {
    throw new AegisError(
      "parameters",
      `logDigit: expected ${minimumDigitBits} to ${maximumDigitBits}, got ${logDigit}`,
    );
  }
  if (!(spec.logScale >= 10 && spec.logScale <= 60)) {
    throw new AegisError("parameters", `logScale: expected 10 to 60, got ${spec.logScale}`);
  }
  if (spec.insecure === true && !spec.name.includes("insecure")) {
    throw new AegisError("security", `parameters ${spec.name} are marked insecure, but their name does not say so`, {
      hint: "put `insecure` into the name",
    });
  }
}

function digestOf(
  spec: ParametersSpec,
  primes: readonly number[],
  limbsAtLevel: readonly number[],
  digits: readonly (readonly [number, number])[],
): Uint8Array {
  const secret = spec.secret.kind === "ternary" ? "ternary" : `sparse${spec.secret.weight}`;
  const shape = `${spec.logSpecial.length}|${limbsAtLevel.join()}|${digits.map(([from]) => from).join()}`;
  const text = `aegis-parameters-1|${spec.logN}|${secret}|${primes.join()}|${shape}`;
  return sha256(new TextEncoder().encode(text)).slice(0, 16);
}
