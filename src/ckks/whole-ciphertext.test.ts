import { expect, test } from "vitest";
import { Fixture, operationsSpec, randomVector, wordsOf } from "../../test/support/ckks.ts";
import { gatherCiphertext, scatterCiphertext } from "./whole-ciphertext.ts";

test("a ciphertext comes back from its words", async () => {
  const { context, ...fixture } = await Fixture.make(operationsSpec, 3);
  using plaintext = fixture.encoder.encode(randomVector(16, 1), { level: 2, scale: 2 ** 41 });
  using ciphertext = fixture.encryptor.encrypt(plaintext);
  const whole = gatherCiphertext(ciphertext);
  expect(whole.parts.map((limbs) => limbs.map(({ length }) => length))).toEqual(
    ciphertext.parts.map((part) => part.moduli.map(() => context.ring.degree)),
  );
  using back = scatterCiphertext(context, whole);
  expect([back.level, back.scale, back.slots]).toEqual([2, 2 ** 41, 16]);
  expect(wordsOf(back)).toEqual(wordsOf(ciphertext));
});
