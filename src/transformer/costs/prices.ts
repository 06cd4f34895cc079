/**
 * What calls of evaluators cost on a device, or on a rank of several: each is made once, for operands of one shape at
 * one level, on a backend that only counts.
 */
import { invariant } from "../../base/validate.ts";
import {
  Ciphertext,
  Context,
  Decomposed,
  Evaluator,
  ExtendedCiphertext,
  Hoisted,
  type Parameters,
  Plaintext,
} from "../../ckks/index.ts";
import { isSharded, kernelNames, NullBackend, WorkByPrime } from "../../kernels/index.ts";
import { range } from "../../program/index.ts";
import type { Poly } from "../../ring/poly.ts";
import { uncountedKeys } from "./blank-keys.ts";
import type { KernelTimes } from "./times.ts";
import { type Call, nameOfCall, nameOfShape, type Operand, type Shape, type Trace } from "./trace.ts";
import type { Meter } from "./units.ts";

export interface Price {
  /** How much numbers of the meter go up, those that do. */
  readonly amounts: readonly (readonly [index: number, amount: number])[];
  /** Bytes in use at most during the call, its results among them, beside what was in use before. */
  readonly bytes: number;
}

/** Of whole ciphertexts, for all programs of the same parameters, by what seconds by prime are made of. */
const known = new WeakMap<Parameters, Map<string, Prices>>();

/**
 * Prices of calls on whole ciphertexts: kernel work in the order of `kernelNames`, then what `WorkByPrime` lists.
 *
 * @param times of seconds by prime
 */
export function wholePrices(parameters: Parameters, times: KernelTimes): Prices {
  let byTimes = known.get(parameters);
  if (byTimes === undefined) known.set(parameters, (byTimes = new Map()));
  const key = kernelNames.map((name) => times[name]).join();
  let prices = byTimes.get(key);
  if (prices === undefined) {
    const backend = new NullBackend();
    const context = new Context(parameters, backend);
    byTimes.set(key, (prices = new Prices(context, backend, meterOf(context, backend, times))));
  }
  return prices;
}

/** Counts kernel work of whole ciphertexts, and by prime. */
export function meterOf(context: Context, backend: NullBackend, times: KernelTimes): Meter {
  const byPrime = new WorkByPrime(context.ring.primes.length, context.parameters, times);
  backend.byPrime = byPrime;
  return () => [...kernelNames.map((name) => backend.work[name]), ...byPrime.list()];
}

export class Prices {
  readonly #evaluator: Evaluator;
  readonly #backend: NullBackend;
  readonly #meter: Meter;
  readonly #size: number;
  readonly #byCall = new Map<Call, (Price | undefined)[]>();
  readonly #byName = new Map<string, Price>();
  readonly #operands = new Map<string, Operand>();

  /**
   * @param context over `backend`, or over a sharded one that counts on it
   * @param meter what is counted
   */
  constructor(context: Context, backend: NullBackend, meter: Meter) {
    this.#evaluator = new Evaluator(context, uncountedKeys(context, backend));
    this.#backend = backend;
    this.#meter = meter;
    this.#size = meter().length;
  }

  /**
   * Whether calls cost the same wherever they are made, which takes results that lie over ranks as if they had been
   * loaded: sums of which each rank has a share do not.
   */
  static apply({ ring, parameters }: Context): boolean {
    if (!isSharded(ring.kernels)) return true;
    using zero = ring.zero(parameters.moduli(0), "ntt");
    return isPlain(zero);
  }

  /** @param base level that the call's levels count from */
  of(call: Call, base: number): Price {
    let byBase = this.#byCall.get(call);
    if (byBase === undefined) this.#byCall.set(call, (byBase = []));
    let price = byBase[base];
    if (price === undefined) {
      // Where transforms are exchanges, rotations by steps of different classes send differently.
      const name = nameOfCall(call, base, this.#evaluator.context.exchanges.inTransforms);
      price = this.#byName.get(name);
      if (price === undefined) this.#byName.set(name, (price = this.#measure(call, base)));
      byBase[base] = price;
    }
    return price;
  }

  /** All calls of a trace at a level. */
  total({ calls }: Trace, base: number): Float64Array {
    const total = new Float64Array(this.#size);
    for (const { call, times } of calls) {
      for (const [i, amount] of this.of(call, base).amounts) total[i] = (total[i] as number) + times * amount;
    }
    return total;
  }

  /** Bytes of a trace at a level at its fullest moment, its results among them, besides its operands. */
  bytes({ moments, sizes }: Trace, base: number): number {
    const { ring, parameters } = this.#evaluator.context;
    const bytes = sizes.map(({ logN, basis, level }) => {
      const moduli = basis === "Q" ? parameters.moduli(base + level) : parameters.extendedModuli(base + level);
      const count = basis === "digits" ? parameters.digitsAt(base + level).length : 1;
      return count * moduli.length * ring.subring(logN).kernels.limbStride;
    });
    let most = 0;
    for (const { call, held } of moments) {
      const before = held.reduce((sum, count, i) => sum + count * (bytes[i] as number), 0);
      most = Math.max(most, before + this.of(call, base).bytes);
    }
    return most;
  }

  #measure(call: Call, base: number): Price {
    const operands = call.operands.map((shape) => this.#operand(shape, base));
    const levels = call.levels.map((level) => base + level);
    this.#backend.forgetPeak();
    const { used } = this.#backend.memory();
    const before = this.#meter();
    const result = call.run(this.#evaluator, operands, levels);
    const after = this.#meter();
    const { peak } = this.#backend.memory();
    const results = resultsOf(result);
    for (const operand of [...operands, ...results])
      invariant(polysOf(operand).every(isPlain), `${call.name} leaves limbs otherwise than others lie`);
    for (const one of [...results, ...operands.filter((_, i) => isPending(call.operands[i] as Shape))])
      one[Symbol.dispose]();
    const rises = Float64Array.from(after, (value, i) => value - (before[i] as number));
    if (call.beyond !== undefined)
      for (const [i, amount] of this.of(call.beyond, base).amounts) rises[i] = (rises[i] as number) - amount;
    const amounts: [number, number][] = [];
    for (let i = 0; i < rises.length; i++) if (rises[i] !== 0) amounts.push([i, rises[i] as number]);
    return { amounts, bytes: peak - used };
  }

  /** Operands of one shape share their memory, but for those that calls change. */
  #operand(shape: Shape, base: number): Operand {
    if (isPending(shape)) return this.#make(shape, base);
    const name = nameOfShape(shape, base);
    let operand = this.#operands.get(name);
    if (operand === undefined) this.#operands.set(name, (operand = this.#make(shape, base)));
    return operand;
  }

  #make(shape: Shape, base: number): Operand {
    const { context } = this.#evaluator;
    const { ring, parameters } = context;
    const { scale, maximumSlots: slots } = parameters;
    const level = base + shape.level;
    switch (shape.form) {
      case "ciphertext": {
        const moduli = parameters.moduli(level);
        return new Ciphertext(
          range(shape.parts).map(() => ring.zero(moduli, "ntt")),
          level,
          scale,
          slots,
        );
      }
      case "extended":
        return this.#evaluator.zeroExtended(level, scale, slots);
      case "hoisted": {
        const of = this.#operand(shape.of, base) as Ciphertext | ExtendedCiphertext;
        const ranges = parameters.digitsAt(level);
        const moduli = parameters.extendedModuli(level);
        // Where transforms are exchanges, none is put off.
        const pending = shape.pending && !context.exchanges.inTransforms;
        const digits = ranges.map(() => ring.zero(moduli, "ntt"));
        const down =
          of instanceof ExtendedCiphertext && pending ? ring.zero(parameters.moduli(level), "ntt") : undefined;
        return new Hoisted(
          of,
          level,
          new Decomposed(digits, ranges, pending ? (down ?? of.parts[1]) : undefined),
          down,
        );
      }
      case "plaintext": {
        const { logRun, extended, montgomery } = shape;
        const moduli = extended ? parameters.extendedModuli(level) : parameters.moduli(level);
        const subring = ring.subring(parameters.logN - logRun);
        const poly = subring.zero(moduli, "ntt");
        return new Plaintext({ poly, level, scale, slots: subring.degree / 2, logRun, montgomery, extended });
      }
    }
  }
}

/** Whether the first call with an operand of this shape changes it. */
function isPending(shape: Shape): boolean {
  return shape.form === "hoisted" && shape.pending;
}

function resultsOf(result: unknown): Operand[] {
  if (result === undefined) return [];
  return Array.isArray(result) ? (result as Operand[]) : [result as Operand];
}

function polysOf(operand: Operand): readonly Poly[] {
  if (operand instanceof Hoisted) return operand.decomposed.digits;
  return operand instanceof Plaintext ? [operand.poly] : operand.parts;
}

function isPlain(poly: Poly): boolean {
  const { kernels } = poly.ring;
  return !isSharded(kernels) || kernels.isPlain(poly);
}
