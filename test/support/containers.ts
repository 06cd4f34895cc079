/** One container of every type at the toy ring, how each is read, and ways to damage it. */
import {
  conjugationElement,
  deserializeCiphertext,
  deserializeEvaluationKey,
  deserializePublicKey,
  Encryptor,
  type EvaluationKey,
  insecureRandomness,
  readKeySet,
  serializeCiphertext,
  serializeEvaluationKey,
  serializePublicKey,
  writeKeySet,
} from "../../src/ckks/index.ts";
import { Checksum } from "../../src/ckks/wire/checksum.ts";
import { Fixture, randomVector, toySpec } from "./ckks.ts";

export const keyId = Uint8Array.from({ length: 16 }, (_, i) => 17 * i);

/** A container and its reader; reading returns the bytes that writing again gives. */
export interface Container {
  readonly name: string;
  readonly bytes: Uint8Array;
  read(bytes: Uint8Array): Promise<Uint8Array>;
}

export async function join(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk.slice());
  return concatenate(parts);
}

export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

export async function containers(
  backend: "wasm" | "reference" = "wasm",
): Promise<{ fixture: Fixture; list: Container[] }> {
  const fixture = (await Fixture.make(toySpec, 11, backend)).addKeys([1]);
  const { context, generator, secret, encoder } = fixture;
  const publicKey = generator.publicKey(secret);
  const withPublic = new Encryptor(context, publicKey, insecureRandomness(12));
  const values = randomVector(8, 3);
  const seeded = fixture.encrypt(values);
  using plaintext = encoder.encode(values, { level: 1 });
  const full = withPublic.encrypt(plaintext);
  withPublic.dispose();
  const relinearisation = generator.relinearisationKey(secret);
  const conjugation = generator.galoisKey(secret, conjugationElement(context.parameters.degree), 1);
  const list: Container[] = [
    {
      name: "seeded ciphertext",
      bytes: serializeCiphertext(context, seeded, keyId),
      read: async (bytes) => {
        using got = deserializeCiphertext(context, bytes, { keyId });
        return serializeCiphertext(context, got, keyId);
      },
    },
    {
      name: "ciphertext",
      bytes: serializeCiphertext(context, full, keyId),
      read: async (bytes) => {
        using got = deserializeCiphertext(context, bytes, { keyId });
        return serializeCiphertext(context, got, keyId);
      },
    },
    {
      name: "public key",
      bytes: serializePublicKey(context, publicKey, keyId),
      read: async (bytes) => serializePublicKey(context, deserializePublicKey(context, bytes, { keyId }).key, keyId),
    },
    {
      name: "evaluation key",
      bytes: serializeEvaluationKey(context, relinearisation, keyId),
      read: async (bytes) =>
        serializeEvaluationKey(context, deserializeEvaluationKey(context, bytes, { keyId }), keyId),
    },
    {
      name: "key set",
      bytes: await join(writeKeySet(context, [conjugation, relinearisation], keyId)),
      read: async (bytes) => {
        const keys: EvaluationKey[] = [];
        for await (const key of readKeySet(context, bytes, { keyId })) keys.push(key);
        return join(writeKeySet(context, keys, keyId));
      },
    },
  ];
  seeded.dispose();
  full.dispose();
  return { fixture, list };
}

/** The container with its checksum made right, as an attacker would: one container, whole words. */
export function reseal(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice(0, Math.max(128, 16 * Math.floor(bytes.length / 16)));
  const view = new DataView(copy.buffer);
  const seed = view.getUint16(8, true) + 2 ** 16 * view.getUint16(10, true);
  view.setUint32(12, new Checksum(seed).update(new Uint32Array(copy.buffer, 16)).digest(), true);
  return copy;
}
