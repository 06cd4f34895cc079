/**
 * Collectives over the messages of an endpoint. All ranks call the same ones in the same order, so
 * that a count of calls serves as tag. Every call first queues all it sends and then takes what
 * comes in any order, which cannot lock.
 */
import { invariant, lengthIs } from "../../base/validate.ts";
import type { CollectiveName, Communicator } from "../../kernels/sharded/communicator.ts";
import { type Endpoint, firstCollectiveTag } from "./endpoint.ts";

export class EndpointCommunicator implements Communicator {
  readonly rank: number;
  readonly size: number;
  readonly moves = true;
  readonly #endpoint: Endpoint;
  #calls = 0;
  /** What came from each rank; used again by the next call. */
  readonly #buffers: Uint32Array[];

  constructor(endpoint: Endpoint) {
    this.rank = endpoint.rank;
    this.size = endpoint.size;
    this.#endpoint = endpoint;
    this.#buffers = Array.from({ length: endpoint.size }, () => new Uint32Array(0));
  }

  /** The own piece of the result is `mine` itself. */
  allGather(mine: Uint32Array, lengths: readonly number[]): readonly Uint32Array[] {
    lengthIs("lengths", lengths, this.size);
    lengthIs("mine", mine, lengths[this.rank]);
    return this.#exchange("all-gather", [{ to: this.#others(), words: mine }], mine, lengths);
  }

  /** The own piece of the result is `pieces[rank]` itself. */
  allToAll(pieces: readonly Uint32Array[], lengths: readonly number[], name: CollectiveName): readonly Uint32Array[] {
    lengthIs("pieces", pieces, this.size);
    lengthIs("lengths", lengths, this.size);
    lengthIs("pieces[rank]", pieces[this.rank], lengths[this.rank]);
    const sends = this.#others().map((rank) => ({ to: [rank], words: pieces[rank] }));
    return this.#exchange(name, sends, pieces[this.rank], lengths);
  }

  /** On the root the result is `words` itself. */
  broadcast(root: number, words: Uint32Array, length: number): Uint32Array {
    const lengths = Array.from({ length: this.size }, () => -1);
    if (this.rank !== root) {
      lengths[root] = length;
      return this.#exchange("broadcast", [], words, lengths)[root];
    }
    lengthIs("words", words, length);
    return this.#exchange("broadcast", [{ to: this.#others(), words }], words, lengths)[root];
  }

  #others(): number[] {
    return Array.from({ length: this.size }, (_, rank) => rank).filter((rank) => rank !== this.rank);
  }

  /** @param lengths words to come from each rank, −1 where nothing comes */
  #exchange(
    collective: CollectiveName,
    sends: readonly { to: readonly number[]; words: Uint32Array }[],
    own: Uint32Array,
    lengths: readonly number[],
  ): readonly Uint32Array[] {
    const call = this.#calls++;
    const tag = firstCollectiveTag + call;
    const received: Uint32Array[] = [];
    received[this.rank] = own;
    let missing = this.#others().filter((rank) => lengths[rank] >= 0);
    let leaving = sends.length;
    for (const { to, words } of sends) {
      const fill = (into: Uint32Array): void => into.set(words);
      const sent = (): void => void leaving--;
      this.#endpoint.send({ to, tag, words: words.length, collective, fill, sent });
    }
    const ready = (): boolean => {
      missing = missing.filter((from) => {
        const take = (words: Uint32Array): void => {
          received[from] = this.#keep(from, words, lengths[from], collective);
        };
        return !this.#endpoint.receive(from, tag, take);
      });
      // The caller may write over its words once this returns, so they must have left.
      return missing.length === 0 && leaving === 0;
    };
    this.#endpoint.wait(ready, `${collective} ${call}`);
    return received;
  }

  /** A copy that outlives the message. */
  #keep(from: number, words: Uint32Array, expected: number, collective: CollectiveName): Uint32Array {
    invariant(words.length === expected, `${collective}: ${words.length} words from rank ${from}, not ${expected}`);
    if (this.#buffers[from].length < words.length) this.#buffers[from] = new Uint32Array(words.length);
    const kept = this.#buffers[from].subarray(0, words.length);
    kept.set(words);
    return kept;
  }
}
