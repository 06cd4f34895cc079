/**
 * XXH32 (Collet, xxHash specification 0.1.1, §"XXH32 algorithm") over 32-bit words. It finds
 * damage, it does not authenticate: a change within one word is always found, any other with
 * probability 1 − 2^-32.
 */

const prime1 = 0x9e3779b1 | 0;
const prime2 = 0x85ebca77 | 0;
const prime3 = 0xc2b2ae3d | 0;

export class Checksum {
  #v1: number;
  #v2: number;
  #v3: number;
  #v4: number;
  #bytes = 0;

  constructor(seed: number) {
    this.#v1 = (seed + prime1 + prime2) | 0;
    this.#v2 = (seed + prime2) | 0;
    this.#v3 = seed | 0;
    this.#v4 = (seed - prime1) | 0;
  }

  /** @param words a multiple of 4 of them; every container part is padded to that */
  update(words: Uint32Array): this {
    let [v1, v2, v3, v4] = [this.#v1, this.#v2, this.#v3, this.#v4];
    for (let i = 0; i + 3 < words.length; i += 4) {
      v1 = round(v1, words[i] as number);
      v2 = round(v2, words[i + 1] as number);
      v3 = round(v3, words[i + 2] as number);
      v4 = round(v4, words[i + 3] as number);
    }
    [this.#v1, this.#v2, this.#v3, this.#v4] = [v1, v2, v3, v4];
    this.#bytes += words.byteLength;
    return this;
  }

  /** The checksum in [0, 2^32) of what was given so far, 16 bytes or more. */
  digest(): number {
    let h = (rotate(this.#v1, 1) + rotate(this.#v2, 7) + rotate(this.#v3, 12) + rotate(this.#v4, 18)) | 0;
    h = (h + this.#bytes) | 0;
    h = Math.imul(h ^ (h >>> 15), prime2);
    h = Math.imul(h ^ (h >>> 13), prime3);
    return (h ^ (h >>> 16)) >>> 0;
  }
}

function round(lane: number, word: number): number {
  return Math.imul(rotate((lane + Math.imul(word, prime2)) | 0, 13), prime1);
}

function rotate(x: number, bits: number): number {
  return (x << bits) | (x >>> (32 - bits));
}
