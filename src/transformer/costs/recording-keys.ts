/** Stand-ins for keys that note what is asked of them: the keys that a program needs. */
import type { Context, KeyName, KeySource, KeyUse, LoadedKey } from "../../ckks/index.ts";
import { BlankKeys } from "./blank-keys.ts";

/** Gives out keys without content and notes the highest level each was asked for. */
export class RecordingKeys implements KeySource {
  readonly levels = new Map<KeyName, number>();
  /** Every use, in order. */
  readonly sequence: KeyUse[] = [];
  readonly context: Context;
  readonly #blank: BlankKeys;

  constructor(context: Context) {
    this.context = context;
    this.#blank = new BlankKeys(context);
  }

  /** Backend memory that the stand-ins take. */
  get bytes(): number {
    return this.#blank.bytes;
  }

  /** Frees the stand-ins. */
  dispose(): void {
    this.#blank.dispose();
  }

  key(name: KeyName, level: number): LoadedKey {
    this.sequence.push({ name, level });
    this.levels.set(name, Math.max(level, this.levels.get(name) ?? 0));
    return this.#blank.key(name, level);
  }
}
