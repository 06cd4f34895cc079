/** The memory of a reference backend: one array of words that grows. */
import { Allocator } from "../allocator.ts";

export class ReferenceMemory {
  words = new Uint32Array(2 ** 16);
  readonly allocator: Allocator;

  constructor(limit: number) {
    // Address 0 is kept free, as in the other backends.
    this.allocator = new Allocator(64, limit, (end) => {
      if (end > this.words.byteLength) {
        const grown = new Uint32Array(Math.max(end, Math.min(2 * this.words.byteLength, limit)) / 4);
        grown.set(this.words);
        this.words = grown;
      }
      return true;
    });
  }
}
