/**
 * What couples the ranks of a coefficient sharding: transforms, automorphisms, and bringing parts
 * together. With N = n·M and p(X) = Σ_j X^j·p_j(X^n), rank j holds p_j in coefficient domain. The value of
 * p at the point x of position r·M + i is Σ_j x^j·P_j[r·M/n + floor(i/n)], where P_j is the bit-reversed
 * transform of p_j in the ring of degree M: after local transforms rank r needs the r-th of n blocks
 * of every P_j, one all-to-all.
 */
import type { Limbs, RingKernels } from "../backend.ts";
import { BlockPermutation, makeTwiddles, type Twiddles } from "./coefficient-tables.ts";
import type { Communicator } from "./communicator.ts";
import { placeholderWords } from "./counting.ts";
import { WordBuffer } from "./word-buffer.ts";

export class CoefficientExchange {
  readonly #part: RingKernels;
  readonly #communicator: Communicator;
  readonly #twiddles = new Map<number, Twiddles>();
  readonly #permutations = new Map<number, BlockPermutation>();
  readonly #outgoing = new WordBuffer();
  readonly #limbWords = new WordBuffer();

  /** @param part kernels of degree M = N/n, n² ≤ N, with the ring's primes */
  constructor(part: RingKernels, communicator: Communicator) {
    this.#part = part;
    this.#communicator = communicator;
  }

  forwardNtt(x: Limbs): void {
    const part = this.#part;
    const { size, moves } = this.#communicator;
    const block = part.degree / size;
    part.forwardNtt(x);
    const pieces = this.#pieces(x.moduli.length, (into) => {
      const words = this.#limbWords.take(part.degree);
      for (const i of x.moduli.keys()) {
        part.read(x, i, words);
        for (const [r, piece] of into.entries()) piece.set(words.subarray(r * block, (r + 1) * block), i * block);
      }
    });
    const received = this.#exchange(pieces, x.moduli.length);
    this.#workspace((address) => {
      for (const [i, modulus] of x.moduli.entries()) {
        const moduli = [modulus];
        // Block j is a run-length polynomial: each of its values serves n points.
        if (moves) part.write({ address, moduli }, 0, this.#concatenation(received, i, block));
        const blocks = received.map((_, j) => ({ address: address + 4 * j * block, moduli }));
        part.multiplySum(this.#limb(x, i), blocks, this.#twiddlesOf(modulus).forward, false, Math.log2(size));
      }
    });
  }

  inverseNtt(x: Limbs): void {
    const part = this.#part;
    const { size, moves } = this.#communicator;
    const block = part.degree / size;
    const words = this.#limbWords.take(part.degree);
    const pieces = this.#pieces(x.moduli.length);
    this.#workspace((address) => {
      for (const [i, modulus] of x.moduli.entries()) {
        const product = { address, moduli: [modulus] };
        for (const [j, factors] of this.#twiddlesOf(modulus).inverse.entries()) {
          part.multiply(product, this.#limb(x, i), factors);
          if (!moves) continue;
          part.read(product, 0, words);
          sumRuns(pieces[j].subarray(i * block, (i + 1) * block), words, size, part.moduli[modulus]);
        }
      }
    });
    const received = this.#exchange(pieces, x.moduli.length);
    if (moves) for (const i of x.moduli.keys()) part.write(x, i, this.#concatenation(received, i, block));
    part.inverseNtt(x);
  }

  /** Permutes values; whole blocks change rank, or none does. */
  automorphism(dst: Limbs, a: Limbs, element: number): void {
    const part = this.#part;
    const { rank, moves } = this.#communicator;
    const permutation = this.#permutation(element);
    const { sources } = permutation;
    const source = sources[rank];
    const limbs = a.moduli.length;
    let words = moves ? this.#readAll(a) : placeholderWords(limbs * part.degree);
    if (source !== rank) {
      const none = words.subarray(0, 0);
      const pieces = sources.map((from) => (from === rank ? words : none));
      const lengths = sources.map((_, from) => (from === source ? limbs * part.degree : 0));
      const sent = sources.map((from, to) => (from === to ? 0 : limbs * part.degree));
      words = this.#communicator.allToAll(pieces, lengths, "all-to-all", sent)[source];
    }
    if (!moves) {
      part.automorphism(dst, a, element % (2 * part.degree)); // for the count of work
      return;
    }
    const { positions } = permutation;
    const permuted = this.#limbWords.take(part.degree);
    for (const i of dst.moduli.keys()) {
      const base = i * part.degree;
      for (let k = 0; k < permuted.length; k++) permuted[k] = words[base + positions[k]];
      part.write(dst, i, permuted);
    }
  }

  /** The parts of all ranks, limbs one after another; empty when nothing moves or on others than `root`. */
  collect(x: Limbs, root: number | undefined): readonly Uint32Array[] {
    const { rank, size, moves } = this.#communicator;
    const length = x.moduli.length * this.#part.degree;
    const mine = moves ? this.#readAll(x) : placeholderWords(length);
    const lengths = new Array<number>(size).fill(length);
    if (root === undefined) {
      const parts: Uint32Array[] = lengths.map(() => mine.subarray(0, 0));
      parts[rank] = mine;
      this.#communicator.allGather(
        lengths,
        (into) => into.set(mine),
        (from, words) => void (parts[from] = words.slice()),
      );
      return parts;
    }
    const none = mine.subarray(0, 0);
    return this.#communicator.allToAll(
      lengths.map((_, to) => (to === root ? mine : none)),
      rank === root ? lengths : lengths.map(() => 0),
      "send",
      lengths.map((words, from) => (from === root ? 0 : words)),
    );
  }

  /** All-to-all of a block of every limb for every rank. */
  #exchange(pieces: readonly Uint32Array[], limbs: number): readonly Uint32Array[] {
    const lengths = this.#lengths(limbs);
    const { size } = this.#communicator;
    return this.#communicator.allToAll(
      pieces,
      lengths,
      "all-to-all",
      lengths.map((words) => words * (size - 1)),
    );
  }

  #pieces(limbs: number, fill: (pieces: Uint32Array[]) => void = () => undefined): Uint32Array[] {
    const length = this.#lengths(limbs)[0];
    const { size, moves } = this.#communicator;
    if (!moves) return Array.from({ length: size }, () => placeholderWords(length));
    const words = this.#outgoing.take(size * length);
    const pieces = Array.from({ length: size }, (_, r) => words.subarray(r * length, (r + 1) * length));
    fill(pieces);
    return pieces;
  }

  #lengths(limbs: number): number[] {
    const { size } = this.#communicator;
    return new Array<number>(size).fill((limbs * this.#part.degree) / size);
  }

  #readAll(x: Limbs): Uint32Array {
    const { degree } = this.#part;
    const words = this.#outgoing.take(x.moduli.length * degree);
    for (const i of x.moduli.keys()) this.#part.read(x, i, words.subarray(i * degree, (i + 1) * degree));
    return words;
  }

  /** Block i of every piece, one after another. */
  #concatenation(pieces: readonly Uint32Array[], i: number, block: number): Uint32Array {
    const words = this.#limbWords.take(pieces.length * block);
    for (const [r, piece] of pieces.entries()) words.set(piece.subarray(i * block, (i + 1) * block), r * block);
    return words;
  }

  #limb(x: Limbs, i: number): Limbs {
    return { address: x.address + i * this.#part.limbStride, moduli: [x.moduli[i]] };
  }

  #workspace(body: (address: number) => void): void {
    const address = this.#part.allocate(1);
    try {
      body(address);
    } finally {
      this.#part.release(address, 1);
    }
  }

  #twiddlesOf(modulus: number): Twiddles {
    const { rank, size, moves } = this.#communicator;
    const twiddles = this.#twiddles.get(modulus) ?? makeTwiddles(this.#part, modulus, rank, size, moves);
    this.#twiddles.set(modulus, twiddles);
    return twiddles;
  }

  #permutation(element: number): BlockPermutation {
    const { rank, size } = this.#communicator;
    const permutation = this.#permutations.get(element) ?? new BlockPermutation(this.#part, rank, size, element);
    this.#permutations.set(element, permutation);
    return permutation;
  }
}

/** Sums of runs of `run` values modulo q. */
function sumRuns(into: Uint32Array, words: Uint32Array, run: number, q: number): void {
  for (let i = 0, at = 0; i < into.length; i++) {
    let sum = words[at++];
    for (let u = 1; u < run; u++) {
      sum += words[at++]; // below 2^31
      if (sum >= q) sum -= q;
    }
    into[i] = sum;
  }
}
