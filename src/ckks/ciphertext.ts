/** Ciphertexts and plaintexts: RNS polynomials in NTT domain with a level and an exact scale. */
import type { Poly } from "../ring/poly.ts";

/**
 * A CKKS ciphertext of `parts.length` − 1 degrees: Σ parts[k]·s^k decrypts to the message times
 * `scale`. Parts are in NTT domain over the limbs of `level`. Owns its memory.
 */
export class Ciphertext implements Disposable {
  readonly parts: readonly Poly[];
  readonly level: number;
  readonly scale: number;
  /** Number of complex slots that the message uses; the vector repeats N/2/slots times. */
  readonly slots: number;
  /** What the second part is expanded from, in a fresh secret-key encryption: halves its bytes on the wire. */
  readonly seed: Uint8Array | undefined;

  constructor(parts: readonly Poly[], level: number, scale: number, slots: number, seed?: Uint8Array) {
    this.parts = parts;
    this.level = level;
    this.scale = scale;
    this.slots = slots;
    this.seed = seed;
  }

  get bytes(): number {
    return this.parts.reduce((sum, part) => sum + part.bytes, 0);
  }

  /** A copy in fresh memory, with another scale if one is given (the message changes with it). */
  clone(scale = this.scale): Ciphertext {
    return new Ciphertext(
      this.parts.map((part) => part.clone()),
      this.level,
      scale,
      this.slots,
    );
  }

  /** The same memory under another scale or slot count; disposing of either ends both. */
  view(fields: { scale?: number; slots?: number }): Ciphertext {
    return new Ciphertext(this.parts, this.level, fields.scale ?? this.scale, fields.slots ?? this.slots);
  }

  dispose(): void {
    for (const part of this.parts) part.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * An encoded slot vector: a polynomial of the subring of degree 2·slots (N/(2·slots) times
 * smaller than the ring), NTT domain. `montgomery` plaintexts serve products, plain ones sums
 * and encryption.
 */
export class Plaintext implements Disposable {
  readonly poly: Poly;
  readonly level: number;
  readonly scale: number;
  readonly slots: number;
  /** log2(N / degree of `poly`): how often each NTT value stands in the ring. */
  readonly logRun: number;
  readonly montgomery: boolean;
  /** Whether `poly` is over the extended basis (special primes first). */
  readonly extended: boolean;

  constructor(fields: Omit<Plaintext, "dispose" | typeof Symbol.dispose | "bytes">) {
    this.poly = fields.poly;
    this.level = fields.level;
    this.scale = fields.scale;
    this.slots = fields.slots;
    this.logRun = fields.logRun;
    this.montgomery = fields.montgomery;
    this.extended = fields.extended;
  }

  get bytes(): number {
    return this.poly.bytes;
  }

  dispose(): void {
    this.poly.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
