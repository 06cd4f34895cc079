/**
 * An evaluator that makes nothing but the memory of its results, and writes down what it is asked for. Kernels never
 * run; scales and levels are those of real results, so that operators take the path that they always take.
 */
import { invariant } from "../../base/validate.ts";
import {
  Ciphertext,
  type Context,
  conjugationElement,
  Decomposed,
  type EncodeOptions,
  Evaluator,
  ExtendedCiphertext,
  Hoisted,
  type HoistOptions,
  isComplex,
  type KeyName,
  type PlainTerm,
  Plaintext,
  reducedSteps,
  rotationElement,
  type SlotVector,
} from "../../ckks/index.ts";
import { range } from "../../program/index.ts";
import { Poly } from "../../ring/poly.ts";
import type { Ring } from "../../ring/ring.ts";
import { Moments } from "./moments.ts";
import { type Call, isAlike, nameOfCall, type Operand, type PolySize, type Run, shapeOf, type Trace } from "./trace.ts";

const noKeys = {
  keys(): never {
    throw new Error("a tracing evaluator has no keys");
  },
};

interface Details {
  /** See {@link Call.levels}. */
  readonly levels?: readonly number[];
  /** See {@link Call.steps}. */
  readonly steps?: readonly number[];
  /** Highest level whose limbs are read of operands; the least of `levels` by default. */
  readonly read?: number;
}

export class TracingEvaluator extends Evaluator {
  readonly #base: number;
  readonly #moments = new Moments();
  readonly #keys = new Map<KeyName, number>();
  readonly #calls = new Map<string, { readonly call: Call; times: number }>();

  /**
   * @param context over a null backend
   * @param base level that the levels of the trace count from
   */
  constructor(context: Context, base: number) {
    super(context, noKeys);
    this.#base = base;
  }

  /** All calls so far. */
  get trace(): Trace {
    const { list, sizes } = this.#moments;
    return { calls: [...this.#calls.values()], moments: list, sizes, keys: this.#keys };
  }

  /** An operand of what is traced, which does not count as memory. */
  operand(level: number, slots: number): Ciphertext {
    const { ring, parameters } = this.context;
    const moduli = parameters.moduli(level);
    const parts = [ring.poly(moduli, "ntt"), ring.poly(moduli, "ntt")];
    return new Ciphertext(parts, level, parameters.scale, slots);
  }

  override encode(values: SlotVector, options: EncodeOptions = {}): Plaintext {
    const { ring, parameters } = this.context;
    const { level = parameters.maximumLevel, scale = parameters.scale, use, extended = false } = options;
    const length = isComplex(values) ? values.real.length : values.length;
    const slots = Math.max(length, 2);
    this.#call(
      `encode ${slots} ${use} ${extended}`,
      [],
      (evaluator, _, [at]) => evaluator.encode(new Float64Array(length), { ...options, level: at as number }),
      { levels: [level] },
    );
    const subring = ring.subring(Math.log2(2 * slots));
    const poly = this.#poly(level, extended ? "QP" : "Q", subring);
    const logRun = parameters.logN - subring.logN;
    return new Plaintext({ poly, level, scale, slots, logRun, montgomery: use === "product", extended });
  }

  override zero(level: number, scale: number, slots: number): Ciphertext {
    this.#call("zero", [], (evaluator, _, [at]) => evaluator.zero(at as number, 1, slots), { levels: [level] });
    return this.#ciphertext(2, level, scale, slots);
  }

  override zeroExtended(level: number, scale: number, slots: number): ExtendedCiphertext {
    this.#call("zeroExtended", [], (evaluator, _, [at]) => evaluator.zeroExtended(at as number, 1, slots), {
      levels: [level],
    });
    return this.#extended(level, scale, slots);
  }

  override add(a: Ciphertext, b: Ciphertext): Ciphertext {
    this.#call("add", [a, b], (evaluator, [x, y]) => evaluator.add(x as Ciphertext, y as Ciphertext), lower(a, b));
    return this.#added(a, b);
  }

  override subtract(a: Ciphertext, b: Ciphertext): Ciphertext {
    this.#call(
      "subtract",
      [a, b],
      (evaluator, [x, y]) => evaluator.subtract(x as Ciphertext, y as Ciphertext),
      lower(a, b),
    );
    return this.#added(a, b);
  }

  override addTo(target: Ciphertext, a: Ciphertext): void {
    this.#call("addTo", [target, a], (evaluator, [x, y]) => evaluator.addTo(x as Ciphertext, y as Ciphertext), {
      read: target.level,
    });
  }

  override addExtended(into: ExtendedCiphertext, a: ExtendedCiphertext): void {
    this.#call("addExtended", [into, a], (evaluator, [x, y]) =>
      evaluator.addExtended(x as ExtendedCiphertext, y as ExtendedCiphertext),
    );
  }

  override negate(a: Ciphertext): Ciphertext {
    return this.#mapped("negate", a, a.scale, (evaluator, x) => evaluator.negate(x));
  }

  override addConstant(a: Ciphertext, constant: number): Ciphertext {
    return this.#mapped("addConstant", a, a.scale, (evaluator, x) => evaluator.addConstant(x, constant));
  }

  override multiplyConstant(a: Ciphertext, constant: number, scale = 1): Ciphertext {
    return this.#mapped("multiplyConstant", a, a.scale * scale, (evaluator, x) =>
      evaluator.multiplyConstant(x, constant, scale),
    );
  }

  override multiplyByI(a: Ciphertext): Ciphertext {
    return this.#mapped("multiplyByI", a, a.scale, (evaluator, x) => evaluator.multiplyByI(x));
  }

  override addPlain(a: Ciphertext, plaintext: Plaintext): Ciphertext {
    this.#call("addPlain", [a, plaintext], (evaluator, [x, y]) => evaluator.addPlain(x as Ciphertext, y as Plaintext));
    return this.#ciphertext(a.parts.length, a.level, a.scale, a.slots);
  }

  override multiplyPlain(a: Ciphertext, plaintext: Plaintext): Ciphertext {
    this.#call(
      "multiplyPlain",
      [a, plaintext],
      (evaluator, [x, y]) => evaluator.multiplyPlain(x as Ciphertext, y as Plaintext),
      { read: a.level },
    );
    return this.#ciphertext(a.parts.length, a.level, a.scale * plaintext.scale, a.slots);
  }

  override accumulate(target: Ciphertext, a: Ciphertext, constant: number): void {
    this.#call(
      "accumulate",
      [target, a],
      (evaluator, [x, y]) => evaluator.accumulate(x as Ciphertext, y as Ciphertext, constant),
      { read: target.level },
    );
  }

  override accumulateConstant(target: Ciphertext, constant: number): void {
    this.#call("accumulateConstant", [target], (evaluator, [x]) =>
      evaluator.accumulateConstant(x as Ciphertext, constant),
    );
  }

  override combine(...[terms, constant, { level, scale, slots }]: Parameters<Evaluator["combine"]>): Ciphertext {
    if (terms.length === 0) return super.combine(terms, constant, { level, scale, slots });
    this.#sum(
      "combine",
      terms.map(([a]) => [a]),
      (evaluator, operands, [at]) => {
        const again = operands.map((x) => [x as Ciphertext, 1] as const);
        return evaluator.combine(again, constant, { level: at as number, scale, slots });
      },
      { levels: [level] },
    );
    return this.#ciphertext(2, level, scale, slots);
  }

  override plainSum(terms: readonly PlainTerm<Ciphertext>[]): Ciphertext {
    const [[a, { level, scale }]] = terms as [PlainTerm<Ciphertext>];
    this.#sum("plainSum", terms, (evaluator, operands) => evaluator.plainSum(inPairs(operands)), { read: level });
    return this.#ciphertext(2, level, a.scale * scale, Math.max(...terms.map(([{ slots }]) => slots)));
  }

  override plainSums(sums: readonly (readonly PlainTerm<ExtendedCiphertext>[])[]): ExtendedCiphertext[] {
    // Sums share reading what they have in common, which does not count.
    return sums.map((terms) => {
      this.#sum("plainSums", terms, (evaluator, operands) => evaluator.plainSums([inPairs(operands)]));
      const [[{ scale, slots }, plaintext]] = terms as [PlainTerm<ExtendedCiphertext>];
      return this.#extended(plaintext.level, scale * plaintext.scale, slots);
    });
  }

  override tensorSum(pairs: readonly (readonly [Ciphertext, Ciphertext])[], factor = 1): Ciphertext {
    const [[a, b]] = pairs as [readonly [Ciphertext, Ciphertext]];
    const all = pairs.flat();
    const level = Math.min(...all.map((x) => x.level));
    this.#sum("tensorSum", pairs, (evaluator, operands) => evaluator.tensorSum(inPairs(operands), factor), {
      read: level,
    });
    return this.#ciphertext(3, level, a.scale * b.scale, Math.max(...all.map((x) => x.slots)));
  }

  override rescale(a: Ciphertext): Ciphertext {
    this.#call("rescale", [a], (evaluator, [x]) => evaluator.rescale(x as Ciphertext));
    return this.#ciphertext(a.parts.length, a.level - 1, this.#rescaled(a), a.slots);
  }

  override dropLevel(a: Ciphertext, level: number): Ciphertext {
    this.#call("dropLevel", [a], (evaluator, [x], [at]) => evaluator.dropLevel(x as Ciphertext, at as number), {
      levels: [level],
    });
    return this.#ciphertext(a.parts.length, level, a.scale, a.slots);
  }

  override relineariseExtended(a: Ciphertext): ExtendedCiphertext {
    this.#key("relinearisation", a.level);
    this.#call("relinearise", [a], (evaluator, [x]) => evaluator.relineariseExtended(x as Ciphertext));
    return this.#extended(a.level, a.scale, a.slots);
  }

  override relineariseRescaleTogether(list: readonly Ciphertext[]): Ciphertext[] {
    for (const { level } of list.slice(0, 1)) this.#key("relinearisation", level);
    this.#call("relineariseRescaleTogether", list, (evaluator, operands) =>
      evaluator.relineariseRescaleTogether(operands as readonly Ciphertext[]),
    );
    return list.map((a) => this.#ciphertext(2, a.level - 1, this.#rescaled(a), a.slots));
  }

  override rotate(a: Ciphertext, steps: number): Ciphertext {
    const reduced = reducedSteps(steps, a.slots);
    if (reduced === 0) return this.copy(a);
    this.#rotationKey(reduced, a.level);
    this.#call("rotate", [a], (evaluator, [x]) => evaluator.rotate(x as Ciphertext, reduced), { steps: [reduced] });
    return this.#ciphertext(2, a.level, a.scale, a.slots);
  }

  override conjugate(a: Ciphertext): Ciphertext {
    this.#key(`galois-${conjugationElement(this.context.parameters.degree)}`, a.level);
    return this.#mapped("conjugate", a, a.scale, (evaluator, x) => evaluator.conjugate(x));
  }

  override hoist(a: Ciphertext, { transforms = "now", level = a.level }: HoistOptions = {}): Hoisted {
    this.#call(
      `hoist ${transforms}`,
      [a],
      (evaluator, [x], [at]) => evaluator.hoist(x as Ciphertext, { transforms, level: at as number }),
      { levels: [level] },
    );
    return new Hoisted(a, level, this.#decomposed(a.parts[1] as Poly, level, transforms));
  }

  override hoistExtended(
    a: ExtendedCiphertext,
    { transforms = "now" }: Pick<HoistOptions, "transforms"> = {},
  ): Hoisted {
    this.#call(`hoistExtended ${transforms}`, [a], (evaluator, [x]) =>
      evaluator.hoistExtended(x as ExtendedCiphertext, { transforms }),
    );
    const down = transforms === "later" ? this.#poly(a.level, "Q") : undefined;
    return new Hoisted(a, a.level, this.#decomposed(down ?? a.parts[1], a.level, transforms), down);
  }

  override rotateTogether(hoisted: readonly Hoisted[], steps: number): ExtendedCiphertext[] {
    return hoisted.map((one) => this.#rotated(one, steps));
  }

  override rotateEach(hoisted: Hoisted, steps: readonly number[]): ExtendedCiphertext[] {
    return steps.map((k) => this.#rotated(hoisted, k));
  }

  /** Rotations that are made together share reading keys and digits, which does not count. */
  #rotated(hoisted: Hoisted, steps: number): ExtendedCiphertext {
    const { level, decomposed } = hoisted;
    const { scale, slots } = hoisted.ciphertext;
    const reduced = reducedSteps(steps, slots);
    if (reduced !== 0) this.#rotationKey(reduced, level);
    const run: Run = (evaluator, [x]) => evaluator.rotateExtended(x as Hoisted, reduced);
    this.#call("rotateExtended", [hoisted], run, { steps: [reduced] });
    if (reduced !== 0) decomposed.take();
    return this.#extended(level, scale, slots);
  }

  override extend(a: Ciphertext, level: number = a.level): ExtendedCiphertext {
    this.#call("extend", [a], (evaluator, [x], [at]) => evaluator.extend(x as Ciphertext, at), { levels: [level] });
    return this.#extended(level, a.scale, a.slots);
  }

  override modDown(a: ExtendedCiphertext): Ciphertext {
    this.#call("modDown", [a], (evaluator, [x]) => evaluator.modDown(x as ExtendedCiphertext));
    return this.#ciphertext(2, a.level, a.scale, a.slots);
  }

  override modDownRescale(a: ExtendedCiphertext): Ciphertext {
    this.#call("modDownRescale", [a], (evaluator, [x]) => evaluator.modDownRescale(x as ExtendedCiphertext));
    return this.#ciphertext(2, a.level - 1, this.#rescaled(a), a.slots);
  }

  override accumulateRotated(into: ExtendedCiphertext, a: ExtendedCiphertext | Ciphertext, steps: number): void {
    const reduced = reducedSteps(steps, a.slots);
    if (reduced === 0) {
      super.accumulateRotated(into, a, steps);
      return;
    }
    this.#rotationKey(reduced, a.level);
    this.#call(
      "accumulateRotated",
      [into, a],
      (evaluator, [x, y]) =>
        evaluator.accumulateRotated(x as ExtendedCiphertext, y as ExtendedCiphertext | Ciphertext, reduced),
      { steps: [reduced] },
    );
  }

  override modRaise(a: Ciphertext): Ciphertext {
    const top = this.context.parameters.maximumLevel;
    this.#key("dense-to-sparse", a.level);
    this.#key("sparse-to-dense", top);
    this.#call("modRaise", [a], (evaluator, [x]) => evaluator.modRaise(x as Ciphertext));
    return this.#ciphertext(2, top, a.scale, a.slots);
  }

  /** A call that sums terms, which cost the same each where they are alike: as one of two terms, and one term more again and again. */
  #sum(name: string, terms: readonly (readonly Operand[])[], run: Run, details: Details = {}): void {
    const { read = Math.min(...(details.levels ?? [])) } = details;
    const [first] = terms as [readonly Operand[]];
    const alike =
      terms.length > 2 && terms.every((term) => term.every((a, k) => isAlike(a, first[k] as Operand, read)));
    if (!alike) {
      this.#call(name, terms.flat(), run, details);
      return;
    }
    const two = this.#call(name, terms.slice(0, 2).flat(), run, details);
    const three = this.#describe(name, terms.slice(0, 3).flat(), run, details);
    this.#note({ ...three, name: `${name}, one more`, beyond: two }, terms.length - 2);
  }

  #call(name: string, operands: readonly Operand[], run: Run, details?: Details): Call {
    return this.#note(this.#describe(name, operands, run, details), 1);
  }

  #describe(
    name: string,
    operands: readonly Operand[],
    run: Run,
    { levels = [], steps = [], read = Math.min(...levels) }: Details = {},
  ): Call {
    const base = this.#base;
    return {
      name,
      operands: operands.map((operand) => shapeOf(operand, base, read)),
      levels: levels.map((level) => level - base),
      steps,
      run,
    };
  }

  #note(call: Call, times: number): Call {
    const key = nameOfCall(call, 0, true);
    let known = this.#calls.get(key);
    if (known === undefined) this.#calls.set(key, (known = { call, times: 0 }));
    known.times += times;
    this.#moments.note(known.call);
    return known.call;
  }

  #key(name: KeyName, level: number): void {
    const relative = level - this.#base;
    this.#keys.set(name, Math.max(relative, this.#keys.get(name) ?? relative));
  }

  #rotationKey(steps: number, level: number): void {
    invariant(steps !== 0, "rotations by nothing have no key");
    this.#key(`galois-${rotationElement(steps, this.context.parameters.degree)}`, level);
  }

  #mapped(
    name: string,
    a: Ciphertext,
    scale: number,
    run: (evaluator: Evaluator, x: Ciphertext) => Ciphertext,
  ): Ciphertext {
    this.#call(name, [a], (evaluator, [x]) => run(evaluator, x as Ciphertext));
    return this.#ciphertext(a.parts.length, a.level, scale, a.slots);
  }

  #added(a: Ciphertext, b: Ciphertext): Ciphertext {
    const parts = Math.max(a.parts.length, b.parts.length);
    return this.#ciphertext(parts, Math.min(a.level, b.level), a.scale, Math.max(a.slots, b.slots));
  }

  #rescaled({ scale, level }: { readonly scale: number; readonly level: number }): number {
    return scale / this.context.parameters.levelModulus(level);
  }

  #ciphertext(parts: number, level: number, scale: number, slots: number): Ciphertext {
    return new Ciphertext(
      range(parts).map(() => this.#poly(level, "Q")),
      level,
      scale,
      slots,
    );
  }

  #extended(level: number, scale: number, slots: number): ExtendedCiphertext {
    return new ExtendedCiphertext([this.#poly(level, "QP"), this.#poly(level, "QP")], level, scale, slots);
  }

  #decomposed(poly: Poly, level: number, transforms: "now" | "later"): Decomposed {
    const ranges = this.context.parameters.digitsAt(level);
    // They live and die together.
    const digits = ranges.map((_, d) =>
      d === 0
        ? this.#poly(level, "digits")
        : this.context.ring.poly(this.context.parameters.extendedModuli(level), "ntt"),
    );
    return new Decomposed(digits, ranges, transforms === "later" ? poly : undefined);
  }

  #poly(level: number, basis: PolySize["basis"], ring: Ring = this.context.ring): Poly {
    const { parameters } = this.context;
    const moduli = basis === "Q" ? parameters.moduli(level) : parameters.extendedModuli(level);
    const release = this.#moments.take({ logN: ring.logN, basis, level: level - this.#base });
    return new TracedPoly(ring, moduli, release);
  }
}

/** Tells when its memory is given back. */
class TracedPoly extends Poly {
  readonly #release: () => void;

  constructor(ring: Ring, moduli: readonly number[], release: () => void) {
    super(ring, moduli, "ntt");
    this.#release = release;
  }

  override dispose(): void {
    if (!this.isDisposed) this.#release();
    super.dispose();
  }
}

function lower(a: Ciphertext, b: Ciphertext): Details {
  return { read: Math.min(a.level, b.level) };
}

function inPairs<A extends Operand, B extends Operand>(operands: readonly Operand[]): (readonly [A, B])[] {
  return range(operands.length / 2).map((i) => [operands[2 * i] as A, operands[2 * i + 1] as B]);
}
