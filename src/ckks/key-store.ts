/**
 * Evaluation keys as the server holds them: in ordinary buffers outside backend memory (a
 * WebAssembly memory ends at 4 GiB), paged into it when an operation asks, as far as the level of
 * that operation needs. When the budget is full, the key whose next use is furthest goes first if the
 * order of uses is known, the least recently used otherwise. What is stored is
 * the compressed key: its uniform half is expanded straight into backend memory each time, which
 * costs less than the key switch that follows and halves the memory of a process. Kernels that see all memory of the
 * process read the other half where it is, if threads share it.
 */
import { AegisError } from "../base/errors.ts";
import type { Limbs, RingKernels } from "../kernels/backend.ts";
import { Poly } from "../ring/poly.ts";
import type { Context } from "./context.ts";
import { KeyPages } from "./key-pages.ts";
import { type EvaluationKey, expandUniform, type KeyName, keyModuli, seedDomains } from "./keys.ts";

/** An evaluation key in backend memory, one pair of polynomials per digit. */
export interface LoadedKey {
  /** Highest level it serves as it is loaded. */
  readonly level: number;
  readonly specialCount: number;
  readonly a: readonly Poly[];
  readonly b: readonly Limbs[];
  /** See {@link SwitchingKeyLimbs.bStride}. */
  readonly bStride: number | undefined;
}

/** A key that is in backend memory with both its halves. */
export interface BlankKey extends LoadedKey {
  readonly b: readonly Poly[];
}

/** Where an evaluator gets its keys. */
export interface KeySource {
  /**
   * The named keys, usable at `level`: the first at least, and as many of the others in turn as are held at the same
   * time. Valid until the next call. Throws `key` when there is none of a name.
   */
  keys(names: readonly KeyName[], level: number): readonly LoadedKey[];
}

export interface KeyStoreOptions {
  /**
   * Backend memory that loaded keys may take, in bytes; a single key may take more. Default
   * 2 GiB. Programs go through their keys in rounds: a budget for all of a round saves its page-ins.
   */
  readonly residentBytes?: number;
}

export class KeyStore implements KeySource, Disposable {
  readonly #context: Context;
  readonly #entries = new Map<KeyName, EvaluationKey>();
  readonly #loaded = new Map<KeyName, LoadedKey>();
  readonly #pages: KeyPages;
  readonly #endPressure: () => void;
  /** The keys given out last, which may be in use. */
  #current: readonly KeyName[] = [];

  constructor(context: Context, options: KeyStoreOptions = {}) {
    this.#context = context;
    this.#pages = new KeyPages(options.residentBytes ?? 2 * 2 ** 30);
    this.#endPressure = context.backend.onPressure(() => this.#yield());
  }

  /** Adds a key; one of the same name with a lower level is replaced. */
  add(key: EvaluationKey): void {
    const present = this.#entries.get(key.name);
    if (present !== undefined && present.level >= key.level) return;
    this.#evict(key.name);
    this.#entries.set(key.name, key);
  }

  /** Tells in which order keys will be asked for from here on. */
  expect(sequence: readonly KeyName[]): void {
    this.#pages.expect(sequence);
  }

  /** Names and levels of the keys held. */
  list(): { name: KeyName; level: number }[] {
    return [...this.#entries.values()].map((key) => ({ name: key.name, level: key.level }));
  }

  /** Bytes of keys in backend memory, a key that is just being loaded among them. */
  get residentBytes(): number {
    return this.#pages.bytes;
  }

  /** Bytes of keys outside backend memory and inside. */
  memory(): { stored: number; resident: number } {
    let stored = 0;
    for (const key of this.#entries.values()) for (const half of key.b) stored += half.byteLength;
    return { stored, resident: this.residentBytes };
  }

  keys(names: readonly KeyName[], level: number): readonly LoadedKey[] {
    const given: LoadedKey[] = [];
    this.#current = [];
    for (const name of names) {
      const entry = this.#entry(name, level);
      // Paging goes as if keys were asked for one by one: what would push out one of these waits for the next call.
      if (given.length > 0 && !this.#pages.spares(this.#current, name, level, this.#layout(entry, level).bytes)) break;
      const before = this.#current;
      this.#current = [...before, name];
      try {
        given.push(this.#use(entry, level));
      } catch (error) {
        if (given.length === 0 || !(error instanceof AegisError) || error.code !== "memory") throw error;
        // Those that are there may go once they have been used.
        this.#current = before;
        break;
      }
    }
    return given;
  }

  /** One key; see {@link KeySource.keys}. */
  key(name: KeyName, level: number): LoadedKey {
    return this.keys([name], level)[0] as LoadedKey;
  }

  /** Frees all loaded keys and forgets the rest. */
  dispose(): void {
    this.#endPressure();
    for (const name of [...this.#loaded.keys()]) this.#evict(name);
    this.#entries.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #entry(name: KeyName, level: number): EvaluationKey {
    const key = this.#entries.get(name);
    if (key === undefined || key.level < level) {
      const got = key === undefined ? "there is none" : `the one held serves levels up to ${key.level}`;
      throw new AegisError("key", `key ${name} at level ${level} is needed, but ${got}`, {
        level,
        hint: "generate the keys that the program lists and add them to the key store",
      });
    }
    return key;
  }

  #use(key: EvaluationKey, level: number): LoadedKey {
    if (this.#pages.use(key.name, level)) return this.#loaded.get(key.name) as LoadedKey;
    this.#evict(key.name);
    return this.#load(key, level);
  }

  /** Whether the stored half is read where it is, and the bytes that a key then takes in backend memory. */
  #layout(key: EvaluationKey, level: number): { reach: RingKernels["reach"]; bytes: number } {
    const all = residentKeyBytes(this.#context, level, key.specialCount);
    const reach = key.b.every(isShared) ? this.#context.ring.kernels.reach : undefined;
    return { reach, bytes: reach === undefined ? all : Math.round(all / 2) };
  }

  #load(key: EvaluationKey, level: number): LoadedKey {
    const { parameters, ring } = this.#context;
    const moduli = keyModuli(this.#context, level, key.specialCount);
    const digits = parameters.digitsAt(level).length;
    const { reach, bytes } = this.#layout(key, level);
    for (const victim of this.#pages.room(bytes)) this.#evict(victim);
    this.#pages.add(key.name, level, bytes);
    const a: Poly[] = [];
    const b: Limbs[] = [];
    try {
      for (let digit = 0; digit < digits; digit++) {
        this.#context.exchanges.ofDigit(digit, () => {
          a.push(expandUniform(this.#context, key.seed, seedDomains.evaluationKey, digit, moduli));
          const words = key.b[digit] as Uint32Array;
          b.push(reach === undefined ? this.#upload(words, moduli) : { address: reach(words), moduli });
        });
      }
    } catch (error) {
      dispose(a, b);
      this.#pages.remove(key.name);
      throw error;
    }
    const bStride = reach === undefined ? undefined : 4 * ring.degree;
    const loaded: LoadedKey = { level, specialCount: key.specialCount, a, b, bStride };
    this.#loaded.set(key.name, loaded);
    return loaded;
  }

  /** Frees one loaded key that is not in use; false when there is none. */
  #yield(): boolean {
    const victim = this.#pages.victim(this.#current);
    if (victim === undefined) return false;
    this.#evict(victim);
    return true;
  }

  #upload(words: Uint32Array, moduli: readonly number[]): Poly {
    const { ring } = this.#context;
    const poly = new Poly(ring, moduli, "ntt");
    ring.kernels.write(poly, 0, words.subarray(0, moduli.length * ring.degree));
    return poly;
  }

  #evict(name: KeyName): void {
    const loaded = this.#loaded.get(name);
    if (loaded === undefined) return;
    dispose(loaded.a, loaded.b);
    this.#loaded.delete(name);
    this.#pages.remove(name);
  }
}

/** Whether words lie in memory that stays where it is: other buffers can be given to another thread. */
function isShared({ buffer }: Uint32Array): boolean {
  return typeof SharedArrayBuffer !== "undefined" && buffer instanceof SharedArrayBuffer;
}

/** Frees the halves of a key, as far as they are in backend memory. */
function dispose(a: readonly Poly[], b: readonly Limbs[]): void {
  for (const half of [...a, ...b]) if (half instanceof Poly) half.dispose();
}

/**
 * A key of zeros, laid out as a real one: for plans, which need no values. Disposing of its polynomials is up to the
 * caller.
 */
export function blankKey(context: Context, level: number, specialCount: number): BlankKey {
  const moduli = keyModuli(context, level, specialCount);
  const half = (): Poly[] =>
    context.parameters
      .digitsAt(level)
      .map((_, digit) => context.exchanges.ofDigit(digit, () => context.ring.zero(moduli, "ntt")));
  return { level, specialCount, a: half(), b: half(), bStride: undefined };
}

/** Bytes of backend memory of a key loaded up to a level: of this device's share, where devices share the work. */
export function residentKeyBytes(context: Context, level: number, specialCount: number): number {
  const moduli = keyModuli(context, level, specialCount);
  const digits = context.parameters.digitsAt(level);
  const limbs = digits.reduce((sum, _, digit) => sum + context.exchanges.keyLimbs(moduli, digit), 0);
  return Math.round(2 * limbs * context.ring.kernels.limbStride);
}
