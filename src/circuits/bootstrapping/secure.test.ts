/** One bootstrapping at 128 bits of security: N = 2^16, preset bootstrap-16, full slots. */
import { afterAll, expect, test } from "vitest";
import { makeBoot } from "../../../test/support/bootstrapping.ts";
import { randomVector, sharedBackend } from "../../../test/support/ckks.ts";
import { maximumLogQP, preset } from "../../ckks/index.ts";

afterAll(async () => (await sharedBackend()).dispose());

test("bootstrap-16 keeps what it promises", { timeout: 600_000 }, async () => {
  const { spec, bootstrappingBits } = preset("bootstrap-16");
  expect(spec.insecure).toBeUndefined();
  const slots = 2 ** (spec.logN - 1);
  const { fixture, bootstrapper } = await makeBoot(spec, slots, 101);
  const { parameters } = fixture.context;
  expect(parameters.securityBits).toBe(128);
  expect(parameters.logQP).toBeLessThanOrEqual(maximumLogQP(16, { kind: "ternary" }));
  const values = randomVector(slots, 1);
  using a = fixture.encrypt(values, bootstrapper.inputLevel);
  const start = performance.now();
  const result = bootstrapper.bootstrap(fixture.evaluator, a);
  const seconds = (performance.now() - start) / 1000;
  expect(result.level).toBe(bootstrapper.outputLevel);
  expect(result.level - bootstrapper.inputLevel).toBeGreaterThanOrEqual(10);
  const measured = fixture.bits(result, values);
  if (process.env.PRECISION === "print") {
    console.log(
      `${seconds.toFixed(1)} s, mean ${measured.mean.toFixed(1)} bits, minimum ${measured.minimum.toFixed(1)}`,
    );
  }
  expect(measured.mean).toBeGreaterThan(bootstrappingBits as number);
  expect(measured.minimum).toBeGreaterThan((bootstrappingBits as number) - 4);
});
