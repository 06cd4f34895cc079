import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toBig } from "../../test/support/bigint.ts";
import { at, operationsSpec, precision, randomVector, sharedBackend, tabulate } from "../../test/support/ckks.ts";
import { type ComplexVector, Context, Encoder, type Plaintext } from "./index.ts";
import { SpecialFft } from "./special-fft.ts";

let context: Context;
let encoder: Encoder;
beforeAll(async () => {
  context = new Context(operationsSpec, await sharedBackend());
  encoder = new Encoder(context);
});
afterAll(() => context.backend.dispose());

/** m(ζ^(5^j))/scale with ζ = exp(πi/N): what a slot is by definition. */
function evaluate(coefficients: readonly number[], scale: number, slots: number): ComplexVector {
  const n = coefficients.length;
  let power = 1;
  return tabulate(slots, () => {
    let re = 0;
    let im = 0;
    for (const [k, c] of coefficients.entries()) {
      const angle = (Math.PI * ((power * k) % (2 * n))) / n;
      re += c * Math.cos(angle);
      im += c * Math.sin(angle);
    }
    power = (power * 5) % (2 * n);
    return [re / scale, im / scale];
  });
}

const coefficientsOf = (plaintext: Plaintext): number[] => toBig(plaintext.poly).map(Number);

describe.each([1, 2, 4, 8, 16, 32, 64, 128, 256])("%i slots", (slots) => {
  const complexValues = randomVector(slots, slots);
  const realValues = complexValues.real;

  test.each<[string, number[] | Float64Array | ComplexVector]>([
    ["complex", complexValues],
    ["real", realValues],
    ["plain array", [...realValues]],
  ])("%s values come back", (_, values) => {
    using plaintext = encoder.encode(values);
    const expected =
      "real" in values ? values : { real: Float64Array.from(values), imaginary: new Float64Array(slots) };
    const got = encoder.decode(plaintext);
    const wanted = slots === 1 ? tabulate(2, () => at(expected, 0)) : expected;
    expect(precision(wanted, got).minimum).toBeGreaterThan(42);
  });

  test("the polynomial is compact and has the values at the powers of 5", () => {
    using plaintext = encoder.encode(complexValues, { level: 0, scale: 2 ** 40 });
    expect(plaintext.poly.ring.degree).toBe(2 * Math.max(slots, 2));
    expect(plaintext.logRun).toBe(9 - Math.log2(plaintext.poly.ring.degree));
    const got = evaluate(coefficientsOf(plaintext), 2 ** 40, plaintext.slots);
    expect(
      precision(
        tabulate(plaintext.slots, (j) => at(complexValues, j)),
        got,
      ).minimum,
    ).toBeGreaterThan(33);
  });

  test("rounding is at most 1/2 in each coefficient", () => {
    const scale = 2 ** 30;
    using plaintext = encoder.encode(complexValues, { level: 0, scale });
    const n = plaintext.slots;
    const { real, imaginary } = tabulate(n, (j) => at(complexValues, j));
    SpecialFft.for(n).inverse(real, imaginary);
    for (const [k, c] of coefficientsOf(plaintext).entries()) {
      const exact = (k < n ? real[k] : imaginary[k - n]) * scale;
      expect(Math.abs(c - exact)).toBeLessThan(0.5 + 1e-6);
    }
  });
});

describe("forms", () => {
  const values = randomVector(256, 5);

  test.each<[string, object]>([
    ["for products", { use: "product" }],
    ["over QP", { extended: true }],
    ["for products over QP", { use: "product", extended: true }],
    ["at level 1", { level: 1 }],
    ["at a small scale", { scale: 2 ** 40 }],
  ])("%s", (_, options) => {
    using plaintext = encoder.encode(values, options);
    expect(precision(values, encoder.decode(plaintext)).minimum).toBeGreaterThan(34);
  });

  test("levels and bases have their limbs", () => {
    using low = encoder.encode(values, { level: 1 });
    using high = encoder.encode(values, { level: 1, extended: true });
    expect(low.poly.moduli).toEqual(context.parameters.moduli(1));
    expect(high.poly.moduli).toEqual(context.parameters.extendedModuli(1));
  });

  test("the error stays with the scale: one more bit of scale, one more bit of precision", () => {
    const bits = [20, 30, 40].map((logScale) => {
      using plaintext = encoder.encode(values, { scale: 2 ** logScale });
      return precision(values, encoder.decode(plaintext)).mean;
    });
    expect(bits[1] - bits[0]).toBeCloseTo(10, 0);
    expect(bits[2] - bits[1]).toBeCloseTo(10, 0);
  });

  test("small slot counts cost small rings: memory is that of the subring", () => {
    const { used } = context.backend.memory();
    using plaintext = encoder.encode([1, 2, 3, 4], { level: 0 });
    expect(context.backend.memory().used - used).toBe(plaintext.bytes);
    expect(plaintext.bytes).toBeLessThan(2 * (4 * 8 + 64) + 1);
  });

  test("values up to 2^62 over the scale fit, others are refused without a leak", () => {
    using large = encoder.encode([2 ** 11.9]);
    expect(encoder.decode(large).real[0] / 2 ** 11.9).toBeCloseTo(1, 12);
    const { used } = context.backend.memory();
    expect(() => encoder.encode([2 ** 12.1])).toThrow(
      "encode: coefficients of 2^62.1 at scale 2^50.0; at most 2^62 fit",
    );
    expect(() => encoder.encode({ real: new Float64Array(2), imaginary: Float64Array.of(Number.NaN, 0) })).toThrow(
      "a value that is not a number",
    );
    expect(context.backend.memory().used).toBe(used);
  });

  test("both parts of a complex vector have one length", () => {
    expect(() => encoder.encode({ real: new Float64Array(4), imaginary: new Float64Array(3) })).toThrow(
      "values.imaginary: expected 4 elements, got 3",
    );
  });
});

describe("the special FFT", () => {
  test.each([2, 8, 64, 1024])("of %i slots is its definition, and its inverse undoes it", (n) => {
    const { real, imaginary } = randomVector(n, n);
    const coefficients = [...real, ...imaginary];
    const expected = evaluate(coefficients, 1, n);
    SpecialFft.for(n).forward(real, imaginary);
    expect(precision(expected, { real, imaginary }).minimum).toBeGreaterThan(40);
    SpecialFft.for(n).inverse(real, imaginary);
    const back = precision(
      { real: Float64Array.from(coefficients.slice(0, n)), imaginary: Float64Array.from(coefficients.slice(n)) },
      { real, imaginary },
    );
    expect(back.minimum).toBeGreaterThan(48);
  });

  test("refuses other lengths", () => {
    expect(() => SpecialFft.for(6)).toThrow("slots: expected a power of two, got 6");
  });
});
