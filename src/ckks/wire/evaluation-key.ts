/**
 * Evaluation keys on the wire. Fields (see header.ts): 64 u32 kind, 68 u32 Galois element,
 * 72 u32 level, 76 u32 special primes, 80 u32 digits, 84 u32 limbs a digit; the rest is zero.
 * Residues: the b of every digit, digit after digit; the uniform halves are the seed.
 */
import type { Context } from "../context.ts";
import { type EvaluationKey, type KeyName, keyDigits, keyModuli } from "../keys.ts";
import {
  checksumOf,
  draft,
  type Header,
  parseHeader,
  type ReadOptions,
  requireChecksum,
  requireLength,
  requireWhole,
  seal,
  wireError,
} from "./header.ts";
import { LimbReader } from "./residues.ts";

const type = "evaluation key";

/** Kinds of keys on the wire. */
const kinds = { relinearisation: 1, "dense-to-sparse": 2, "sparse-to-dense": 3, galois: 4 } as const;
type Kind = keyof typeof kinds;

/** What the header of an evaluation key says, checked. */
export interface KeyHeader {
  readonly header: Header;
  readonly name: KeyName;
  readonly level: number;
  readonly specialCount: number;
  /** Prime indices of a digit's limbs. */
  readonly moduli: readonly number[];
  readonly digits: number;
}

/** The 128 bytes before the residues of a key, with the checksum of both. */
export function serializeKeyHeader(context: Context, key: EvaluationKey, keyId: Uint8Array): Uint8Array<ArrayBuffer> {
  const { parameters } = context;
  const moduli = keyModuli(context, key.level, key.specialCount);
  const container = draft(type, parameters, keyId, key.seed, key.b.length * moduli.length * parameters.degree, 0);
  const { view } = container;
  const element = galoisElement(key.name);
  view.setUint32(64, kinds[(element === 0 ? key.name : "galois") as Kind], true);
  view.setUint32(68, element, true);
  view.setUint32(72, key.level, true);
  view.setUint32(76, key.specialCount, true);
  view.setUint32(80, key.b.length, true);
  view.setUint32(84, moduli.length, true);
  return seal(type, container, key.b);
}

/** The bytes of an evaluation key. */
export function serializeEvaluationKey(
  context: Context,
  key: EvaluationKey,
  keyId: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const head = serializeKeyHeader(context, key, keyId);
  const bytes = new Uint8Array(head.length + key.b.reduce((sum, half) => sum + half.byteLength, 0));
  bytes.set(head);
  let offset = head.length;
  for (const half of key.b) {
    bytes.set(new Uint8Array(half.buffer, half.byteOffset, half.byteLength), offset);
    offset += half.byteLength;
  }
  return bytes;
}

/** An evaluation key. Throws `format`, `parameters` or `key`. */
export function deserializeEvaluationKey(
  context: Context,
  bytes: Uint8Array,
  options: ReadOptions = {},
): EvaluationKey {
  const { parameters, ring } = context;
  const header = parseHeader(bytes, [type], parameters, options);
  const parsed = parseKeyHeader(context, header, options.maximumBytes ?? Number.POSITIVE_INFINITY);
  requireWhole(header, bytes.length);
  const { moduli, digits } = parsed;
  const checksum = checksumOf(type, new Uint32Array(header.bytes.buffer, 16));
  const reader = new LimbReader(header, bytes, checksum);
  const b: Uint32Array[] = [];
  for (let d = 0; d < digits; d++) {
    const words = new Uint32Array(moduli.length * ring.degree);
    for (const [i, modulus] of moduli.entries()) {
      const limb = words.subarray(i * ring.degree, (i + 1) * ring.degree);
      reader.next(limb, parameters.primes[modulus] as number, `limb ${i} of digit ${d}`);
    }
    b.push(words);
  }
  requireChecksum(header, checksum);
  return { name: parsed.name, level: parsed.level, specialCount: parsed.specialCount, seed: header.seed, b };
}

/** Checks the fields of an evaluation key: what they say must be a key that an evaluator can use. */
export function parseKeyHeader(context: Context, header: Header, maximumBytes: number): KeyHeader {
  const { parameters } = context;
  const { view } = header;
  const level = view.getUint32(72, true);
  const specialCount = view.getUint32(76, true);
  const kind = Object.entries(kinds).find(([, value]) => value === view.getUint32(64, true))?.[0] as Kind | undefined;
  if (kind === undefined) throw wireError(type, `unknown kind ${view.getUint32(64, true)} (byte 64)`);
  const element = view.getUint32(68, true);
  const valid = kind === "galois" ? element % 2 === 1 && element > 1 && element < 2 * parameters.degree : element === 0;
  if (!valid) throw wireError(type, `Galois element ${element} does not fit a ${kind} key at N = 2^${parameters.logN}`);
  if (level > parameters.maximumLevel) {
    throw wireError(type, `level ${level}, the parameters have levels 0 to ${parameters.maximumLevel}`);
  }
  // Only the switch to the ephemeral secret has fewer special primes: the others are hoisted.
  const fewest = kind === "dense-to-sparse" ? 1 : parameters.specialCount;
  if (specialCount < fewest || specialCount > parameters.specialCount) {
    throw wireError(type, `${specialCount} special primes, expected ${fewest} to ${parameters.specialCount}`);
  }
  const digits = keyDigits(context, level).length;
  const moduli = keyModuli(context, level, specialCount);
  if (digits === 0 || view.getUint32(80, true) !== digits || view.getUint32(84, true) !== moduli.length) {
    const got = `${view.getUint32(80, true)} digits of ${view.getUint32(84, true)} limbs`;
    throw wireError(type, `${got}, expected ${digits} of ${moduli.length} at level ${level}`);
  }
  if (view.getBigUint64(88, true) !== 0n) throw wireError(type, "reserved bytes 88 to 95 are not zero");
  requireLength(header, digits * moduli.length * parameters.degree, maximumBytes);
  const name: KeyName = kind === "galois" ? `galois-${element}` : kind;
  return { header, name, level, specialCount, moduli, digits };
}

/** Element of a Galois key's name, 0 for other names. */
function galoisElement(name: KeyName): number {
  return name.startsWith("galois-") ? Number(name.slice(7)) : 0;
}
