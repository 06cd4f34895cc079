/** Which ciphertexts share a bootstrapping: real ones travel in pairs, formed within a token block. */
import type { Tensor } from "./program.ts";

/** A ciphertext of one of the tensors that are refreshed together. */
export interface BootstrapMember {
  readonly tensor: number;
  readonly index: number;
}

type Shape = Pick<Tensor, "blocks" | "count">;

/** Pairs by the shapes of tensors: layers repeat, and plans ask again and again. The latest are kept. */
const known = new Map<string, readonly (readonly BootstrapMember[])[]>();
const mostKnown = 64;

/**
 * The ciphertexts that are refreshed together: two, or one where a block has an odd number. Formed by
 * the tensors alone, so that results do not depend on devices.
 */
export function bootstrapPairs(tensors: readonly Shape[]): readonly (readonly BootstrapMember[])[] {
  const key = tensors.map(({ blocks, count }) => `${blocks}×${count}`).join();
  let pairs = known.get(key);
  if (pairs === undefined) {
    pairs = formPairs(tensors);
    if (known.size >= mostKnown) known.clear();
    known.set(key, pairs);
  }
  return pairs;
}

function formPairs(tensors: readonly Shape[]): BootstrapMember[][] {
  const pairs: BootstrapMember[][] = [];
  for (let block = 0; block < Math.max(0, ...tensors.map(({ blocks }) => blocks)); block++) {
    const members = tensors.flatMap(({ blocks, count }, tensor) =>
      block < blocks ? Array.from({ length: count }, (_, i) => ({ tensor, index: block * count + i })) : [],
    );
    for (let i = 0; i < members.length; i += 2) pairs.push(members.slice(i, i + 2));
  }
  return pairs;
}

/** How many bootstrappings of two ciphertexts, and of one, the tensors take together. */
export function bootstrapCounts(tensors: readonly Shape[]): {
  readonly pairs: number;
  readonly singles: number;
} {
  let [pairs, singles] = [0, 0];
  for (let block = 0; tensors.some(({ blocks }) => block < blocks); block++) {
    const members = tensors.reduce((sum, tensor) => sum + (block < tensor.blocks ? tensor.count : 0), 0);
    pairs += members >> 1;
    singles += members & 1;
  }
  return { pairs, singles };
}

/** How many bootstrappings the tensors take together. */
export function bootstrapCount(tensors: readonly Shape[]): number {
  const { pairs, singles } = bootstrapCounts(tensors);
  return pairs + singles;
}
