/** Stand-ins for keys that note what is asked of them: the keys that a program needs. */
import type { Context, KeyName, KeySource, KeyUse, LoadedKey } from "../../ckks/index.ts";
import type { NullBackend } from "../../kernels/index.ts";
import { BlankKeys } from "./blank-keys.ts";

/** Gives out keys without content and notes the highest level each was asked for. */
export class RecordingKeys implements KeySource {
  readonly levels = new Map<KeyName, number>();
  /** Every use, in order. */
  readonly sequence: KeyUse[] = [];
  readonly context: Context;
  readonly #backend: NullBackend;
  readonly #blank: BlankKeys;
  readonly #onUse: ((name: KeyName, level: number) => void) | undefined;

  /**
   * @param backend under the context; the stand-ins do not count as memory in use
   * @param onUse called at every use
   */
  constructor(context: Context, backend: NullBackend, onUse?: (name: KeyName, level: number) => void) {
    this.context = context;
    this.#backend = backend;
    this.#onUse = onUse;
    this.#blank = new BlankKeys(context);
  }

  /** Frees the stand-ins. */
  dispose(): void {
    this.#backend.apart(() => this.#blank.dispose());
  }

  keys(names: readonly KeyName[], level: number): readonly LoadedKey[] {
    for (const name of names) {
      this.#onUse?.(name, level);
      this.sequence.push({ name, level });
      this.levels.set(name, Math.max(level, this.levels.get(name) ?? 0));
    }
    return this.#backend.apart(() => this.#blank.keys(names, level));
  }
}
