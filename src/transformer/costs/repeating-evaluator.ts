/**
 * An evaluator on a rank that only counts (see `kernels/sharded/repeats.ts`): each of its operations is counted
 * once for operands of one shape. Operands and results are in NTT domain, so that how their limbs
 * lie over the ranks is all that matters of them.
 */
import {
  type Ciphertext,
  type Context,
  Evaluator,
  ExtendedCiphertext,
  Hoisted,
  type HoistOptions,
  type KeyName,
  type KeySource,
  reducedSteps,
} from "../../ckks/index.ts";
import { isRepeating, type Limbs } from "../../kernels/index.ts";

/** Where coefficients are distributed, rotations by steps alike modulo this (most ranks) send alike. */
export const stepClasses = 16;

type Operand = Ciphertext | ExtendedCiphertext;

/** An evaluator that counts repeats once where the context's kernels do. */
export function countingEvaluator(context: Context, keys: KeySource): Evaluator {
  return isRepeating(context.ring.kernels) ? new RepeatingEvaluator(context, keys) : new Evaluator(context, keys);
}

class RepeatingEvaluator extends Evaluator {
  override add(a: Ciphertext, b: Ciphertext): Ciphertext {
    return this.#once("add", [a, b], () => super.add(a, b));
  }

  override addTo(target: Ciphertext, a: Ciphertext): void {
    this.#once("addTo", [target, a], () => super.addTo(target, a));
  }

  override addPlain(...args: Parameters<Evaluator["addPlain"]>): Ciphertext {
    const [a, { poly, logRun, montgomery }] = args;
    return this.#once(`addPlain ${logRun} ${montgomery}`, [a], () => super.addPlain(...args), [poly]);
  }

  override multiplyPlain(...args: Parameters<Evaluator["multiplyPlain"]>): Ciphertext {
    const [a, { poly, logRun }] = args;
    return this.#once(`multiplyPlain ${logRun}`, [a], () => super.multiplyPlain(...args), [poly]);
  }

  override addConstant(a: Ciphertext, constant: number): Ciphertext {
    return this.#once("addConstant", [a], () => super.addConstant(a, constant));
  }

  override combine(...args: Parameters<Evaluator["combine"]>): Ciphertext {
    const [terms, , { level }] = args;
    const operands = terms.map(([a]) => a);
    return this.#once(`combine ${level}`, operands, () => super.combine(...args));
  }

  override tensorSum(...args: Parameters<Evaluator["tensorSum"]>): Ciphertext {
    return this.#once("tensorSum", args[0].flat(), () => super.tensorSum(...args));
  }

  override rescale(a: Ciphertext): Ciphertext {
    return this.#once("rescale", [a], () => super.rescale(a));
  }

  override dropLevel(a: Ciphertext, level: number): Ciphertext {
    return this.#once(`dropLevel ${level}`, [a], () => super.dropLevel(a, level));
  }

  override zero(level: number, scale: number, slots: number): Ciphertext {
    return this.#once(`zero ${level}`, [], () => super.zero(level, scale, slots));
  }

  override multiplyRescale(a: Ciphertext, b: Ciphertext): Ciphertext {
    return this.#once("multiplyRescale", [a, b], () => super.multiplyRescale(a, b));
  }

  override relineariseRescale(a: Ciphertext): Ciphertext {
    return this.#once("relineariseRescale", [a], () => super.relineariseRescale(a));
  }

  override relineariseRescaleTogether(list: readonly Ciphertext[]): Ciphertext[] {
    return this.#once("relineariseRescaleTogether", list, () => super.relineariseRescaleTogether(list));
  }

  override rotate(a: Ciphertext, steps: number): Ciphertext {
    return this.#once(`rotate ${this.#kind(steps, a)}`, [a], () => super.rotate(a, steps));
  }

  override conjugate(a: Ciphertext): Ciphertext {
    return this.#once("conjugate", [a], () => super.conjugate(a));
  }

  override hoist(a: Ciphertext, options: HoistOptions = {}): Hoisted {
    const { transforms, level } = options;
    return this.#once(`hoist ${transforms} ${level ?? a.level}`, [a], () => super.hoist(a, options));
  }

  override hoistExtended(a: ExtendedCiphertext, options: Pick<HoistOptions, "transforms"> = {}): Hoisted {
    return this.#once(`hoistExtended ${options.transforms}`, [a], () => super.hoistExtended(a, options));
  }

  override rotateHoisted(hoisted: Hoisted, steps: number): Ciphertext {
    return this.#onceOn("rotateHoisted", [hoisted], [steps], () => super.rotateHoisted(hoisted, steps));
  }

  override rotateTogether(hoisted: readonly Hoisted[], steps: number): ExtendedCiphertext[] {
    return this.#onceOn("rotateTogether", hoisted, [steps], () => super.rotateTogether(hoisted, steps));
  }

  override rotateEach(hoisted: Hoisted, steps: readonly number[]): ExtendedCiphertext[] {
    return this.#onceOn("rotateEach", [hoisted], steps, () => super.rotateEach(hoisted, steps));
  }

  override extend(a: Ciphertext, level: number = a.level): ExtendedCiphertext {
    return this.#once(`extend ${level}`, [a], () => super.extend(a, level));
  }

  override modDown(a: ExtendedCiphertext): Ciphertext {
    return this.#once("modDown", [a], () => super.modDown(a));
  }

  override modDownRescale(a: ExtendedCiphertext): Ciphertext {
    return this.#once("modDownRescale", [a], () => super.modDownRescale(a));
  }

  override accumulateRotated(into: ExtendedCiphertext, a: Operand, steps: number): void {
    this.#once(`accumulateRotated ${this.#kind(steps, a)}`, [into, a], () => super.accumulateRotated(into, a, steps));
  }

  override switchKey(a: Ciphertext, name: KeyName): Ciphertext {
    return this.#once(`switchKey ${name}`, [a], () => super.switchKey(a, name));
  }

  /** Rotations of one kind send alike. */
  #kind(steps: number, { slots }: Operand): number | undefined {
    const reduced = reducedSteps(steps, slots);
    if (reduced === 0) return undefined;
    return this.context.exchanges.inTransforms ? reduced % stepClasses : 0;
  }

  /** Rotations of hoisted ciphertexts: the first ones transform their digits. */
  #onceOn<T>(name: string, hoisted: readonly Hoisted[], steps: readonly number[], body: () => T): T {
    const kinds = hoisted.map((one) => `${one.level} ${one.decomposed.pending}`);
    const operands = hoisted.map(({ ciphertext }) => ciphertext);
    const turns = steps.map((k) => this.#kind(k, operands[0] as Operand));
    const digits = hoisted.flatMap(({ decomposed }) => decomposed.digits);
    return this.#once(`${name} ${kinds.join()} ${turns.join()}`, operands, body, digits);
  }

  /** @param others what is read besides the parts of the operands */
  #once<T>(name: string, operands: readonly Operand[], body: () => T, others: readonly Limbs[] = []): T {
    const { kernels } = this.context.ring;
    if (!isRepeating(kernels) || kernels.repeats.quiet) return body();
    let key = name;
    for (const a of operands) key += ` ${a instanceof ExtendedCiphertext ? "P" : a.parts.length}@${a.level}`;
    const limbs: Limbs[] = [...others];
    for (const { parts } of operands) limbs.push(...parts);
    return kernels.repeats.once(key, (x) => kernels.isPlain(x), limbs, polysOf, body);
  }
}

/** What a result consists of. */
function polysOf(result: unknown): readonly Limbs[] {
  if (Array.isArray(result)) return result.flatMap(polysOf);
  if (typeof result !== "object" || result === null) return [];
  if (result instanceof Hoisted) return result.decomposed.digits;
  return (result as Operand).parts;
}
