import { describe, expect, it } from "vitest";
import { type Descriptor, Ring, ringWords } from "./ring.ts";

function descriptor(index: number): Descriptor {
  return { tag: 2 ** 40 + index, words: 2 ** 31 + index, offset: index, piece: 7, address: 2 ** 32 - 16 };
}

describe("Ring", () => {
  it.each([1, 2, 3, 8])("keeps the order of %i entries over many rounds", (entries) => {
    const words = new Uint32Array(new SharedArrayBuffer(4 * ringWords(entries)));
    const writer = new Ring(words);
    const reader = new Ring(words);
    let written = 0;
    let read = 0;
    for (let round = 0; round < 50; round++) {
      for (; !writer.full; written++) writer.push(descriptor(written));
      expect(written - read).toBe(entries);
      for (let count = 0; count <= round % entries; count++) expect(reader.pop()).toEqual(descriptor(read++));
    }
    while (read < written) expect(reader.pop()).toEqual(descriptor(read++));
    expect(reader.pop()).toBeUndefined();
  });
});
