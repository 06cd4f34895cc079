/**
 * What operations of the long layout are made of: the scheme's own code, run once for each kind and
 * level on a null backend. Operands are laid out as in real runs, since a sharded backend asks for more exchanges
 * when a sum over QP lies spread over the ranks.
 */
import { Ciphertext, type ExtendedCiphertext, Multiplier, TensorAccumulator } from "../../ckks/index.ts";
import { range, sequenceOf } from "../../program/index.ts";
import type { Poly } from "../../ring/poly.ts";
import type { Environment } from "../operators/environment.ts";

/** What has been counted so far: numbers that only grow. */
export type Meter = () => readonly number[];

export const unitNames = [
  "copy",
  "pair",
  "hoist",
  "rotate",
  "rotate-extended",
  "hoist-extended",
  "rotate-further",
  "extend",
  "zero-extended",
  "zero-sum",
  "down",
  "add-extended",
  "add-lifted",
  "accumulate-rotated",
  "relinearise-extended",
  "multiplier",
  "product",
  "plain-term",
  "plain-term-lifted",
  "plain-term-lifted-only",
  "plain-term-narrow",
  "mask",
  "masked-term",
] as const;

export type UnitName = (typeof unitNames)[number];

/** Gives back operands to free after a measurement. */
export type Keep = <T>(operand: T & { [Symbol.dispose](): void }) => T;

/** Makes operands, uncounted, and returns what is counted. */
export type Prepare = (keep: Keep) => () => void;

/** Measures pieces of code once each. */
export class UnitCache {
  readonly #meter: Meter;
  readonly #known = new Map<string, Float64Array>();

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  /** How much the meter goes up. */
  measure(key: string, prepare: Prepare): Float64Array {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const result = this.#run(prepare);
    this.#known.set(key, result);
    return result;
  }

  #run(prepare: Prepare): Float64Array {
    const held: Disposable[] = [];
    const run = prepare((operand) => {
      held.push(operand);
      return operand;
    });
    const before = Float64Array.from(this.#meter());
    run();
    const after = this.#meter();
    for (const operand of held) operand[Symbol.dispose]();
    return before.map((value, i) => (after[i] as number) - value);
  }
}

/** A ciphertext of zeros. */
export function fake(environment: Environment, level: number): Ciphertext {
  return environment.evaluator.zero(level, environment.scale, environment.slots);
}

/** Zeros over QP, laid out as a product with a key, as P times a ciphertext, or as a total of such or of nothing. */
export type ExtendedForm = "product" | "lifted" | "total" | "lifted-total" | "zero";

export function fakeExtended(
  environment: Environment,
  form: ExtendedForm,
  level: number,
  keep: Keep,
): ExtendedCiphertext {
  const { evaluator, geometry } = environment;
  using a = fake(environment, level);
  if (form === "lifted") return keep(evaluator.extend(a));
  if (form === "product") {
    using hoisted = evaluator.hoist(a);
    return keep(evaluator.rotateExtended(hoisted, geometry.lanes));
  }
  const total = keep(environment.zeroExtended(level, 1));
  if (form === "zero") return total;
  evaluator.addExtended(total, fakeExtended(environment, form === "total" ? "product" : "lifted", level, keep));
  return total;
}

/** A unit at a level; rotations by `step`. */
export function unit(environment: Environment, name: UnitName, level: number, step: number): Prepare {
  const { evaluator, geometry, slots } = environment;
  const { context } = evaluator;
  const { kernels } = context.ring;
  const zero = (keep: Keep): Ciphertext => keep(fake(environment, level));
  const extended = (form: ExtendedForm, keep: Keep): ExtendedCiphertext => fakeExtended(environment, form, level, keep);
  const plainTerm =
    (sum: ExtendedForm, operand: ExtendedForm): Prepare =>
    (keep) => {
      const [{ parts: into }, { parts }] = [extended(sum, keep), extended(operand, keep)];
      return () => {
        const values = new Float64Array(geometry.lanes).fill(1);
        using plaintext = evaluator.encode(values, { level, use: "product", extended: true });
        kernels.multiplySums(
          [{ dst: into, a: [plaintext.poly], b: parts.map((part) => [part]) }],
          true,
          plaintext.logRun,
        );
      };
    };
  switch (name) {
    case "copy":
      return (keep) => {
        const a = zero(keep);
        return () => evaluator.dropLevel(a, level).dispose();
      };
    case "pair":
      return (keep) => {
        const [a, b] = [zero(keep), zero(keep)];
        return () => {
          using turned = evaluator.multiplyByI(b);
          evaluator.add(a, turned).dispose();
        };
      };
    case "hoist":
      return (keep) => {
        const a = zero(keep);
        return () => evaluator.hoist(a)[Symbol.dispose]();
      };
    case "rotate":
      return (keep) => {
        const hoisted = keep(evaluator.hoist(zero(keep)));
        return () => evaluator.rotateHoisted(hoisted, step).dispose();
      };
    case "rotate-extended":
      return (keep) => {
        const hoisted = keep(evaluator.hoist(zero(keep)));
        return () => evaluator.rotateExtended(hoisted, step)[Symbol.dispose]();
      };
    case "hoist-extended":
      return (keep) => {
        const a = extended("product", keep);
        return () => evaluator.hoistExtended(a)[Symbol.dispose]();
      };
    case "rotate-further":
      return (keep) => {
        const hoisted = keep(evaluator.hoistExtended(extended("product", keep)));
        return () => evaluator.rotateExtended(hoisted, step)[Symbol.dispose]();
      };
    case "extend":
      return (keep) => {
        const a = zero(keep);
        return () => evaluator.extend(a)[Symbol.dispose]();
      };
    case "zero-extended":
      return () => () => environment.zeroExtended(level, 1)[Symbol.dispose]();
    case "zero-sum":
      return () => () => {
        for (const part of environment.zeroSum(level)) part.dispose();
      };
    case "down":
      return (keep) => {
        const a = extended("product", keep);
        return () => evaluator.modDown(a).dispose();
      };
    case "add-extended":
      return (keep) => {
        const [into, a] = [extended("total", keep), extended("product", keep)];
        return () => evaluator.addExtended(into, a);
      };
    case "add-lifted":
      return (keep) => {
        const [into, a] = [extended("lifted-total", keep), extended("lifted", keep)];
        return () => evaluator.addExtended(into, a);
      };
    case "accumulate-rotated":
      return (keep) => {
        const [into, a] = [extended("total", keep), extended("product", keep)];
        return () => evaluator.accumulateRotated(into, a, step);
      };
    case "relinearise-extended":
      return (keep) => {
        const moduli = context.parameters.moduli(level);
        const parts = range(3).map(() => keep(context.ring.zero(moduli, "ntt")));
        const a = new Ciphertext(parts, level, 1, slots);
        return () => evaluator.relineariseExtended(a)[Symbol.dispose]();
      };
    case "multiplier":
      return (keep) => {
        const a = zero(keep);
        return () => new Multiplier(context, a, level)[Symbol.dispose]();
      };
    case "product":
      return (keep) => {
        const a = zero(keep);
        const factor = keep(new Multiplier(context, a, level));
        const sum = keep(new TensorAccumulator(context, level));
        sum.add([factor], [a]);
        return () => sum.add([factor], [a]);
      };
    case "plain-term":
      return plainTerm("total", "product");
    case "plain-term-lifted":
      return plainTerm("total", "lifted");
    case "plain-term-lifted-only":
      return plainTerm("lifted-total", "lifted");
    case "plain-term-narrow":
      return (keep) => {
        const into = environment.zeroSum(level).map(keep);
        const { parts } = zero(keep);
        return () => {
          const values = new Float64Array(geometry.lanes).fill(1);
          using plaintext = evaluator.encode(values, { level, use: "product" });
          kernels.multiplySums(
            [{ dst: into, a: [plaintext.poly], b: parts.map((part) => [part]) }],
            true,
            plaintext.logRun,
          );
        };
      };
    case "mask":
      return () => {
        const values = new Float64Array(maskLength(environment)).fill(1);
        return () => evaluator.encode(values, { level, use: "product" }).dispose();
      };
    case "masked-term":
      return (keep) => {
        const [into, a] = [zero(keep).parts as [Poly, Poly], zero(keep).parts as [Poly, Poly]];
        const values = new Float64Array(maskLength(environment)).fill(1);
        const { poly, logRun } = keep(evaluator.encode(values, { level, use: "product" }));
        return () => kernels.multiplySums([{ dst: into, a: [poly], b: [[a[0]], [a[1]]] }], true, logRun);
      };
  }
}

/** Values of a mask of keys: those of one token when there is no padding. */
function maskLength({ geometry, length, slots }: Environment): number {
  return length === sequenceOf(geometry) ? geometry.lanes : slots;
}
