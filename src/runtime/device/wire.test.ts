import { expect, test } from "vitest";
import { bootParameters } from "../../../test/support/transformer.ts";
import { Ciphertext, Context } from "../../ckks/index.ts";
import { createBackend } from "../../kernels/index.ts";
import { ciphertextBytes } from "../../placement/index.ts";
import type { Poly } from "../../ring/poly.ts";
import { parcelWords, readCiphertext, readSum, writeParcel } from "./wire.ts";

const context = new Context(bootParameters(5), await createBackend("wasm"));
const { ring, parameters } = context;

/** Residues that differ by part, limb and place. */
function poly(moduli: readonly number[], seed: number): Poly {
  const made = ring.poly(moduli, "ntt");
  for (const [limb, modulus] of moduli.entries()) {
    const prime = parameters.primes[modulus];
    const words = Uint32Array.from({ length: ring.degree }, (_, i) => (seed * 7919 + limb * 104729 + i) % prime);
    ring.kernels.write(made, limb, words);
  }
  return made;
}

function wordsOf(made: Poly, limbs = made.moduli.length): number[][] {
  return Array.from({ length: limbs }, (_, limb) => {
    const words = new Uint32Array(ring.degree);
    ring.kernels.read(made, limb, words);
    return [...words];
  });
}

test("a ciphertext arrives at the level that it is sent at, its scale to the bit", () => {
  const [from, to] = [4, 2];
  const scale = 2 ** 26 * (1 + Number.EPSILON * 3);
  const parts = [poly(parameters.moduli(from), 1), poly(parameters.moduli(from), 2)];
  using sent = new Ciphertext(parts, from, scale, 8);
  const parcel = { parts: sent.parts, limbs: parameters.limbs(to), scale, level: to, slots: 8 };
  const words = new Uint32Array(parcelWords(parcel));
  expect(words.byteLength).toBe(ciphertextBytes(parameters, to));
  writeParcel(parcel, words);
  using arrived = readCiphertext(context, words);
  expect([arrived.level, arrived.scale, arrived.slots]).toEqual([to, scale, 8]);
  expect(arrived.parts.map((part) => part.moduli)).toEqual([parameters.moduli(to), parameters.moduli(to)]);
  expect(arrived.parts.map((part) => wordsOf(part))).toEqual(
    sent.parts.map((part) => wordsOf(part, parameters.limbs(to))),
  );
});

test.each([true, false])("a sum, over QP: %s", (extended) => {
  const moduli = extended ? parameters.extendedModuli(3) : parameters.moduli(3);
  const parts = [1, 2, 3].map((seed) => poly(moduli, seed));
  const parcel = { parts, limbs: moduli.length, scale: Math.PI, level: 3, slots: 8 };
  const words = new Uint32Array(parcelWords(parcel));
  writeParcel(parcel, words);
  using arrived = readSum(context, words, 3, extended);
  expect([arrived.level, arrived.scale]).toEqual([3, Math.PI]);
  expect(arrived.parts.map((part) => wordsOf(part))).toEqual(parts.map((part) => wordsOf(part)));
  for (const part of parts) part.dispose();
});
