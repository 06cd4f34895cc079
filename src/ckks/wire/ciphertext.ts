/**
 * Ciphertexts on the wire. Fields (see header.ts): 64 u32 level, 68 u8 parts, 69 u8 form (1: the
 * last part is a seed), 70 u8 domain (1: NTT), 72 u32 slots, 76 u32 limbs a part, 80 f64 scale;
 * the rest is zero. A fresh secret-key encryption takes half the bytes: its uniform part is a seed.
 */
import type { Poly } from "../../ring/poly.ts";
import { seedBytes } from "../../ring/random.ts";
import { Ciphertext } from "../ciphertext.ts";
import type { Context } from "../context.ts";
import { expandUniform, seedDomains } from "../keys.ts";
import {
  checksumOf,
  draft,
  type Header,
  headerBytes,
  parseHeader,
  type ReadOptions,
  requireChecksum,
  requireLength,
  requireWhole,
  seal,
  wireError,
} from "./header.ts";
import { isZero, LimbReader } from "./residues.ts";

const type = "ciphertext";
const domainNtt = 1;

/** What a reader expects of a ciphertext besides its key. */
export interface CiphertextOptions extends ReadOptions {
  /** The level it must have; any when left out. */
  readonly level?: number;
  /** The degree it must have, 1 or 2. Default 1. */
  readonly degree?: number;
}

interface Fields {
  readonly level: number;
  readonly parts: number;
  readonly seeded: boolean;
  readonly slots: number;
  readonly scale: number;
}

/**
 * The bytes of a ciphertext. Throws `argument` for a transparent one: its message is in the clear.
 * @param keyId names the secret key it is under, see {@link randomKeyId}
 */
export function serializeCiphertext(
  context: Context,
  ciphertext: Ciphertext,
  keyId: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const { parameters, ring } = context;
  const { degree, kernels } = ring;
  const limbs = parameters.limbs(ciphertext.level);
  const seed = validSeed(context, ciphertext);
  const stored = seed === undefined ? ciphertext.parts.length : ciphertext.parts.length - 1;
  const container = draft(type, parameters, keyId, seed, stored * limbs * degree);
  const { view, words } = container;
  view.setUint32(64, ciphertext.level, true);
  view.setUint8(68, ciphertext.parts.length);
  view.setUint8(69, seed === undefined ? 0 : 1);
  view.setUint8(70, domainNtt);
  view.setUint32(72, ciphertext.slots, true);
  view.setUint32(76, limbs, true);
  view.setFloat64(80, ciphertext.scale, true);
  for (let k = 0; k < stored; k++) {
    for (let i = 0; i < limbs; i++) {
      const start = (k * limbs + i) * degree;
      kernels.read(ciphertext.parts[k] as Poly, i, words.subarray(start, start + degree));
    }
  }
  if (seed === undefined && isZero(words.subarray(limbs * degree))) {
    throw wireError(
      type,
      "transparent: its parts besides the first are zero",
      "send the message itself, it is not encrypted",
      "argument",
    );
  }
  return seal(type, container);
}

/**
 * The ciphertext in `bytes`, in fresh backend memory. Throws `format` for damaged bytes and
 * transparent ciphertexts, `parameters`, `key` or `level` for those of another kind than expected.
 */
export function deserializeCiphertext(
  context: Context,
  bytes: Uint8Array,
  options: CiphertextOptions = {},
): Ciphertext {
  const { parameters, ring } = context;
  const header = parseHeader(bytes, [type], parameters, options);
  const fields = parseFields(context, header, options);
  const limbs = parameters.limbs(fields.level);
  const stored = fields.seeded ? fields.parts - 1 : fields.parts;
  requireLength(header, stored * limbs * ring.degree, options.maximumBytes ?? Number.POSITIVE_INFINITY);
  requireWhole(header, bytes.length);
  const moduli = parameters.moduli(fields.level);
  const parts: Poly[] = [];
  try {
    const checksum = checksumOf(type, new Uint32Array(header.bytes.buffer, 16));
    const reader = new LimbReader(header, bytes, checksum);
    const words = new Uint32Array(ring.degree);
    let transparent = true;
    for (let k = 0; k < stored; k++) {
      const poly = ring.poly(moduli, "ntt");
      parts.push(poly);
      for (const [i, modulus] of moduli.entries()) {
        reader.next(words, parameters.primes[modulus] as number, `limb ${i} of part ${k}`);
        if (k > 0 && transparent) transparent = isZero(words);
        ring.kernels.write(poly, i, words);
      }
    }
    requireChecksum(header, checksum);
    if (fields.seeded) parts.push(expandUniform(context, header.seed, seedDomains.ciphertext, 0, moduli));
    else if (transparent)
      throw wireError(
        type,
        "transparent: its parts besides the first are zero",
        "it hides nothing: encrypt the message",
      );
  } catch (error) {
    for (const poly of parts) poly.dispose();
    throw error;
  }
  return new Ciphertext(parts, fields.level, fields.scale, fields.slots, fields.seeded ? header.seed : undefined);
}

function parseFields({ parameters }: Context, header: Header, options: CiphertextOptions): Fields {
  const { view } = header;
  const level = view.getUint32(64, true);
  const parts = view.getUint8(68);
  const form = view.getUint8(69);
  const slots = view.getUint32(72, true);
  const scale = view.getFloat64(80, true);
  if (level > parameters.maximumLevel) {
    throw wireError(type, `level ${level}, the parameters have levels 0 to ${parameters.maximumLevel}`);
  }
  if (options.level !== undefined && level !== options.level) {
    const shown = Number.isFinite(scale) && scale > 0 ? ` (scale 2^${Math.log2(scale).toFixed(2)})` : "";
    throw wireError(
      type,
      `at level ${level}${shown}, expected level ${options.level}`,
      "encrypt or drop to that level",
      "level",
    );
  }
  const degree = options.degree ?? 1;
  if (parts !== degree + 1)
    throw wireError(type, `degree ${parts - 1}, expected ${degree}`, "relinearise it before it is sent");
  if (form > 1 || (form === 1 && parts !== 2)) throw wireError(type, `unknown form ${form} (byte 69)`);
  if (view.getUint8(70) !== domainNtt) throw wireError(type, `unknown domain ${view.getUint8(70)} (byte 70)`);
  if (view.getUint8(71) !== 0 || view.getBigUint64(88, true) !== 0n)
    throw wireError(type, "reserved bytes are not zero");
  if (form === 0 && header.seed.some((byte) => byte !== 0)) throw wireError(type, "has a seed that it does not use");
  if (slots < 1 || slots > parameters.maximumSlots || (slots & (slots - 1)) !== 0) {
    throw wireError(type, `slots: expected a power of two up to ${parameters.maximumSlots}, got ${slots}`);
  }
  if (view.getUint32(76, true) !== parameters.limbs(level)) {
    throw wireError(type, `${view.getUint32(76, true)} limbs, level ${level} has ${parameters.limbs(level)}`);
  }
  if (!(scale >= 1 && Math.log2(scale) <= parameters.logModulus(level))) {
    const got = scale > 0 ? `2^${Math.log2(scale).toFixed(2)}` : String(scale);
    throw wireError(
      type,
      `scale ${got} does not fit into the 2^${parameters.logModulus(level).toFixed(2)} of level ${level}`,
    );
  }
  return { level, parts, seeded: form === 1, slots, scale };
}

/** Bytes of a ciphertext of degree 1 on the wire. */
export function wireBytes(context: Context, level: number, seeded: boolean): number {
  const { parameters } = context;
  return headerBytes + (seeded ? 1 : 2) * parameters.limbs(level) * parameters.degree * 4;
}

/**
 * The seed of a ciphertext when its second part still is what the seed says: the first limb is
 * compared, so that a ciphertext that was changed in place is written in full.
 */
function validSeed(context: Context, { parts, seed }: Ciphertext): Uint8Array | undefined {
  if (seed?.length !== seedBytes || parts.length !== 2) return undefined;
  const { ring } = context;
  const part = parts[1] as Poly;
  const expected = new Uint32Array(ring.degree);
  const got = new Uint32Array(ring.degree);
  using limb = expandUniform(context, seed, seedDomains.ciphertext, 0, part.moduli.slice(0, 1));
  ring.kernels.read(limb, 0, expected);
  ring.kernels.read(part, 0, got);
  return expected.every((word, i) => word === got[i]) ? seed : undefined;
}
