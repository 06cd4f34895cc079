/**
 * The Backend interface: the narrow set of hot kernels over u32 residues that everything above
 * is written against. All implementations give the same bytes; one conformance suite holds them
 * to it (`conformance.test.ts`).
 *
 * Data layout. A *limb* is N residues modulo one prime, u32, canonical (in [0, q)) at every
 * kernel boundary. Limbs of one polynomial lie one after another in backend memory, `limbStride`
 * bytes apart: 4·N bytes of data and 64 bytes of padding, so that equal coefficients of different
 * limbs do not fall into the same L1 set.
 *
 * Domains. *Coefficient*: natural order. *NTT*: bit-reversed order of the negacyclic transform,
 * value i being the polynomial at ψ^(2·bitrev(i)+1). ψ is the primitive 2N-th root of unity
 * g^((q−1)/2N) for the smallest generator g of the multiplicative group, so that the roots of a
 * subring X^(N/N') are powers of those of the ring and a subring polynomial's NTT is runs of
 * N/N' equal values.
 */

/** Primes lie in (2^24, 2^30): the lazy butterflies need 4q < 2^32, base conversion q > 2^24. */
export const minimumPrime = 2 ** 24;
export const maximumPrime = 2 ** 30;

/** Padding after every limb, in bytes. */
export const limbPadding = 64;

/** Words of the state of a key stream, see {@link RingKernels.uniform}. */
export const streamStateWords = 11;

/**
 * A view of consecutive limbs in the memory of one ring. Limb i is at
 * `address + i·limbStride` and is taken modulo `ring.moduli[moduli[i]]`.
 */
export interface Limbs {
  readonly address: number;
  /** Index into {@link RingKernels.moduli} for each limb. */
  readonly moduli: readonly number[];
}

/**
 * Constants of a base conversion from the product Q of `from` to the primes of `to`,
 * made by `ring/conversion.ts`, cached by each backend in its own form.
 */
export interface ConversionTable {
  /** Modulus indices of the source limbs, at most 24 of them. */
  readonly from: readonly number[];
  /** Modulus indices of the target limbs; disjoint from `from`. */
  readonly to: readonly number[];
  /** (Q/q_i)^-1 mod q_i for each source. */
  readonly inverses: Uint32Array;
  /** floor(2^56 / q_i) for each source. */
  readonly fractions: Uint32Array;
  /** (Q/q_i) mod p_j, at index j·|from| + i. */
  readonly factors: Uint32Array;
  /** Q mod p_j for each target. */
  readonly products: Uint32Array;
}

/** Bytes of backend memory. */
export interface MemoryReport {
  readonly used: number;
  readonly peak: number;
  readonly limit: number;
}

/** One implementation of the kernels with its memory; holds any number of rings. */
export interface Backend {
  /** `reference`, `wasm`, … */
  readonly name: string;
  memory(): MemoryReport;
  /**
   * Kernels for degree 2^logN (2 ≤ logN ≤ 17) and a table of distinct primes ≡ 1 mod 2^(logN+1).
   * Rings are cached: equal arguments give the same object.
   */
  ring(logN: number, moduli: readonly number[]): RingKernels;
  /**
   * Calls `release` when an allocation finds no room: it frees what can be made again and says whether
   * it freed anything. Returns a function that ends this.
   */
  onPressure(release: () => boolean): () => void;
  /**
   * Calls `watch` before every allocation: long work allocates all the time, so that whoever runs it can show
   * that it goes on, or end it by throwing. Returns a function that ends this.
   */
  onAllocate(watch: () => void): () => void;
  /** Waits until all kernels that were called are done; absent where they are when their call returns. */
  finish?(): void;
  /** Frees everything; using the backend afterwards is an error. */
  dispose(): void;
}

/** One sum of products, or two that share their first operands: dst[k] = [dst[k] +] Σ_t a[t]·b[k][t]·2^-32. */
export interface ProductSums {
  /** One or two. */
  readonly dst: readonly Limbs[];
  readonly a: readonly Limbs[];
  /** As many lists as results, each as long as `a`. */
  readonly b: readonly (readonly Limbs[])[];
}

/** What a polynomial over Q was decomposed from, where its gadget digits are transformed only when they are read. */
export interface DigitSource {
  /** Over Q, in NTT domain: a digit's own limbs. */
  readonly poly: Limbs;
  /** Limbs of `poly` that each digit is made of, from (inclusive) to (exclusive). */
  readonly ranges: readonly (readonly [number, number])[];
  /** Whether a product before this one, of the same call or of another, has transformed the digits. */
  readonly transformed: boolean;
}

/**
 * Gadget digits times a switching key, with what follows while limbs are in the cache: of the pair
 * (Σ_d digit_d·b_d, Σ_d digit_d·a_d), plus P·lifted, plus `added` on part 0, the automorphism X → X^element
 * is put into dst, or added to it.
 */
export interface KeyProduct {
  /**
   * Over QP, special primes first, in NTT domain. With a source their own limbs are never read, and the others are in
   * coefficient domain until a product has transformed them in place.
   */
  readonly digits: readonly Limbs[];
  readonly source?: DigitSource | undefined;
  readonly key: SwitchingKeyLimbs;
  /** Polynomials over Q for each part. */
  readonly lifted: readonly [Limbs | undefined, Limbs | undefined];
  /** Over QP. */
  readonly added: Limbs | undefined;
  /** Odd; 1 is the identity. */
  readonly element: number;
  readonly accumulates: boolean;
  /** Over QP; none of the operands. */
  readonly dst: readonly [Limbs, Limbs];
}

/** A switching key, each digit's halves over QP in NTT and Montgomery form, special primes first. */
export interface SwitchingKeyLimbs {
  /** At least as many as digits. */
  readonly b: readonly Limbs[];
  readonly a: readonly Limbs[];
  /** Bytes from one limb of `b` to the next where these are words that the kernels only {@link RingKernels.reach}. */
  readonly bStride?: number | undefined;
}

/** The basis QP of key-switch products. */
export interface KeyBasis {
  readonly specialCount: number;
  /** P mod q for each limb of Q. */
  readonly liftScalars: Uint32Array;
}

/**
 * Kernels of one ring. Every `dst` may be the same limbs as an operand (out = in); partial
 * overlap is not allowed. `dst`, `a` and `b` name the same moduli in the same order unless a
 * method says otherwise. Sizes are trusted here: the ring layer checks them.
 */
export interface RingKernels {
  readonly backend: Backend;
  readonly logN: number;
  readonly degree: number;
  readonly moduli: readonly number[];
  /** Bytes from one limb to the next. */
  readonly limbStride: number;

  /** Address of `limbs` limbs of uninitialised memory. Throws `memory` when the limit is reached. */
  allocate(limbs: number): number;
  /** Returns what {@link allocate} gave, with the same count. */
  release(address: number, limbs: number): void;
  /** Copies words into a view from limb `index` on: those of one or of several limbs, N each, one after another. */
  write(dst: Limbs, index: number, words: Uint32Array): void;
  /**
   * Address of words outside of the backend's memory, limbs of N words one after another without padding, for
   * {@link SwitchingKeyLimbs.b}: keys are read where they are. Whoever asks keeps the words alive, and they do not
   * change. Absent where kernels see their own memory only.
   */
  readonly reach?: ((words: Uint32Array) => number) | undefined;
  /** Copies limb `index` of a view out. */
  read(src: Limbs, index: number, into: Uint32Array): void;

  /** Forward negacyclic NTT in place: coefficient → NTT. */
  forwardNtt(x: Limbs): void;
  /** Inverse negacyclic NTT in place: NTT → coefficient. */
  inverseNtt(x: Limbs): void;
  /** dst = inverse NTT of a, which stays as it is. dst ≠ a. */
  inverseNttInto(dst: Limbs, a: Limbs): void;

  copy(dst: Limbs, a: Limbs): void;
  zero(dst: Limbs): void;
  add(dst: Limbs, a: Limbs, b: Limbs): void;
  subtract(dst: Limbs, a: Limbs, b: Limbs): void;
  negate(dst: Limbs, a: Limbs): void;

  /** dst = a·b·2^-32 mod q: the Montgomery product of two limbs. */
  multiply(dst: Limbs, a: Limbs, b: Limbs): void;
  /** dst = a·s mod q with one plain residue s (in [0, q)) per limb. */
  multiplyScalar(dst: Limbs, a: Limbs, scalars: Uint32Array): void;
  /** dst = dst + a·s mod q with one plain residue s per limb. */
  multiplyScalarAdd(dst: Limbs, a: Limbs, scalars: Uint32Array): void;
  /** dst = a + s mod q with one residue s per limb (in NTT domain: adds a constant polynomial). */
  addScalar(dst: Limbs, a: Limbs, scalars: Uint32Array): void;
  /** dst = (a − b)·s mod q with one plain residue s per limb: the tail of ModDown and rescale. */
  subtractMultiplyScalar(dst: Limbs, a: Limbs, b: Limbs, scalars: Uint32Array): void;

  /**
   * dst = [dst +] Σ_t a[t]·b[t]·2^-32 mod q, a lazy 64-bit sum of any number of Montgomery
   * products. `dst` must not be one of the operands. The a[t] are polynomials of the subring of
   * degree N/2^logRun (0 ≤ logRun ≤ logN): compact limbs in the memory of that smaller ring
   * (whose `limbStride` is `4·N/2^logRun + 64`), each value standing for a run of 2^logRun equal
   * ones. logRun = 0 is the plain case.
   */
  multiplySum(dst: Limbs, a: readonly Limbs[], b: readonly Limbs[], accumulate: boolean, logRun: number): void;
  /**
   * Two sums that share their first operands: dst0 = [dst0 +] Σ a[t]·b0[t]·2^-32 and
   * dst1 = [dst1 +] Σ a[t]·b1[t]·2^-32. The key-switch product (a: digits, b: key halves) and
   * the inner loop of a double-hoisted linear transform (a: plaintexts, b: ciphertext halves).
   * `streamed` says that operands come from main memory rather than a cache: a hint, no more.
   */
  multiplySumPair(
    dst0: Limbs,
    dst1: Limbs,
    a: readonly Limbs[],
    b0: readonly Limbs[],
    b1: readonly Limbs[],
    accumulate: boolean,
    logRun: number,
    streamed?: boolean,
  ): void;
  /**
   * Each of many sums, as {@link RingKernels.multiplySum} or {@link RingKernels.multiplySumPair} would make it. All
   * results are over the same moduli, and none is an operand of another sum. Sums are worked through a
   * block of coefficients at a time, so that operands which several of them read stay in the cache: half
   * the time where a sum alone would read everything from memory. With `scalars`, one plain residue for each limb, sums
   * are multiplied by them, and added to nothing.
   */
  multiplySums(sums: readonly ProductSums[], accumulate: boolean, logRun: number, scalars?: Uint32Array): void;
  /**
   * Key-switch products over one basis, each of as many digits: see {@link KeyProduct}. They are made limb by limb, so
   * that those which follow one another find what they share in the cache: a key, or digits.
   */
  keyProducts(products: readonly KeyProduct[], basis: KeyBasis): void;
  /**
   * dst = (a − NTT(b))·s with one plain residue s per limb: the tail of ModDown and rescale. `b` is in coefficient
   * domain and of no use afterwards; dst may be a or b.
   */
  subtractTransformed(dst: Limbs, a: Limbs, b: Limbs, scalars: Uint32Array): void;
  /** dst = a with each value of the subring polynomial a written 2^logRun times. */
  expand(dst: Limbs, a: Limbs, logRun: number): void;

  /** dst = a(X^g) in NTT domain for odd g in [1, 2N): a permutation of the values. dst ≠ a. */
  automorphism(dst: Limbs, a: Limbs, galoisElement: number): void;

  /**
   * Base conversion in coefficient domain. Let x in [0, Q) be the integer that `src` stands for
   * modulo the product Q of its primes, y_i = x_i·inverses[i] mod q_i and
   * v = floor((Σ y_i·fractions[i] + 2^55) / 2^56). Then
   * dst_j = Σ y_i·factors[j,i] − v·products[j] mod p_j, which is the residue of the centred
   * representative of x (in about (−Q/2, Q/2]). The formula is exact integer arithmetic, so all
   * backends agree also where the rounding of v is off. (Halevi–Polyakov–Shoup, eprint 2018/117, §2.)
   * `src.moduli` equals `table.from`, `dst.moduli` equals `table.to`; `src` is left unchanged.
   */
  convert(dst: Limbs, src: Limbs, table: ConversionTable): void;

  /**
   * Fills limbs with residues uniform in [0, q), each from a ChaCha20 key stream (RFC 8439) of its own, whose state
   * is eight key words and three nonce words, blocks counted from 0; `states` has those of the limbs in turn. The words
   * of the stream are taken in order; those below the largest multiple of q up to 2^32 are kept
   * and reduced modulo q. For public randomness: the same bytes everywhere.
   */
  uniform(dst: Limbs, states: Uint32Array): void;

  /** Residues of N signed 32-bit integers, coefficient domain. */
  fromInt32(dst: Limbs, values: Int32Array): void;
  /** Residues of N doubles that hold integers with |x| < 2^62, coefficient domain. */
  fromDoubles(dst: Limbs, values: Float64Array): void;
}
