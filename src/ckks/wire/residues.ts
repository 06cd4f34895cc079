/** Residues on the wire: u32 in [0, q), NTT domain, limb after limb without padding. */
import type { Parameters } from "../parameters.ts";
import type { Checksum } from "./checksum.ts";
import { type Header, headerBytes, wireError } from "./header.ts";

/** Throws `format` when a residue is not below its prime. `limb` names the place in the message. */
export function requireResidues(header: Header, words: Uint32Array, prime: number, limb: string): void {
  for (let i = 0; i < words.length; i++) {
    if ((words[i] as number) >= prime) {
      throw wireError(header.type, `residue ${i} of ${limb} is ${words[i]}, not below its prime ${prime}`);
    }
  }
}

/** Whether all words are zero. */
export function isZero(words: Uint32Array): boolean {
  return words.every((word) => word === 0);
}

/** Copies, sums up and checks limbs of one container in order. */
export class LimbReader {
  readonly #header: Header;
  readonly #bytes: Uint8Array;
  readonly #checksum: Checksum;
  #offset = headerBytes;

  /** @param bytes the whole container; its length has been checked */
  constructor(header: Header, bytes: Uint8Array, checksum: Checksum) {
    this.#header = header;
    this.#bytes = bytes;
    this.#checksum = checksum;
  }

  /** Fills `into` with the next limb. */
  next(into: Uint32Array, prime: number, limb: string): void {
    const end = this.#offset + into.byteLength;
    new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(this.#bytes.subarray(this.#offset, end));
    this.#offset = end;
    this.#checksum.update(into);
    requireResidues(this.#header, into, prime, limb);
  }
}

/** Checks the limbs of one word array over the given primes. */
export function requireLimbs(
  header: Header,
  words: Uint32Array,
  parameters: Parameters,
  moduli: readonly number[],
  what: string,
): void {
  const { degree } = parameters;
  for (const [i, modulus] of moduli.entries()) {
    const limb = words.subarray(i * degree, (i + 1) * degree);
    requireResidues(header, limb, parameters.primes[modulus] as number, `limb ${i} of ${what}`);
  }
}
