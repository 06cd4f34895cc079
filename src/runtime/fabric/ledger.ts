/** Counts the bytes that a device sends: by kind of communication and by part of the model. */
import { type CollectiveName, collectiveNames } from "../../kernels/sharded/communicator.ts";

/** Bytes sent; one payload to three receivers counts three times. */
export interface SentBytes {
  readonly total: number;
  readonly byCollective: Readonly<Record<CollectiveName, number>>;
  /** By the label that {@link Ledger.module} had when the message was sent. */
  readonly byModule: Readonly<Record<string, number>>;
}

function noBytes(): Record<CollectiveName, number> {
  return Object.fromEntries(collectiveNames.map((name) => [name, 0])) as Record<CollectiveName, number>;
}

export class Ledger {
  /** The part of the model that is running; what is sent from now on counts for it. */
  module = "";
  /**
   * Whether messages count: not those by which devices that share ciphertexts set themselves up, save a
   * checkpoint or put the result together for the client.
   */
  counting = true;
  #total = 0;
  #byCollective = noBytes();
  #byModule = new Map<string, number>();

  /** A copy of the counts so far. */
  get bytes(): SentBytes {
    return {
      total: this.#total,
      byCollective: { ...this.#byCollective },
      byModule: Object.fromEntries(this.#byModule),
    };
  }

  /** @param bytes of the payload times the number of its receivers */
  count(collective: CollectiveName, bytes: number): void {
    if (!this.counting) return;
    this.#total += bytes;
    this.#byCollective[collective] += bytes;
    this.#byModule.set(this.module, (this.#byModule.get(this.module) ?? 0) + bytes);
  }

  /** Back to zero, as before a new run; the label stays. */
  reset(): void {
    this.#total = 0;
    this.#byCollective = noBytes();
    this.#byModule.clear();
  }
}
