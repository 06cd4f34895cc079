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
  type PlainTerm,
  Plaintext,
  reducedSteps,
  rotationElement,
  type SlotVector,
} from "../../ckks/index.ts";
import { range } from "../../program/index.ts";
import { Poly } from "../../ring/poly.ts";
import type { Ring } from "../../ring/ring.ts";
import type { Details, Recorder } from "./recorder.ts";
import type { Operand, PolySize, Run } from "./trace.ts";

const noKeys = { keys: () => invariant(false, "what is traced is made without keys") as never };

export class TracingEvaluator extends Evaluator {
  readonly #recorder: Recorder;

  /** @param context over a null backend */
  constructor(context: Context, recorder: Recorder) {
    super(context, noKeys);
    this.#recorder = recorder;
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
    this.#recorder.call(
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
    this.#recorder.call("zero", [], (evaluator, _, [at]) => evaluator.zero(at as number, 1, slots), {
      levels: [level],
    });
    return this.#ciphertext(2, level, scale, slots);
  }

  override zeroExtended(level: number, scale: number, slots: number): ExtendedCiphertext {
    this.#recorder.call("zeroExtended", [], (evaluator, _, [at]) => evaluator.zeroExtended(at as number, 1, slots), {
      levels: [level],
    });
    return this.#extended(level, scale, slots);
  }

  override add(a: Ciphertext, b: Ciphertext): Ciphertext {
    this.#recorder.call(
      "add",
      [a, b],
      (evaluator, [x, y]) => evaluator.add(x as Ciphertext, y as Ciphertext),
      lower(a, b),
    );
    return this.#added(a, b);
  }

  override subtract(a: Ciphertext, b: Ciphertext): Ciphertext {
    this.#recorder.call(
      "subtract",
      [a, b],
      (evaluator, [x, y]) => evaluator.subtract(x as Ciphertext, y as Ciphertext),
      lower(a, b),
    );
    return this.#added(a, b);
  }

  override addTo(target: Ciphertext, a: Ciphertext): void {
    this.#recorder.call(
      "addTo",
      [target, a],
      (evaluator, [x, y]) => evaluator.addTo(x as Ciphertext, y as Ciphertext),
      {
        read: target.level,
      },
    );
  }

  override addExtended(into: ExtendedCiphertext, a: ExtendedCiphertext): void {
    this.#recorder.call("addExtended", [into, a], (evaluator, [x, y]) =>
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
    this.#recorder.call(
      "addPlain",
      [a, plaintext],
      (evaluator, [x, y]) => evaluator.addPlain(x as Ciphertext, y as Plaintext),
      { read: a.level },
    );
    return this.#ciphertext(a.parts.length, a.level, a.scale, a.slots);
  }

  override multiplyPlain(a: Ciphertext, plaintext: Plaintext): Ciphertext {
    this.#recorder.call(
      "multiplyPlain",
      [a, plaintext],
      (evaluator, [x, y]) => evaluator.multiplyPlain(x as Ciphertext, y as Plaintext),
      { read: a.level },
    );
    return this.#ciphertext(a.parts.length, a.level, a.scale * plaintext.scale, a.slots);
  }

  override accumulate(target: Ciphertext, a: Ciphertext, constant: number): void {
    this.#recorder.call(
      "accumulate",
      [target, a],
      (evaluator, [x, y]) => evaluator.accumulate(x as Ciphertext, y as Ciphertext, constant),
      { read: target.level },
    );
  }

  override accumulateConstant(target: Ciphertext, constant: number): void {
    this.#recorder.call("accumulateConstant", [target], (evaluator, [x]) =>
      evaluator.accumulateConstant(x as Ciphertext, constant),
    );
  }

  override combine(...[terms, constant, { level, scale, slots }]: Parameters<Evaluator["combine"]>): Ciphertext {
    if (terms.length === 0) return super.combine(terms, constant, { level, scale, slots });
    this.#recorder.sum(
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
    this.#recorder.sum("plainSum", terms, (evaluator, operands) => evaluator.plainSum(inPairs(operands)), {
      read: level,
    });
    return this.#ciphertext(2, level, a.scale * scale, Math.max(...terms.map(([{ slots }]) => slots)));
  }

  override plainSums(sums: readonly (readonly PlainTerm<ExtendedCiphertext>[])[]): ExtendedCiphertext[] {
    // Sums share reading what they have in common, which does not count.
    return sums.map((terms) => {
      this.#recorder.sum("plainSums", terms, (evaluator, operands) => evaluator.plainSums([inPairs(operands)]));
      const [[{ scale }, plaintext]] = terms as [PlainTerm<ExtendedCiphertext>];
      return this.#extended(plaintext.level, scale * plaintext.scale, Math.max(...terms.map(([{ slots }]) => slots)));
    });
  }

  override tensorSum(pairs: readonly (readonly [Ciphertext, Ciphertext])[], factor = 1): Ciphertext {
    const [[a, b]] = pairs as [readonly [Ciphertext, Ciphertext]];
    const all = pairs.flat();
    const level = Math.min(...all.map((x) => x.level));
    this.#recorder.sum("tensorSum", pairs, (evaluator, operands) => evaluator.tensorSum(inPairs(operands), factor), {
      read: level,
    });
    return this.#ciphertext(3, level, a.scale * b.scale, Math.max(...all.map((x) => x.slots)));
  }

  override rescale(a: Ciphertext): Ciphertext {
    this.#recorder.call("rescale", [a], (evaluator, [x]) => evaluator.rescale(x as Ciphertext));
    return this.#ciphertext(a.parts.length, a.level - 1, this.#rescaled(a), a.slots);
  }

  override dropLevel(a: Ciphertext, level: number): Ciphertext {
    this.#recorder.call(
      "dropLevel",
      [a],
      (evaluator, [x], [at]) => evaluator.dropLevel(x as Ciphertext, at as number),
      {
        levels: [level],
      },
    );
    return this.#ciphertext(a.parts.length, level, a.scale, a.slots);
  }

  override relineariseExtended(a: Ciphertext): ExtendedCiphertext {
    this.#recorder.key("relinearisation", a.level);
    this.#recorder.call("relinearise", [a], (evaluator, [x]) => evaluator.relineariseExtended(x as Ciphertext));
    return this.#extended(a.level, a.scale, a.slots);
  }

  override relineariseRescaleTogether(list: readonly Ciphertext[]): Ciphertext[] {
    for (const { level } of list.slice(0, 1)) this.#recorder.key("relinearisation", level);
    this.#recorder.call("relineariseRescaleTogether", list, (evaluator, operands) =>
      evaluator.relineariseRescaleTogether(operands as readonly Ciphertext[]),
    );
    return list.map((a) => this.#ciphertext(2, a.level - 1, this.#rescaled(a), a.slots));
  }

  override rotate(a: Ciphertext, steps: number): Ciphertext {
    const reduced = reducedSteps(steps, a.slots);
    if (reduced === 0) return this.copy(a);
    this.#rotationKey(reduced, a.level);
    this.#recorder.call("rotate", [a], (evaluator, [x]) => evaluator.rotate(x as Ciphertext, reduced), {
      steps: [reduced],
    });
    return this.#ciphertext(2, a.level, a.scale, a.slots);
  }

  override conjugate(a: Ciphertext): Ciphertext {
    this.#recorder.key(`galois-${conjugationElement(this.context.parameters.degree)}`, a.level);
    return this.#mapped("conjugate", a, a.scale, (evaluator, x) => evaluator.conjugate(x));
  }

  override hoist(a: Ciphertext, { transforms = "now", level = a.level }: HoistOptions = {}): Hoisted {
    this.#recorder.call(
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
    this.#recorder.call(`hoistExtended ${transforms}`, [a], (evaluator, [x]) =>
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
    this.#recorder.call("rotateExtended", [hoisted], run, { steps: [reduced] });
    if (reduced !== 0) decomposed.take();
    return this.#extended(level, scale, slots);
  }

  override extend(a: Ciphertext, level: number = a.level): ExtendedCiphertext {
    this.#recorder.call("extend", [a], (evaluator, [x], [at]) => evaluator.extend(x as Ciphertext, at), {
      levels: [level],
    });
    return this.#extended(level, a.scale, a.slots);
  }

  override modDown(a: ExtendedCiphertext): Ciphertext {
    this.#recorder.call("modDown", [a], (evaluator, [x]) => evaluator.modDown(x as ExtendedCiphertext));
    return this.#ciphertext(2, a.level, a.scale, a.slots);
  }

  override modDownRescale(a: ExtendedCiphertext): Ciphertext {
    this.#recorder.call("modDownRescale", [a], (evaluator, [x]) => evaluator.modDownRescale(x as ExtendedCiphertext));
    return this.#ciphertext(2, a.level - 1, this.#rescaled(a), a.slots);
  }

  override accumulateRotated(into: ExtendedCiphertext, a: ExtendedCiphertext | Ciphertext, steps: number): void {
    const reduced = reducedSteps(steps, a.slots);
    if (reduced === 0) {
      super.accumulateRotated(into, a, steps);
      return;
    }
    this.#rotationKey(reduced, a.level);
    this.#recorder.call(
      "accumulateRotated",
      [into, a],
      (evaluator, [x, y]) =>
        evaluator.accumulateRotated(x as ExtendedCiphertext, y as ExtendedCiphertext | Ciphertext, reduced),
      { steps: [reduced] },
    );
  }

  override modRaise(a: Ciphertext): Ciphertext {
    const top = this.context.parameters.maximumLevel;
    this.#recorder.key("dense-to-sparse", a.level);
    this.#recorder.key("sparse-to-dense", top);
    this.#recorder.call("modRaise", [a], (evaluator, [x]) => evaluator.modRaise(x as Ciphertext));
    return this.#ciphertext(2, top, a.scale, a.slots);
  }

  #rotationKey(steps: number, level: number): void {
    invariant(steps !== 0, "rotations by nothing have no key");
    this.#recorder.key(`galois-${rotationElement(steps, this.context.parameters.degree)}`, level);
  }

  #mapped(
    name: string,
    a: Ciphertext,
    scale: number,
    run: (evaluator: Evaluator, x: Ciphertext) => Ciphertext,
  ): Ciphertext {
    this.#recorder.call(name, [a], (evaluator, [x]) => run(evaluator, x as Ciphertext));
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
    const release = this.#recorder.take({ logN: ring.logN, basis }, level);
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
