/**
 * Ciphertexts and partial sums as words between devices: a header with the exact scale, level and
 * slots, then every limb of every polynomial. Devices trust each other; files do not come this way.
 */
import { Ciphertext, type Context } from "../../ckks/index.ts";
import { headerWords } from "../../placement/index.ts";
import type { Poly } from "../../ring/poly.ts";
import { PartialSum } from "../../transformer/index.ts";

/** What travels: polynomials over the same moduli, of which the first `limbs` are sent. */
export interface Parcel {
  readonly parts: readonly Poly[];
  readonly limbs: number;
  readonly scale: number;
  readonly level: number;
  readonly slots: number;
}

export function parcelWords({ parts, limbs }: Parcel): number {
  return headerWords + parts.reduce((sum, { ring }) => sum + limbs * ring.degree, 0);
}

/** Writes a parcel; only the header where there is room for no more (devices that execute nothing). */
export function writeParcel({ parts, limbs, scale, level, slots }: Parcel, into: Uint32Array): void {
  const header = new Uint32Array(headerWords);
  new Float64Array(header.buffer, 0, 1)[0] = scale;
  header[2] = level;
  header[3] = slots;
  into.set(header);
  if (into.length === headerWords) return;
  let at = headerWords;
  for (const part of parts) {
    const { kernels, degree } = part.ring;
    for (let limb = 0; limb < limbs; limb++) {
      kernels.read(part, limb, into.subarray(at, at + degree));
      at += degree;
    }
  }
}

function readHeader(words: Uint32Array): { scale: number; level: number; slots: number } {
  const header = words.slice(0, headerWords);
  return {
    scale: new Float64Array(header.buffer, 0, 1)[0] as number,
    level: header[2] as number,
    slots: header[3] as number,
  };
}

function readParts({ ring }: Context, words: Uint32Array, moduli: readonly number[], count: number): Poly[] {
  const parts: Poly[] = [];
  let at = headerWords;
  for (let k = 0; k < count; k++) {
    const poly = ring.poly(moduli, "ntt");
    parts.push(poly);
    if (words.length === headerWords) continue;
    ring.kernels.write(poly, 0, words.subarray(at, at + moduli.length * ring.degree));
    at += moduli.length * ring.degree;
  }
  return parts;
}

/** A ciphertext at the level that it was sent at. */
export function readCiphertext(context: Context, words: Uint32Array): Ciphertext {
  const { scale, level, slots } = readHeader(words);
  return new Ciphertext(readParts(context, words, context.parameters.moduli(level), 2), level, scale, slots);
}

/** A partial sum; `extended` ones are over QP. */
export function readSum(context: Context, words: Uint32Array, polynomials: number, extended: boolean): PartialSum {
  const { scale, level } = readHeader(words);
  const { parameters } = context;
  const moduli = extended ? parameters.extendedModuli(level) : parameters.moduli(level);
  return new PartialSum(readParts(context, words, moduli, polynomials), level, scale);
}
