/** A key source that counts what its keys are used for. */
import type { KeyName, KeySource, LoadedKey } from "../ckks/index.ts";

export interface KeyUses {
  /** All key switches. */
  readonly keySwitches: number;
  /** Products of two ciphertexts (relinearisations). */
  readonly multiplications: number;
  /** Rotations and conjugations. */
  readonly rotations: number;
}

export class CountingKeys implements KeySource {
  readonly #keys: KeySource;
  #multiplications = 0;
  #rotations = 0;
  #switches = 0;

  constructor(keys: KeySource) {
    this.#keys = keys;
  }

  keys(names: readonly KeyName[], level: number): readonly LoadedKey[] {
    const keys = this.#keys.keys(names, level);
    for (const name of names.slice(0, keys.length)) {
      this.#switches++;
      if (name === "relinearisation") this.#multiplications++;
      else if (name.startsWith("galois-")) this.#rotations++;
    }
    return keys;
  }

  get uses(): KeyUses {
    return { keySwitches: this.#switches, multiplications: this.#multiplications, rotations: this.#rotations };
  }
}
