/**
 * Public keys on the wire. Fields (see header.ts): 64 u32 level, the highest; 68 u32 limbs; the
 * rest is zero. Residues: b; the uniform half is the seed.
 */
import type { Context } from "../context.ts";
import type { PublicKey } from "../keys.ts";
import {
  checksumOf,
  draft,
  parseHeader,
  type ReadOptions,
  requireChecksum,
  requireLength,
  requireWhole,
  seal,
  wireError,
} from "./header.ts";
import { isZero, LimbReader } from "./residues.ts";

const type = "public key";

/** The bytes of a public key. */
export function serializePublicKey(context: Context, key: PublicKey, keyId: Uint8Array): Uint8Array<ArrayBuffer> {
  const { parameters } = context;
  const container = draft(type, parameters, keyId, key.seed, key.b.length);
  container.view.setUint32(64, parameters.maximumLevel, true);
  container.view.setUint32(68, parameters.limbs(parameters.maximumLevel), true);
  container.words.set(key.b);
  return seal(type, container);
}

/** A public key and the id of the secret key it belongs to. Throws `format`, `parameters` or `key`. */
export function deserializePublicKey(
  context: Context,
  bytes: Uint8Array,
  options: ReadOptions = {},
): { key: PublicKey; keyId: Uint8Array } {
  const { parameters, ring } = context;
  const header = parseHeader(bytes, [type], parameters, options);
  const { view } = header;
  const level = parameters.maximumLevel;
  const moduli = parameters.moduli(level);
  if (view.getUint32(64, true) !== level || view.getUint32(68, true) !== moduli.length) {
    throw wireError(
      type,
      `level ${view.getUint32(64, true)} with ${view.getUint32(68, true)} limbs, expected ${level} with ${moduli.length}`,
    );
  }
  for (let at = 72; at < 96; at += 8) {
    if (view.getBigUint64(at, true) !== 0n) throw wireError(type, `reserved bytes ${at} to ${at + 7} are not zero`);
  }
  requireLength(header, moduli.length * ring.degree, options.maximumBytes ?? Number.POSITIVE_INFINITY);
  requireWhole(header, bytes.length);
  const checksum = checksumOf(type, new Uint32Array(header.bytes.buffer, 16));
  const reader = new LimbReader(header, bytes, checksum);
  const b = new Uint32Array(moduli.length * ring.degree);
  for (const [i, modulus] of moduli.entries()) {
    const limb = b.subarray(i * ring.degree, (i + 1) * ring.degree);
    reader.next(limb, parameters.primes[modulus] as number, `limb ${i}`);
  }
  requireChecksum(header, checksum);
  if (isZero(b)) throw wireError(type, "it is zero: what it encrypts would be in the clear", "fetch the key again");
  return { key: { b, seed: header.seed }, keyId: header.keyId };
}
