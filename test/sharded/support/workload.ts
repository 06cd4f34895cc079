/** Operations whose results and bytes are compared between one device, several, and plans of several. */
import {
  Bootstrapper,
  ephemeralSpecialCount,
  LinearTransform,
  transformRotations,
} from "../../../src/circuits/index.ts";
import {
  type Ciphertext,
  type Context,
  Encoder,
  Evaluator,
  type KeyName,
  type KeySource,
  type LoadedKey,
} from "../../../src/ckks/index.ts";
import { blankKey } from "../../../src/ckks/key-store.ts";
import { type Complex, tabulate } from "../../support/ckks.ts";

export const slots = 64;
/** Level of the operands. */
export const level = 6;

const diagonals = [0, 1, 2, 5, 8, 9].map((k) => {
  const value = (j: number): Complex => [Math.cos(j + k), Math.sin(j * k)];
  return [k, tabulate(slots, value)] as const;
});

export interface Step {
  readonly name: string;
  readonly run: () => Ciphertext[];
}

/** Objects whose making is no part of what is counted. */
export class Workload implements Disposable {
  readonly bootstrapper: Bootstrapper;
  readonly #transform: LinearTransform;
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
    this.bootstrapper = new Bootstrapper(context, slots);
    this.#transform = new LinearTransform(context, { slots, diagonals: new Map(diagonals) }, level);
  }

  /** Steps of rotations at the level of the operands. */
  rotations(): number[] {
    return [1, 2, 3, ...transformRotations(this.#transform.split, slots)];
  }

  /** @param inputs x and y at `level`, and one that is to be bootstrapped */
  steps(keys: KeySource, [x, y, spent]: readonly Ciphertext[]): Step[] {
    const evaluator = new Evaluator(this.#context, keys);
    const encoder = new Encoder(this.#context);
    const constants = { real: new Float64Array(slots).fill(0.5), imaginary: new Float64Array(slots).fill(0.25) };
    return [
      { name: "multiply", run: () => [evaluator.multiplyRescale(x, y), evaluator.multiply(x, y)] },
      { name: "rotate", run: () => [evaluator.rotate(x, 1), evaluator.conjugate(x)] },
      {
        name: "hoisted",
        run: () => {
          using hoisted = evaluator.hoist(x);
          using untouched = evaluator.rotateExtended(hoisted, 0);
          using turned = evaluator.rotateExtended(hoisted, 1);
          using again = evaluator.hoistExtended(turned);
          return [
            ...[1, 2, 3].map((k) => evaluator.rotateHoisted(hoisted, k)),
            evaluator.modDown(untouched),
            ...[0, 2].map((k) => evaluator.rotateHoisted(again, k)),
          ];
        },
      },
      {
        name: "plain",
        run: () => {
          const scale = this.#context.parameters.levelModulus(level);
          using factor = encoder.encode(constants, { level, scale, use: "product" });
          using product = evaluator.multiplyPlain(x, factor);
          using rescaled = evaluator.rescale(product);
          using summand = encoder.encode(constants, { level: rescaled.level, scale: rescaled.scale });
          using sum = evaluator.addPlain(rescaled, summand);
          using shifted = evaluator.addConstant(sum, 0.125);
          using turned = evaluator.multiplyByI(shifted);
          using difference = evaluator.subtract(turned, shifted);
          return [evaluator.multiplyConstant(difference, 3)];
        },
      },
      { name: "transform", run: () => [this.#transform.apply(evaluator, x)] },
      { name: "bootstrap", run: () => [this.bootstrapper.bootstrap(evaluator, spent)] },
    ];
  }

  [Symbol.dispose](): void {
    this.bootstrapper[Symbol.dispose]();
    this.#transform[Symbol.dispose]();
  }
}

/** Keys without values. */
export class BlankKeys implements KeySource {
  readonly #context: Context;
  readonly #keys = new Map<string, LoadedKey>();

  constructor(context: Context) {
    this.#context = context;
  }

  keys(names: readonly KeyName[], level: number): LoadedKey[] {
    return names.map((name) => this.#key(name, level));
  }

  #key(name: KeyName, level: number): LoadedKey {
    const specialCount = name === "dense-to-sparse" ? ephemeralSpecialCount : this.#context.parameters.specialCount;
    const shape = `${level} ${specialCount}`;
    const key = this.#keys.get(shape) ?? blankKey(this.#context, level, specialCount);
    this.#keys.set(shape, key);
    return key;
  }
}
