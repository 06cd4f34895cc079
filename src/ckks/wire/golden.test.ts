/**
 * Files of every format that was ever released, under test/vectors/ckks/format-<n>. They must
 * load, decrypt and evaluate. `GOLDEN=store` writes those of the present format anew.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { randomVector, sharedBackend } from "../../../test/support/ckks.ts";
import { containers, keyId } from "../../../test/support/containers.ts";
import {
  type ComplexVector,
  Context,
  Decryptor,
  Encoder,
  Encryptor,
  Evaluator,
  KeyStore,
  SecretKey,
} from "../index.ts";
import {
  deserializeCiphertext,
  deserializeEvaluationKey,
  deserializeParameters,
  deserializePublicKey,
  readKeySet,
  serializeParameters,
  wireVersion,
} from "./index.ts";

const folder = (version: number): URL => new URL(`../../../test/vectors/ckks/format-${version}/`, import.meta.url);
const bytesOf = (version: number, name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(name, folder(version))));

interface Expected {
  /** Coefficients of the secret key. */
  readonly secret: number[];
  /** Slots of both ciphertexts. */
  readonly real: number[];
  readonly imaginary: number[];
}

async function store(): Promise<void> {
  const { fixture, list } = await containers();
  mkdirSync(folder(wireVersion), { recursive: true });
  for (const { name, bytes } of list)
    writeFileSync(new URL(`${name.replaceAll(" ", "-")}.bin`, folder(wireVersion)), bytes);
  const { real, imaginary } = randomVector(8, 3);
  const expected: Expected = { secret: [...fixture.secret.coefficients], real: [...real], imaginary: [...imaginary] };
  writeFileSync(new URL("expected.json", folder(wireVersion)), `${JSON.stringify(expected)}\n`);
  writeFileSync(new URL("parameters.json", folder(wireVersion)), serializeParameters(fixture.context.parameters));
}

if (process.env.GOLDEN === "store") await store();

describe.each([1])("format %i", (version) => {
  let context: Context;
  let decryptor: Decryptor;
  let expected: Expected;
  let values: ComplexVector;

  beforeAll(async () => {
    const parameters = deserializeParameters(bytesOf(version, "parameters.json"));
    context = new Context(parameters, await sharedBackend());
    expected = JSON.parse(new TextDecoder().decode(bytesOf(version, "expected.json"))) as Expected;
    values = { real: Float64Array.from(expected.real), imaginary: Float64Array.from(expected.imaginary) };
    const secret = new SecretKey(context, { kind: "ternary" }, Int32Array.from(expected.secret));
    decryptor = new Decryptor(context, secret);
  });

  const expectSlots = (got: ComplexVector, f: (j: number) => number): void => {
    for (const [j, real] of got.real.entries()) expect(real, `slot ${j}`).toBeCloseTo(f(j), 4);
  };

  test.each(["ciphertext.bin", "seeded-ciphertext.bin"])("%s decrypts", (name) => {
    using ciphertext = deserializeCiphertext(context, bytesOf(version, name), { keyId });
    const got = decryptor.decrypt(ciphertext);
    expectSlots(got, (j) => expected.real[j]);
    expectSlots({ real: got.imaginary, imaginary: got.real }, (j) => expected.imaginary[j]);
  });

  test("the public key encrypts", () => {
    const { key } = deserializePublicKey(context, bytesOf(version, "public-key.bin"), { keyId });
    using encryptor = new Encryptor(context, key);
    using plaintext = new Encoder(context).encode(values);
    using ciphertext = encryptor.encrypt(plaintext);
    expectSlots(decryptor.decrypt(ciphertext), (j) => expected.real[j]);
  });

  test("the keys evaluate", async () => {
    using keys = new KeyStore(context);
    for await (const key of readKeySet(context, bytesOf(version, "key-set.bin"), { keyId })) keys.add(key);
    keys.add(deserializeEvaluationKey(context, bytesOf(version, "evaluation-key.bin"), { keyId }));
    using ciphertext = deserializeCiphertext(context, bytesOf(version, "ciphertext.bin"), { keyId });
    const evaluator = new Evaluator(context, keys);
    using conjugate = evaluator.conjugate(ciphertext);
    using norm = evaluator.multiplyRescale(ciphertext, conjugate);
    expectSlots(decryptor.decrypt(norm), (j) => expected.real[j] ** 2 + expected.imaginary[j] ** 2);
  });

  test("a file of format 2 is refused by version", () => {
    const later = bytesOf(version, "ciphertext.bin");
    new DataView(later.buffer).setUint16(8, 2, true);
    expect(() => deserializeCiphertext(context, later)).toThrow("format 2, this version reads format 1");
  });
});

afterAll(async () => (await sharedBackend()).dispose());
