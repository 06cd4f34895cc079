/**
 * Randomness. Secrets and errors come from the platform CSPRNG only; the public uniform halves of
 * keys and ciphertexts are expanded from a seed by ChaCha20 (RFC 8439), domain-separated and
 * versioned, so that 32 bytes stand for megabytes and Node and browser agree on them.
 */
import { chacha20 } from "@noble/ciphers/chacha.js";
import { streamStateWords } from "../kernels/backend.ts";

/** Version of the seed expansion; part of every nonce. A change makes old seeds unreadable. */
export const expansionVersion = 1;

export const seedBytes = 32;

const poolWords = 16384; // getRandomValues gives at most 65536 bytes a call
const seededPoolWords = 1024;

/** Fills `words` from the platform CSPRNG. */
export function fillRandom(words: Uint32Array<ArrayBuffer>): void {
  for (let from = 0; from < words.length; from += poolWords) {
    globalThis.crypto.getRandomValues(words.subarray(from, Math.min(from + poolWords, words.length)));
  }
}

/** A fresh public seed from the platform CSPRNG. */
export function randomSeed(): Uint8Array {
  return globalThis.crypto.getRandomValues(new Uint8Array(seedBytes));
}

/** A source of uniform 32-bit words. */
export interface WordSource {
  next(): number;
}

/** Words of the platform CSPRNG, drawn in pools of 64 KiB that are overwritten as they are used. */
export class SecureWords implements WordSource {
  readonly #pool = new Uint32Array(poolWords);
  #used = poolWords;

  next(): number {
    if (this.#used === poolWords) {
      fillRandom(this.#pool);
      this.#used = 0;
    }
    const word = this.#pool[this.#used] as number;
    this.#pool[this.#used++] = 0;
    return word;
  }
}

/**
 * State of the expansion of a public seed, as {@link RingKernels.uniform} takes it: eight key
 * words and three nonce words.
 *
 * @param seed 32 bytes
 * @param domain what the stream is for, 0 to 255
 * @param stream two indices that separate streams of one domain, each below 2^32
 */
export function expansionState(seed: Uint8Array, domain: number, stream: readonly [number, number]): Uint32Array {
  const bytes = new Uint8Array(4 * streamStateWords);
  bytes.set(seed.subarray(0, seedBytes));
  const view = new DataView(bytes.buffer);
  view.setUint8(seedBytes, expansionVersion);
  view.setUint8(seedBytes + 1, domain);
  view.setUint32(seedBytes + 2, stream[0], true);
  view.setUint32(seedBytes + 6, stream[1], true);
  return new Uint32Array(bytes.buffer);
}

/**
 * Words of a ChaCha20 key stream: deterministic, under names that say `insecure`, for
 * reproducible tests.
 */
export class SeededWords implements WordSource {
  readonly #key: Uint8Array;
  readonly #nonce: Uint8Array;
  readonly #zeros = new Uint8Array(4 * seededPoolWords);
  readonly #bytes = new Uint8Array(4 * seededPoolWords);
  readonly #words = new Uint32Array(this.#bytes.buffer);
  #counter = 0;
  #used = seededPoolWords;

  /** Parameters: see {@link expansionState}. */
  constructor(seed: Uint8Array, domain: number, stream: readonly [number, number]) {
    const state = new Uint8Array(expansionState(seed, domain, stream).buffer);
    this.#key = state.slice(0, seedBytes);
    this.#nonce = state.slice(seedBytes);
  }

  next(): number {
    if (this.#used === seededPoolWords) {
      chacha20(this.#key, this.#nonce, this.#zeros, this.#bytes, this.#counter);
      this.#counter += this.#bytes.length / 64;
      this.#used = 0;
    }
    return this.#words[this.#used++] as number;
  }
}
