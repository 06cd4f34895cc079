/** The scheme on a WebGPU adapter: the same bytes as on the CPU, and what a key switch costs. */
import { afterAll, describe, expect, test } from "vitest";
import { type Ciphertext, Context, type ParametersSpec, rotationElement } from "../../src/ckks/index.ts";
import { keySwitch, modDown } from "../../src/ckks/key-switch.ts";
import { type Backend, createWasmBackend } from "../../src/kernels/index.ts";
import { depthSpec, Fixture, randomVector, wordsOf } from "../support/ckks.ts";
import { webgpuForTests } from "./support.ts";

const webgpu = await webgpuForTests(2 ** 25);
const wasm = await createWasmBackend();

afterAll(() => {
  wasm.dispose();
  if (typeof webgpu !== "string") webgpu.dispose();
});

if (typeof webgpu === "string") test.skip(`webgpu: ${webgpu}`, () => undefined);
else {
  const fixture = (spec: ParametersSpec, backend: Backend, seed: number): Fixture =>
    new Fixture(new Context(spec, backend), seed);
  /** Both backends give the same words. */
  const agree = (body: (backend: Backend) => Ciphertext[]): void => {
    const [expected, got] = [wasm, webgpu].map((backend) => body(backend).map(wordsOf));
    expect(got).toEqual(expected);
  };

  describe("the scheme on an adapter", () => {
    test("encryption, products, rotations, conjugation and rescaling give the bytes of the CPU", () => {
      agree((backend) => {
        const f = fixture(depthSpec, backend, 11).addKeys([3]);
        const { evaluator } = f;
        const slots = f.context.parameters.maximumSlots;
        const [x, y] = [f.encrypt(randomVector(slots, 1)), f.encrypt(randomVector(slots, 2))];
        const product = evaluator.multiply(x, y);
        const lower = evaluator.rescale(product);
        return [x, product, lower, evaluator.rotate(lower, 3), evaluator.conjugate(x), evaluator.add(x, y)];
      });
    });

    test("a key switch is so many kernels, its parameters are all that is uploaded, nothing is read back", () => {
      const f = fixture(depthSpec, webgpu, 7).addKeys([1]);
      const { context, evaluator, keys } = f;
      const { parameters } = context;
      const x = f.encrypt(randomVector(parameters.maximumSlots, 1));
      // Tables of primes and conversions and the key itself come to the adapter once.
      evaluator.rotate(x, 1).dispose();
      const key = keys.key(`galois-${rotationElement(1, parameters.degree)}`, x.level);
      const start = webgpu.statistics();
      const parts = keySwitch(context, x.parts[1], x.level, key);
      const product = webgpu.statistics();
      for (const part of parts) modDown(context, part, x.level, key.specialCount).dispose();
      const end = webgpu.statistics();
      // Three digits of 18 limbs. ModUp: a copy, a transform, two conversions, two transforms and a copy for each
      // digit (the last has nothing above it); one sum of products. A polynomial at a time, whatever its limbs.
      expect(parameters.digitsAt(x.level).length).toBe(3);
      expect(product.dispatches - start.dispatches).toBe(2 + (3 * 5 - 2) + 1);
      // ModDown of each part: copy, transform, conversion, transform, the subtraction times 1/P.
      expect(end.dispatches - product.dispatches).toBe(2 * 5);
      expect(product.uploadedBytes - start.uploadedBytes).toBe(2688);
      expect(end.uploadedBytes - product.uploadedBytes).toBe(1856);
      expect(end.readBacks).toBe(start.readBacks);
      expect(end.submits - start.submits).toBeLessThan(8);
    });
  });
}
