/** Every operation against plain complex arithmetic; precision is held to stored floors. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  at,
  type Complex,
  complex,
  Fixture,
  operationsSpec,
  randomVector,
  sharedBackend,
  tabulate,
  wordsOf,
  zip,
} from "../../test/support/ckks.ts";
import { PrecisionTable } from "../../test/support/precision.ts";
import { type Ciphertext, type ComplexVector, Evaluator, type ExtendedCiphertext } from "./index.ts";

const rotations = [1, 3, 255, 64];

interface Operands {
  readonly fixture: Fixture;
  readonly a: Ciphertext;
  readonly b: Ciphertext;
  readonly x: ComplexVector;
  readonly y: ComplexVector;
  readonly slots: number;
}

type Operation = (operands: Operands) => [Ciphertext, ComplexVector];

const times =
  (c: Complex) =>
  (x: Complex): Complex =>
    complex.multiply(x, c);
const rotated = (x: ComplexVector, steps: number): ComplexVector => tabulate(x.real.length, (j) => at(x, j + steps));
const product = (x: ComplexVector, y: ComplexVector): ComplexVector => zip(complex.multiply, x, y);

/** Name → what the evaluator gives, and what is expected. Operands are at level 3. */
const operations: Record<string, Operation> = {
  "encrypt with the secret key": ({ a, x }) => [a.clone(), x],
  add: ({ fixture, a, b, x, y }) => [fixture.evaluator.add(a, b), zip(complex.add, x, y)],
  subtract: ({ fixture, a, b, x, y }) => [fixture.evaluator.subtract(a, b), zip(complex.subtract, x, y)],
  negate: ({ fixture, a, x }) => [fixture.evaluator.negate(a), zip(times([-1, 0]), x)],
  "add a plaintext": ({ fixture, a, x, y }) => {
    using plaintext = fixture.encoder.encode(y);
    return [fixture.evaluator.addPlain(a, plaintext), zip(complex.add, x, y)];
  },
  "add a plaintext for products": ({ fixture, a, x, y }) => {
    using plaintext = fixture.encoder.encode(y, { use: "product" });
    return [fixture.evaluator.addPlain(a, plaintext), zip(complex.add, x, y)];
  },
  "add a constant": ({ fixture, a, x }) => [
    fixture.evaluator.addConstant(a, -0.75),
    zip((v) => complex.add(v, [-0.75, 0]), x),
  ],
  "multiply by an integer": ({ fixture, a, x }) => [fixture.evaluator.multiplyConstant(a, -3), zip(times([-3, 0]), x)],
  "multiply by a constant, rescale": ({ fixture, a, x }) => {
    const { evaluator, context } = fixture;
    using scaled = evaluator.multiplyConstant(a, Math.PI / 4, context.parameters.levelModulus(3));
    return [evaluator.rescale(scaled), zip(times([Math.PI / 4, 0]), x)];
  },
  "multiply by i": ({ fixture, a, x }) => [fixture.evaluator.multiplyByI(a), zip(times([0, 1]), x)],
  "multiply by a plaintext, rescale": ({ fixture, a, x, y }) => {
    using plaintext = fixture.encoder.encode(y, { use: "product" });
    using scaled = fixture.evaluator.multiplyPlain(a, plaintext);
    return [fixture.evaluator.rescale(scaled), product(x, y)];
  },
  "multiply by a plaintext of period 4, rescale": ({ fixture, a, x }) => {
    const short = randomVector(4, 77);
    using plaintext = fixture.encoder.encode(short, { use: "product" });
    using scaled = fixture.evaluator.multiplyPlain(a, plaintext);
    return [
      fixture.evaluator.rescale(scaled),
      tabulate(x.real.length, (j) => complex.multiply(at(x, j), at(short, j))),
    ];
  },
  multiply: ({ fixture, a, b, x, y }) => [fixture.evaluator.multiply(a, b), product(x, y)],
  "multiply and rescale": ({ fixture, a, b, x, y }) => [fixture.evaluator.multiplyRescale(a, b), product(x, y)],
  "multiply, rescale apart": ({ fixture, a, b, x, y }) => {
    using scaled = fixture.evaluator.multiply(a, b);
    return [fixture.evaluator.rescale(scaled), product(x, y)];
  },
  "tensor without relinearisation": ({ fixture, a, b, x, y }) => [fixture.evaluator.tensor(a, b), product(x, y)],
  "sum of 4 products": ({ fixture, a, b, x, y }) => {
    using sum = fixture.evaluator.tensorSum([
      [a, b],
      [b, a],
      [a, a],
      [b, b],
    ]);
    const expected = zip((v, w) => complex.multiply(complex.add(v, w), complex.add(v, w)), x, y);
    return [fixture.evaluator.relineariseRescale(sum), expected];
  },
  "three squarings": ({ fixture, a, x }) => {
    using first = fixture.evaluator.multiplyRescale(a, a);
    using second = fixture.evaluator.multiplyRescale(first, first);
    const square = (v: Complex): Complex => complex.multiply(v, v);
    return [fixture.evaluator.multiplyRescale(second, second), zip((v) => square(square(square(v))), x)];
  },
  "drop to level 0": ({ fixture, a, x }) => [fixture.evaluator.dropLevel(a, 0), x],
  "rotate by 1": ({ fixture, a, x }) => [fixture.evaluator.rotate(a, 1), rotated(x, 1)],
  "rotate by −1 at level 0": ({ fixture, a, x }) => {
    using low = fixture.evaluator.dropLevel(a, 0);
    return [fixture.evaluator.rotate(low, -1), rotated(x, -1)];
  },
  "rotate by 64, hoisted": ({ fixture, a, x }) => {
    using hoisted = fixture.evaluator.hoist(a);
    return [fixture.evaluator.rotateHoisted(hoisted, 64), rotated(x, 64)];
  },
  conjugate: ({ fixture, a, x }) => [fixture.evaluator.conjugate(a), zip(([re, im]) => [re, -im], x)],
  "a combination, rescaled": ({ fixture, a, b, x, y }) => {
    const { evaluator, context } = fixture;
    const scale = a.scale * context.parameters.levelModulus(2);
    using sum = evaluator.combine(
      [
        [a, 0.25],
        [b, -1.5],
      ],
      0.5,
      { level: 2, scale, slots: a.slots },
    );
    return [
      evaluator.rescale(sum),
      zip((v, w) => complex.add(complex.add(times([0.25, 0])(v), times([-1.5, 0])(w)), [0.5, 0]), x, y),
    ];
  },
  "accumulate a multiple": ({ fixture, a, b, x, y }) => {
    const target = a.clone();
    fixture.evaluator.accumulate(target, b, 2);
    return [target, zip((v, w) => complex.add(v, complex.multiply(w, [2, 0])), x, y)];
  },
};

const operands = (fixture: Fixture, seed: number, slots: number): Operands => {
  const x = randomVector(slots, seed);
  const y = randomVector(slots, seed + 100);
  return { fixture, a: fixture.encrypt(x), b: fixture.encrypt(y), x, y, slots };
};

describe("precision", () => {
  const table = new PrecisionTable("operations");
  const half = new PrecisionTable("operations-sparse");
  const fixtures: Fixture[] = [];

  beforeAll(async () => {
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8])
      fixtures.push((await Fixture.make(operationsSpec, seed)).addKeys([...rotations, 15]));
  });
  afterAll(() => {
    table.check();
    half.check();
  });

  test.each(Object.keys(operations))("%s", (name) => {
    for (const [i, fixture] of fixtures.entries()) {
      const full = operands(fixture, i + 1, 256);
      const [result, expected] = operations[name](full);
      table.add(name, fixture.bits(result, expected));
    }
  });

  test.each(["add", "multiply and rescale", "rotate by 1", "rotate by −1 at level 0", "conjugate", "multiply by i"])(
    "%s, 16 slots of 256",
    (name) => {
      for (const [i, fixture] of fixtures.entries()) {
        const [result, expected] = operations[name](operands(fixture, i + 1, 16));
        expect(result.slots).toBe(16);
        half.add(name, fixture.bits(result, expected));
      }
    },
  );

  test("operands stay as they are", () => {
    const { a, b, ...rest } = operands(fixtures[0], 9, 256);
    const before = [wordsOf(a), wordsOf(b)];
    for (const operation of Object.values(operations)) operation({ a, b, ...rest })[0].dispose();
    expect([wordsOf(a), wordsOf(b)]).toEqual(before);
  });

  test("levels and scales are what the moduli say", () => {
    const { fixture, a, b } = operands(fixtures[0], 5, 256);
    const { evaluator, context } = fixture;
    using product = evaluator.multiplyRescale(a, b);
    expect(product.level).toBe(2);
    expect(product.scale).toBe((a.scale * b.scale) / context.parameters.levelModulus(3));
    using dropped = evaluator.dropLevel(a, 1);
    expect([dropped.level, dropped.scale]).toEqual([1, a.scale]);
    using low = evaluator.add(dropped, b);
    expect(low.level).toBe(1);
    using plain = fixture.encoder.encode([1], { scale: 3, use: "product" });
    using scaled = evaluator.multiplyPlain(a, plain);
    expect([scaled.level, scaled.scale]).toEqual([3, 3 * a.scale]);
  });

  test("rotations made together are those made one by one", () => {
    const { fixture, a, b } = operands(fixtures[0], 6, 256);
    const { evaluator } = fixture;
    using first = evaluator.hoist(a);
    using second = evaluator.hoist(b);
    for (const steps of [0, 3]) {
      const together = evaluator.rotateTogether([first, second], steps);
      for (const [i, hoisted] of [first, second].entries()) {
        using alone = evaluator.rotateExtended(hoisted, steps);
        const [mine, its] = [together[i], alone].map((one) => {
          using down = evaluator.modDown(one);
          return wordsOf(down);
        });
        expect(mine).toEqual(its);
      }
      for (const rotated of together) rotated[Symbol.dispose]();
    }
    using low = evaluator.dropLevel(b, 1);
    using third = evaluator.hoist(low);
    expect(() => evaluator.rotateTogether([first, third], 3)).toThrow(/differ in level/);
  });

  test("rotations by several steps at once are those made one by one, at a lower level too, however few keys are held", () => {
    const { fixture, a } = operands(fixtures[0], 9, 256);
    const { context, evaluator, keys } = fixture;
    const steps = [1, 64, 3];
    const few = new Evaluator(context, { keys: (names, level) => keys.keys(names.slice(0, 2), level) });
    const words = (rotated: ExtendedCiphertext): unknown => {
      using extended = rotated;
      using down = evaluator.modDown(extended);
      return wordsOf(down);
    };
    for (const level of [a.level, 1]) {
      using low = evaluator.dropLevel(a, level);
      using hoisted = evaluator.hoist(low);
      const expected = steps.map((k) => words(evaluator.rotateExtended(hoisted, k)));
      for (const one of [evaluator, few]) {
        using later = one.hoist(a, { transforms: "later", level });
        expect(one.rotateEach(later, steps).map(words)).toEqual(expected);
        expect(one.rotateEach(later, []).map(words)).toEqual([]);
        expect(words(one.rotateExtended(later, 3)), "once more").toEqual(expected[2]);
        expect(words(one.rotateExtended(later, 0))).toEqual(words(one.rotateExtended(hoisted, 0)));
      }
    }
    using low = evaluator.dropLevel(a, 1);
    expect(() => evaluator.hoist(low, { level: 2 })).toThrow(/level from 0 to 1, got 2/);
  });

  test("products relinearised together are those made one by one", () => {
    const { fixture, a, b } = operands(fixtures[0], 10, 256);
    const { evaluator } = fixture;
    using square = evaluator.tensor(a, a, 2);
    using product = evaluator.tensor(a, b);
    const together = evaluator.relineariseRescaleTogether([square, product]);
    for (const [i, one] of [square, product].entries()) {
      using alone = evaluator.relineariseRescale(one);
      using mine = together[i] as Ciphertext;
      expect(wordsOf(mine)).toEqual(wordsOf(alone));
      expect([mine.level, mine.scale]).toEqual([alone.level, alone.scale]);
    }
  });

  test("hoisted and unhoisted rotations agree, and share the digits of one ciphertext", () => {
    const { fixture, a, x } = operands(fixtures[0], 6, 256);
    using hoisted = fixture.evaluator.hoist(a);
    for (const steps of [...rotations, 0, 256, -1, -253]) {
      using one = fixture.evaluator.rotate(a, steps);
      using other = fixture.evaluator.rotateHoisted(hoisted, steps);
      expect(fixture.bits(one.clone(), rotated(x, steps)).minimum, `by ${steps}`).toBeGreaterThan(30);
      expect(fixture.bits(other.clone(), rotated(x, steps)).minimum, `by ${steps}, hoisted`).toBeGreaterThan(30);
    }
  });

  test("rotations over QP are rotated further, by 0 as well", () => {
    const { fixture, a, x } = operands(fixtures[0], 8, 256);
    const { evaluator } = fixture;
    using hoisted = evaluator.hoist(a);
    using first = evaluator.rotateExtended(hoisted, 3);
    using again = evaluator.hoistExtended(first);
    for (const steps of [1, 64, 0]) {
      const further = evaluator.rotateHoisted(again, steps);
      expect(further.level).toBe(a.level);
      expect(fixture.bits(further, rotated(x, 3 + steps)).minimum, `by 3 and ${steps}`).toBeGreaterThan(30);
    }
  });

  test("rotations over QP add up to the rotation of the sum", () => {
    const { fixture, a, x } = operands(fixtures[0], 7, 256);
    const { evaluator } = fixture;
    using hoisted = evaluator.hoist(a);
    using total = evaluator.extend(a);
    using first = evaluator.rotateExtended(hoisted, 1);
    evaluator.accumulateRotated(total, first, 3); // a + rotation by 4
    evaluator.accumulateRotated(total, first, 0); // + rotation by 1
    using sum = evaluator.modDown(total);
    const expected = zip((u, v, w) => complex.add(complex.add(u, v), w), x, rotated(x, 4), rotated(x, 1));
    expect(fixture.bits(sum.clone(), expected).minimum).toBeGreaterThan(30);
    using lower = evaluator.modDownRescale(total);
    expect([lower.level, lower.scale]).toEqual([2, a.scale / fixture.context.parameters.levelModulus(3)]);
  });
});

describe("backends", () => {
  test("the reference computes every operation, and wasm gives the same bytes", async () => {
    const spec = { ...operationsSpec, logN: 5, name: "insecure-both" };
    const wasm = (await Fixture.make(spec, 21)).addKeys([1, 3, 15, 4]);
    const reference = (await Fixture.make(spec, 21, "reference")).addKeys([1, 3, 15, 4]);
    for (const [name, operation] of Object.entries(operations)) {
      if (name.includes("64")) continue;
      const [one] = operation(operands(wasm, 3, 16));
      const [other, expected] = operation(operands(reference, 3, 16));
      expect(wordsOf(one), name).toEqual(wordsOf(other));
      expect(reference.bits(other, expected).minimum, name).toBeGreaterThan(30);
    }
    (await sharedBackend("reference")).dispose();
  });
});

afterAll(async () => (await sharedBackend()).dispose());

test("a combination has the very words of one multiple after another, and may have no terms", async () => {
  const fixture = await Fixture.make(operationsSpec, 9);
  const { evaluator } = fixture;
  using a = fixture.encrypt(randomVector(8, 1));
  using b = fixture.encrypt(randomVector(8, 2));
  const like = { level: 2, scale: a.scale * 1000.5, slots: 8 };
  using sum = evaluator.zero(like.level, like.scale, like.slots);
  evaluator.accumulate(sum, a, 0.3);
  evaluator.accumulate(sum, b, -7.125);
  evaluator.accumulateConstant(sum, 2.5);
  using together = evaluator.combine(
    [
      [a, 0.3],
      [b, -7.125],
    ],
    2.5,
    like,
  );
  expect(wordsOf(together)).toEqual(wordsOf(sum));
  using constant = evaluator.zero(like.level, like.scale, like.slots);
  evaluator.accumulateConstant(constant, -1);
  using none = evaluator.combine([], -1, like);
  expect(wordsOf(none)).toEqual(wordsOf(constant));
  using low = evaluator.dropLevel(a, 1);
  expect(() => evaluator.combine([[low, 1]], 0, like)).toThrow(expect.objectContaining({ code: "level" }));
});
