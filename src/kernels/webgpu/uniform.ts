/** Uniform residues from a key stream, made on the CPU: which words are kept is a question about all words before. */
import { chacha20 } from "@noble/ciphers/chacha.js";
import { streamStateWords } from "../backend.ts";

/** Bytes and words of one block of ChaCha20. */
const [blockBytes, blockWords] = [64, 16];

/** `count` residues in [0, q); `state` as for {@link RingKernels.uniform}. */
export function uniformResidues(count: number, q: number, state: Uint32Array): Uint32Array {
  const bytes = new Uint8Array(state.slice(0, streamStateWords).buffer);
  const limit = Math.floor(2 ** 32 / q) * q;
  const residues = new Uint32Array(count);
  let filled = 0;
  // As many blocks as are likely enough; the rest, if any, comes in short strokes.
  for (let block = 0; filled < count; ) {
    const blocks = Math.ceil(((count - filled) * (2 ** 32 / limit)) / blockWords);
    const zeros = new Uint8Array(blockBytes * blocks);
    const words = new Uint32Array(chacha20(bytes.subarray(0, 32), bytes.subarray(32), zeros, undefined, block).buffer);
    for (let i = 0; i < words.length && filled < count; i++) {
      if (words[i] < limit) residues[filled++] = words[i] % q;
    }
    block += blocks;
  }
  return residues;
}
