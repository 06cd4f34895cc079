/**
 * Memory for words on their way between ranks. Exchanges come by the hundred thousand and carry
 * megabytes each; with memory of their own they would keep the garbage collector's threads busy,
 * which take their cores from the devices.
 */
export class WordBuffer {
  #words = new Uint32Array(0);

  /** `length` words with undefined content, the caller's until the next call. */
  take(length: number): Uint32Array {
    if (this.#words.length < length) this.#words = new Uint32Array(length);
    return this.#words.subarray(0, length);
  }
}
