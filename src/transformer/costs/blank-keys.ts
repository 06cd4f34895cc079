/**
 * Stand-ins for keys. On one device memory that nobody wrote will do, and making it counts as no work;
 * ranks need keys laid out as real ones.
 */
import { ephemeralSpecialCount } from "../../circuits/index.ts";
import { type BlankKey, blankKey, type Context, type KeyName, type KeySource, keyModuli } from "../../ckks/index.ts";
import { isSharded, type NullBackend } from "../../kernels/index.ts";

/** Any key at any level; those of one shape share their memory. */
export class BlankKeys implements KeySource {
  readonly #context: Context;
  readonly #making: (make: () => BlankKey) => BlankKey;
  readonly #made = new Map<string, BlankKey>();

  /** @param making around the making of a key, which is no work of what asks for it first */
  constructor(context: Context, making: (make: () => BlankKey) => BlankKey = (make) => make()) {
    this.#context = context;
    this.#making = making;
  }

  dispose(): void {
    for (const poly of new Set([...this.#made.values()].flatMap(({ a, b }) => [...a, ...b]))) poly.dispose();
    this.#made.clear();
  }

  keys(names: readonly KeyName[], level: number): BlankKey[] {
    return names.map((name) => this.#key(name, level));
  }

  #key(name: KeyName, level: number): BlankKey {
    const specialCount = specialCountOf(name, this.#context);
    const shape = `${level} ${specialCount}`;
    let key = this.#made.get(shape);
    if (key === undefined) {
      key = this.#making(() =>
        isSharded(this.#context.ring.kernels)
          ? blankKey(this.#context, level, specialCount)
          : unwrittenKey(this.#context, level, specialCount),
      );
      this.#made.set(shape, key);
    }
    return key;
  }
}

/** Keys that count neither as work nor as memory on a backend that counts. */
export function uncountedKeys(context: Context, backend: NullBackend): BlankKeys {
  return new BlankKeys(context, (make) => backend.apart(() => backend.uncounted(make)));
}

/** Special primes that a key is over. */
export function specialCountOf(name: KeyName, { parameters }: Context): number {
  return name === "dense-to-sparse" ? ephemeralSpecialCount : parameters.specialCount;
}

function unwrittenKey(context: Context, level: number, specialCount: number): BlankKey {
  const moduli = keyModuli(context, level, specialCount);
  const half = context.parameters.digitsAt(level).map(() => context.ring.poly(moduli, "ntt"));
  return { level, specialCount, a: half, b: half, bStride: undefined };
}
