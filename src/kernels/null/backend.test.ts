import { expect, test } from "vitest";
import type { KeyProduct, Limbs } from "../backend.ts";
import { keyProductsByLimbs, subtractTransformedByLimbs } from "../key-products.ts";
import { NullBackend } from "./backend.ts";

test("products with keys and divisions count as the kernels that they are made of", () => {
  const backend = new NullBackend();
  const moduli = [12289, 40961, 65537, 114689, 147457];
  const ring = backend.ring(6, moduli);
  const all = moduli.map((_, m) => m);
  const make = (of = all): Limbs => ({ address: ring.allocate(of.length), moduli: of });
  const [poly, lifted] = [make(all.slice(2)), make(all.slice(2))];
  const source = { poly, ranges: [[0, 2] as const, [2, 3] as const], transformed: false };
  const plain: KeyProduct = {
    digits: [make(), make()],
    key: { b: [make(), make()], a: [make(), make()] },
    lifted: [undefined, undefined],
    added: undefined,
    element: 1,
    accumulates: false,
    dst: [make(), make()],
  };
  const products = [
    plain,
    { ...plain, source, lifted: [lifted, lifted] as const, element: 5 },
    { ...plain, source: { ...source, transformed: true }, added: make(), element: 3, accumulates: true },
    { ...plain, lifted: [lifted, undefined] as const, accumulates: true },
  ];
  const basis = { specialCount: 2, liftScalars: Uint32Array.of(1, 1, 1) };
  const scalars = new Uint32Array(5);
  const workOf = (run: () => void): object => {
    const before = { ...backend.work };
    run();
    return Object.fromEntries(Object.entries(backend.work).map(([name, all]) => [name, all - before[name as "ntt"]]));
  };
  for (const product of products)
    expect(workOf(() => ring.keyProducts([product], basis))).toEqual(
      workOf(() => keyProductsByLimbs(ring, [product], basis)),
    );
  const [a, b, dst] = [make(), make(), make()];
  expect(workOf(() => ring.subtractTransformed(dst, a, b, scalars))).toEqual(
    workOf(() => subtractTransformedByLimbs(ring, dst, a, b, scalars)),
  );
});
