/** The operations of {@link Evaluator} that need no keys. */
import { AegisError } from "../base/errors.ts";
import type { Limbs } from "../kernels/backend.ts";
import { bigModulo } from "../ring/modular.ts";
import type { Poly } from "../ring/poly.ts";
import { requireDegree, requireLevel, requireSameScale, requireScaleRatio } from "./checks.ts";
import { Ciphertext, type Plaintext } from "./ciphertext.ts";
import type { Context } from "./context.ts";
import { type EncodeOptions, Encoder, type SlotVector } from "./encoder.ts";
import { type PlainTerm, shapeOfSum, sumPlain } from "./plain-sums.ts";

export class Arithmetic {
  readonly context: Context;
  readonly #encoder: Encoder;

  constructor(context: Context) {
    this.context = context;
    this.#encoder = new Encoder(context);
  }

  /** See {@link Encoder.encode}. */
  encode(values: SlotVector, options: EncodeOptions = {}): Plaintext {
    return this.#encoder.encode(values, options);
  }

  /** a + b at the lower of the two levels. Throws `scale` when their scales differ. */
  add(a: Ciphertext, b: Ciphertext): Ciphertext {
    return this.#sum("add", a, b);
  }

  /**
   * target += a in place, at target's level, which `a` has or exceeds; `a` has no more parts. Throws `scale` when their
   * scales differ.
   */
  addTo(target: Ciphertext, a: Ciphertext): void {
    requireSameScale("add", target, a);
    if (a.level < target.level || a.parts.length > target.parts.length) {
      const { level, parts } = target;
      throw new AegisError(
        "level",
        `add: expected at most ${parts.length} parts at level ${level} or higher, got ${a.parts.length} at level ${a.level}`,
        { operation: "add", level: a.level },
      );
    }
    for (const [k, part] of a.parts.entries()) {
      const sum = target.parts[k] as Poly;
      this.#kernels.add(sum, sum, part.limbs(0, sum.moduli.length));
    }
  }

  /** a − b at the lower of the two levels. Throws `scale` when their scales differ. */
  subtract(a: Ciphertext, b: Ciphertext): Ciphertext {
    return this.#sum("subtract", a, b);
  }

  negate(a: Ciphertext): Ciphertext {
    return this.#map(a, a.scale, (dst, part) => this.#kernels.negate(dst, part));
  }

  /** a + plaintext; the plaintext's level may be higher. */
  addPlain(a: Ciphertext, plaintext: Plaintext): Ciphertext {
    requireSameScale("addPlain", a, plaintext);
    if (plaintext.level < a.level || plaintext.extended) {
      throw new AegisError("level", `addPlain: plaintext at level ${plaintext.level}, ciphertext at level ${a.level}`, {
        operation: "addPlain",
        level: a.level,
      });
    }
    const result = a.clone();
    const { ring } = this.context;
    const part = result.parts[0] as Poly;
    using message = ring.poly(part.moduli, "ntt");
    this.#kernels.expand(message, plaintext.poly.limbs(0, part.moduli.length), plaintext.logRun);
    if (plaintext.montgomery) this.#kernels.multiplyScalar(message, message, ring.montgomeryInverse(part.moduli));
    this.#kernels.add(part, part, message);
    return result;
  }

  /** a + constant in every slot. */
  addConstant(a: Ciphertext, constant: number): Ciphertext {
    const scalars = this.#integerScalars(constant * a.scale, (a.parts[0] as Poly).moduli);
    return this.#map(a, a.scale, (dst, part) => {
      if (part === a.parts[0]) this.#kernels.addScalar(dst, part, scalars);
      else this.#kernels.copy(dst, part);
    });
  }

  /**
   * a · constant, the constant rounded to a multiple of 1/scale; the result's scale is
   * a.scale · scale. With scale 1 the constant is an integer and nothing is consumed.
   */
  multiplyConstant(a: Ciphertext, constant: number, scale = 1): Ciphertext {
    const scalars = this.#integerScalars(constant * scale, a.parts[0]?.moduli ?? []);
    return this.#map(a, a.scale * scale, (dst, part) => this.#kernels.multiplyScalar(dst, part, scalars));
  }

  /** target += a · constant in place, where the constant is rounded so that the scales agree. */
  accumulate(target: Ciphertext, a: Ciphertext, constant: number): void {
    const ratio = target.scale / a.scale;
    for (const [k, part] of target.parts.entries()) {
      const source = a.parts[k];
      if (source === undefined) continue;
      this.#kernels.multiplyScalarAdd(
        part,
        source.limbs(0, part.moduli.length),
        this.#integerScalars(constant * ratio, part.moduli),
      );
    }
  }

  /** target += constant in every slot, in place. */
  accumulateConstant(target: Ciphertext, constant: number): void {
    const part = target.parts[0] as Poly;
    this.#kernels.addScalar(part, part, this.#integerScalars(constant * target.scale, part.moduli));
  }

  /**
   * Σ a·factor + constant at this level and scale, the factors rounded so that the scales agree: one pass over all
   * operands, which are at `level` or higher.
   */
  combine(
    terms: readonly (readonly [a: Ciphertext, factor: number])[],
    constant: number,
    { level, scale, slots }: { readonly level: number; readonly scale: number; readonly slots: number },
  ): Ciphertext {
    if (terms.length === 0) {
      const none = this.zero(level, scale, slots);
      this.accumulateConstant(none, constant);
      return none;
    }
    const { ring, parameters } = this.context;
    const moduli = parameters.moduli(level);
    const small = ring.subring(2);
    for (const [a] of terms) {
      requireDegree("combine", a);
      if (a.level < level) {
        throw new AegisError("level", `combine: expected operands at level ${level} or higher, got level ${a.level}`, {
          operation: "combine",
          level: a.level,
        });
      }
    }
    const factors = terms.map(([a, factor]) => {
      const poly = small.zero(moduli, "ntt");
      const residues = this.#integerScalars((factor * scale) / a.scale, moduli);
      small.kernels.addScalar(poly, poly, residues);
      small.kernels.multiplyScalar(poly, poly, small.montgomery(moduli));
      return poly;
    });
    const parts = [ring.poly(moduli, "ntt"), ring.poly(moduli, "ntt")] as const;
    const operands = ([0, 1] as const).map((k) => terms.map(([a]) => (a.parts[k] as Poly).limbs(0, moduli.length)));
    const [first, second] = operands as [Limbs[], Limbs[]];
    this.#kernels.multiplySumPair(...parts, factors, first, second, false, parameters.logN - small.logN);
    for (const poly of factors) poly.dispose();
    const sum = new Ciphertext(parts, level, scale, slots);
    this.accumulateConstant(sum, constant);
    return sum;
  }

  /** An encryption of zero (trivial, not hiding) to accumulate into. */
  zero(level: number, scale: number, slots: number): Ciphertext {
    const moduli = this.context.parameters.moduli(level);
    const { ring } = this.context;
    return new Ciphertext([ring.zero(moduli, "ntt"), ring.zero(moduli, "ntt")], level, scale, slots);
  }

  /** a · i in every slot: a permutation with signs, no scale consumed. */
  multiplyByI(a: Ciphertext): Ciphertext {
    const { ring, parameters } = this.context;
    const small = ring.subring(2);
    const moduli = parameters.moduli(a.level);
    // X^(N/2) is Y^2 in the subring of degree 4.
    using monomial = small.poly(moduli, "coefficient");
    small.kernels.fromInt32(monomial, Int32Array.of(0, 0, 1, 0));
    monomial.toNtt();
    small.kernels.multiplyScalar(monomial, monomial, small.montgomery(moduli));
    const logRun = parameters.logN - 2;
    return this.#map(a, a.scale, (dst, part) => this.#kernels.multiplySum(dst, [monomial], [part], false, logRun));
  }

  /** a · plaintext, not rescaled. The plaintext is encoded for products, at a.level or higher. */
  multiplyPlain(a: Ciphertext, plaintext: Plaintext): Ciphertext {
    if (!plaintext.montgomery || plaintext.extended || plaintext.level < a.level) {
      throw new AegisError(
        "argument",
        `multiplyPlain: expected a plaintext for products at level ${a.level} or higher, got level ${plaintext.level}${plaintext.montgomery ? "" : " for sums"}`,
        { operation: "multiplyPlain", level: a.level, hint: "encode with use: 'product' at the ciphertext's level" },
      );
    }
    const limbs = this.context.parameters.limbs(a.level);
    const factor = plaintext.poly.limbs(0, limbs);
    return this.#map(a, a.scale * plaintext.scale, (dst, part) =>
      this.#kernels.multiplySum(dst, [factor], [part], false, plaintext.logRun),
    );
  }

  /**
   * Σ a·plaintext at the plaintexts' level, not rescaled, in one pass. Plaintexts are encoded for products, at one level
   * that no `a` is below.
   */
  plainSum(terms: readonly PlainTerm<Ciphertext>[]): Ciphertext {
    const { level, scale, slots } = shapeOfSum(terms, false);
    const { ring, parameters } = this.context;
    const moduli = parameters.moduli(level);
    const into = [ring.poly(moduli, "ntt"), ring.poly(moduli, "ntt")] as const;
    sumPlain(this.#kernels, [{ into, terms }]);
    return new Ciphertext(into, level, scale, slots);
  }

  /**
   * Tensor product without relinearisation: a degree-2 ciphertext at the lower level, times a
   * small integer factor at no cost.
   */
  tensor(a: Ciphertext, b: Ciphertext, factor = 1): Ciphertext {
    return this.tensorSum([[a, b]], factor);
  }

  /**
   * Σ a[t]·b[t] as one degree-2 ciphertext: sums before relinearisation cost one key switch in
   * all. All products must have the same scale.
   */
  tensorSum(pairs: readonly (readonly [Ciphertext, Ciphertext])[], factor = 1): Ciphertext {
    const { ring, parameters } = this.context;
    const level = Math.min(...pairs.flatMap(([a, b]) => [a.level, b.level]));
    const limbs = parameters.limbs(level);
    const moduli = parameters.moduli(level);
    const scale =
      (pairs[0] as readonly [Ciphertext, Ciphertext])[0].scale *
      (pairs[0] as readonly [Ciphertext, Ciphertext])[1].scale;
    for (const [a, b] of pairs) {
      requireDegree("multiply", a);
      requireDegree("multiply", b);
      requireScaleRatio("multiply", (a.scale * b.scale) / scale, level);
    }
    const view = (k: 0 | 1, ciphertexts: readonly Ciphertext[]): Limbs[] =>
      ciphertexts.map((a) => (a.parts[k] as Poly).limbs(0, limbs));
    const left = pairs.map(([a]) => a);
    const right = pairs.map(([, b]) => b);
    const [a0, a1, b0, b1] = [view(0, left), view(1, left), view(0, right), view(1, right)];
    const parts = [ring.poly(moduli, "ntt"), ring.poly(moduli, "ntt"), ring.poly(moduli, "ntt")] as const;
    const sums = [
      { dst: [parts[0]], a: b0, b: [a0] },
      { dst: [parts[1]], a: [...b0, ...b1], b: [[...a1, ...a0]] },
      { dst: [parts[2]], a: b1, b: [a1] },
    ];
    // Sums of products leave Montgomery form, which the operands never were in.
    const scalars = ring.scalars(`R·${factor}`, moduli, (q) => ((2 ** 32 % q) * factor) % q);
    this.#kernels.multiplySums(sums, false, 0, scalars);
    return new Ciphertext(parts, level, scale, Math.max(...pairs.flatMap(([a, b]) => [a.slots, b.slots])));
  }

  /** Divides by the primes of the level and drops to the level below. */
  rescale(a: Ciphertext): Ciphertext {
    requireLevel("rescale", a);
    const { ring, parameters } = this.context;
    const level = a.level - 1;
    const kept = parameters.limbs(level);
    const parts = a.parts.map((part) => ring.divide(part.limbs(0, kept), part.limbs(kept)));
    return new Ciphertext(parts, level, a.scale / parameters.levelModulus(a.level), a.slots);
  }

  /** The same ciphertext in fresh memory. */
  copy(a: Ciphertext): Ciphertext {
    return this.dropLevel(a, a.level);
  }

  /** The same ciphertext at a lower level: limbs are dropped, the scale stays. */
  dropLevel(a: Ciphertext, level: number): Ciphertext {
    if (level > a.level || level < 0) {
      throw new AegisError("level", `dropLevel: expected a level from 0 to ${a.level}, got ${level}`, {
        operation: "dropLevel",
        level: a.level,
      });
    }
    const limbs = this.context.parameters.limbs(level);
    return new Ciphertext(
      a.parts.map((part) => part.clone(0, limbs)),
      level,
      a.scale,
      a.slots,
    );
  }

  get #kernels() {
    return this.context.ring.kernels;
  }

  #sum(operation: "add" | "subtract", a: Ciphertext, b: Ciphertext): Ciphertext {
    requireSameScale(operation, a, b);
    const { ring, parameters } = this.context;
    const level = Math.min(a.level, b.level);
    const limbs = parameters.limbs(level);
    const moduli = parameters.moduli(level);
    const parts: Poly[] = [];
    for (let k = 0; k < Math.max(a.parts.length, b.parts.length); k++) {
      const left = a.parts[k]?.limbs(0, limbs);
      const right = b.parts[k]?.limbs(0, limbs);
      const result = ring.poly(moduli, "ntt");
      if (left !== undefined && right !== undefined) this.#kernels[operation](result, left, right);
      else if (left !== undefined) this.#kernels.copy(result, left);
      else if (operation === "add") this.#kernels.copy(result, right as Limbs);
      else this.#kernels.negate(result, right as Limbs);
      parts.push(result);
    }
    return new Ciphertext(parts, level, a.scale, Math.max(a.slots, b.slots));
  }

  #map(a: Ciphertext, scale: number, apply: (dst: Poly, part: Poly) => void): Ciphertext {
    const parts = a.parts.map((part) => {
      const result = this.context.ring.poly(part.moduli, "ntt");
      apply(result, part);
      return result;
    });
    return new Ciphertext(parts, a.level, scale, a.slots);
  }

  /** Residues of a rounded number of any size. */
  #integerScalars(value: number, moduli: readonly number[]): Uint32Array {
    const integer = BigInt(Math.round(value));
    const { primes } = this.context.ring;
    return Uint32Array.from(moduli, (index) => bigModulo(integer, primes[index] as number));
  }
}
