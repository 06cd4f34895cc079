/** Every call of an evaluator, traced: what comes back is what really comes back, and no kernel runs for it. */
import { expect, test } from "vitest";
import { bootParameters } from "../../../test/support/transformer.ts";
import { Ciphertext, Context, Evaluator, ExtendedCiphertext, Hoisted, Plaintext } from "../../ckks/index.ts";
import { CountingCommunicator, kernelNames, NullBackend, shardedBackend, shardingNames } from "../../kernels/index.ts";
import { BlankKeys } from "./blank-keys.ts";
import { Prices, wholePrices } from "./prices.ts";
import { Recorder } from "./recorder.ts";
import { referenceTimes } from "./times.ts";
import { TracingEvaluator } from "./tracing-evaluator.ts";

const parameters = bootParameters(8);
const { scale, maximumSlots: slots } = parameters;
const level = 4;
const { log2 } = Math;

/** Operands of a call on either evaluator. */
class Operands {
  readonly evaluator: Evaluator;

  constructor(evaluator: Evaluator) {
    this.evaluator = evaluator;
  }

  a(at = level): Ciphertext {
    return this.evaluator.zero(at, scale, slots);
  }

  extended(): ExtendedCiphertext {
    return this.evaluator.zeroExtended(level, scale, slots);
  }

  tensor(): Ciphertext {
    return this.evaluator.tensor(this.a(), this.a());
  }

  plaintext(use: "sum" | "product", extended = false): Plaintext {
    return this.evaluator.encode([1, 2, 3, 4], { level, scale, use, extended });
  }

  hoisted(transforms: "now" | "later" = "later"): Hoisted {
    return this.evaluator.hoist(this.a(), { transforms });
  }
}

type Calls = Record<string, (evaluator: Evaluator, make: Operands) => unknown>;

const calls: Calls = {
  encode: (e) => [e.encode([1, 2], { level }), e.encode({ real: new Float64Array(8), imaginary: new Float64Array(8) })],
  add: (e, make) => e.add(make.a(), make.a(level + 1)),
  addTo: (e, make) => e.addTo(make.a(), make.a(level + 2)),
  subtract: (e, make) => e.subtract(make.tensor(), e.tensor(make.a(level + 1), make.a())),
  negate: (e, make) => e.negate(make.a()),
  addPlain: (e, make) => e.addPlain(make.a(2), make.plaintext("sum")),
  addConstant: (e, make) => e.addConstant(make.a(), 3),
  multiplyConstant: (e, make) => e.multiplyConstant(make.a(), 0.5, 2 ** 20),
  accumulate: (e, make) => e.accumulate(make.tensor(), make.a(level + 1), -1),
  accumulateConstant: (e, make) => e.accumulateConstant(make.a(), 1),
  combine: (e, make) => [
    e.combine(
      [1, 2, 3, 4].map((k) => [make.a(level + k), k] as const),
      2,
      { level, scale, slots },
    ),
    e.combine([], 2, { level, scale, slots }),
  ],
  zero: (e) => e.zero(level, scale, slots),
  multiplyByI: (e, make) => e.multiplyByI(make.a()),
  multiplyPlain: (e, make) => e.multiplyPlain(make.a(2), make.plaintext("product")),
  plainSum: (e, make) => e.plainSum([1, 2, 3].map((k) => [make.a(level + k), make.plaintext("product")] as const)),
  tensor: (e, make) => e.tensor(make.a(), make.a(level + 1), 2),
  tensorSum: (e, make) => e.tensorSum([1, 2, 3].map((k) => [make.a(), make.a(level + k)] as const)),
  rescale: (e, make) => e.rescale(make.tensor()),
  copy: (e, make) => e.copy(make.a()),
  dropLevel: (e, make) => e.dropLevel(make.a(), 1),
  relinearise: (e, make) => e.relinearise(make.tensor()),
  relineariseRescale: (e, make) => e.relineariseRescale(make.tensor()),
  relineariseRescaleTogether: (e, make) => e.relineariseRescaleTogether([make.tensor(), make.tensor()]),
  relineariseExtended: (e, make) => e.relineariseExtended(make.tensor()),
  multiply: (e, make) => e.multiply(make.a(), make.a()),
  multiplyRescale: (e, make) => e.multiplyRescale(make.a(), make.a()),
  rotate: (e, make) => [e.rotate(make.a(), 3), e.rotate(make.a(), slots)],
  conjugate: (e, make) => e.conjugate(make.a()),
  hoist: (e, make) => [make.hoisted("now"), make.hoisted("later"), e.hoist(make.a(), { level: 2 })],
  hoistExtended: (e, make) => [
    e.hoistExtended(make.extended()),
    e.hoistExtended(make.extended(), { transforms: "later" }),
  ],
  rotateHoisted: (e, make) => e.rotateHoisted(make.hoisted("now"), 1),
  rotateHoistedTogether: (e, make) => e.rotateHoistedTogether([make.hoisted(), make.hoisted()], 1),
  rotateExtended: (e, make) => [e.rotateExtended(make.hoisted(), 1), e.rotateExtended(make.hoisted(), 0)],
  rotateTogether: (e, make) => e.rotateTogether([make.hoisted(), e.hoistExtended(make.extended())], 2),
  rotateEach: (e, make) => e.rotateEach(make.hoisted(), [1, 2, 5]),
  zeroExtended: (e) => e.zeroExtended(level, scale, slots),
  addExtended: (e, make) => e.addExtended(make.extended(), make.extended()),
  plainSums: (e, make) =>
    e.plainSums(
      [3, 1].map((n) => Array.from({ length: n }, () => [make.extended(), make.plaintext("product", true)] as const)),
    ),
  extend: (e, make) => [e.extend(make.a()), e.extend(make.a(), 2)],
  modDown: (e, make) => e.modDown(make.extended()),
  modDownRescale: (e, make) => e.modDownRescale(make.extended()),
  accumulateRotated: (e, make) => [
    e.accumulateRotated(make.extended(), make.extended(), 3),
    e.accumulateRotated(make.extended(), make.a(), 3),
    e.accumulateRotated(make.extended(), make.a(), 0),
  ],
  modRaise: (e, make) => e.modRaise(make.a(0)),
};

/** All that tells results apart. */
function describe(result: unknown): unknown {
  if (Array.isArray(result)) return result.map(describe);
  const bits = (x: number): string => log2(x).toFixed(9);
  if (result instanceof Ciphertext || result instanceof ExtendedCiphertext) {
    const { level, scale, slots, parts } = result;
    return {
      kind: result.constructor.name,
      level,
      scale: bits(scale),
      slots,
      moduli: parts.map(({ moduli }) => moduli),
    };
  }
  if (result instanceof Plaintext) {
    const { level, scale, slots, logRun, montgomery, extended, poly } = result;
    return {
      level,
      scale: bits(scale),
      slots,
      logRun,
      montgomery,
      extended,
      moduli: poly.moduli,
      logN: poly.ring.logN,
    };
  }
  if (result instanceof Hoisted) {
    const { level, ciphertext, decomposed } = result;
    const moduli = decomposed.digits.map((digit) => digit.moduli);
    return { level, of: describe(ciphertext), pending: decomposed.pending, moduli };
  }
  return result;
}

/** Names of all that evaluators do, but for what is a step of ModRaise alone. */
const names = [Evaluator.prototype, Object.getPrototypeOf(Evaluator.prototype)]
  .flatMap((prototype) => Object.getOwnPropertyNames(prototype))
  .filter((name) => name !== "constructor" && name !== "switchKey");

test.each([...new Set(names)])("%s", (name) => {
  const call = calls[name] as Calls[string];
  const real = new NullBackend();
  const context = new Context(parameters, real);
  const evaluator = new Evaluator(context, new BlankKeys(context));
  const operands = new Operands(evaluator);
  const tracing = new NullBackend();
  const recorder = new Recorder(level);
  const traced = new TracingEvaluator(new Context(parameters, tracing), recorder);

  expect(describe(call(traced, new Operands(traced)))).toEqual(describe(call(evaluator, operands)));
  expect(kernelNames.map((kernel) => tracing.work[kernel])).toEqual(kernelNames.map(() => 0));
  // Its calls, those that made the operands among them, are priced as what really ran.
  const total = wholePrices(parameters, referenceTimes).total(recorder.trace, level);
  expect([...total.subarray(0, kernelNames.length)]).toEqual(kernelNames.map((kernel) => real.work[kernel]));
});

test.each(shardingNames)("%s: prices apply but where ranks have shares of sums", (name) => {
  const inner = new NullBackend();
  const backend = shardedBackend(inner, new CountingCommunicator(0, 2), { name, chain: parameters });
  expect(Prices.apply(new Context(parameters, backend))).toBe(name !== "limb-oa");
});
