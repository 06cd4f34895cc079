/**
 * Randomness. Secrets and errors come from the platform CSPRNG only; the public uniform halves of
 * keys and ciphertexts are expanded from a seed by ChaCha20 (RFC 8439), domain-separated and
 * versioned, so that 32 bytes stand for megabytes and Node and browser agree on them.
 */
import { chacha20 } from "@noble/ciphers/chacha.js";

/** Version of the seed expansion; part of every nonce. A change makes old seeds unreadable. */
export const expansionVersion = 1;

export const seedBytes = 32;

const poolWords = 16384; // getRandomValues gives at most 65536 bytes a call

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
 * Words of a ChaCha20 key stream: deterministic, for public randomness and, under names that say
 * `insecure`, for reproducible tests.
 */
export class SeededWords implements WordSource {
  readonly #seed: Uint8Array;
  readonly #nonce: Uint8Array;
  readonly #zeros: Uint8Array;
  readonly #bytes: Uint8Array;
  readonly #words: Uint32Array;
  #counter = 0;
  #used: number;

  /**
   * @param seed 32 bytes
   * @param domain what the stream is for, 0 to 255
   * @param stream two indices that separate streams of one domain, each below 2^32 and 2^24
   */
  constructor(seed: Uint8Array, domain: number, stream: readonly [number, number], chunkWords = poolWords) {
    this.#seed = seed;
    this.#nonce = new Uint8Array(12);
    const view = new DataView(this.#nonce.buffer);
    view.setUint8(0, expansionVersion);
    view.setUint8(1, domain);
    view.setUint32(2, stream[0], true);
    view.setUint32(6, stream[1], true);
    this.#zeros = new Uint8Array(4 * chunkWords);
    this.#bytes = new Uint8Array(4 * chunkWords);
    this.#words = new Uint32Array(this.#bytes.buffer);
    this.#used = chunkWords;
  }

  next(): number {
    if (this.#used === this.#words.length) this.#refill();
    return this.#words[this.#used++] as number;
  }

  /** Fills `into` with residues uniform in [0, q) by rejection from words of ⌈log2 q⌉ bits. */
  uniform(into: Uint32Array, q: number): void {
    const mask = 2 ** Math.ceil(Math.log2(q)) - 1;
    const words = this.#words;
    let filled = 0;
    while (filled < into.length) {
      if (this.#used === words.length) this.#refill();
      let used = this.#used;
      while (used < words.length && filled < into.length) {
        const candidate = (words[used++] as number) & mask;
        into[filled] = candidate;
        filled += candidate < q ? 1 : 0;
      }
      this.#used = used;
    }
  }

  #refill(): void {
    chacha20(this.#seed, this.#nonce, this.#zeros, this.#bytes, this.#counter);
    this.#counter += this.#bytes.length / 64;
    this.#used = 0;
  }
}
