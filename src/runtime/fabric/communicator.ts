/**
 * Collectives over the messages of an endpoint. All ranks call the same ones in the same order, so
 * that a count of calls serves as tag. Every call first queues all it sends and then takes what
 * comes in any order, which cannot lock.
 */
import { invariant, lengthIs } from "../../base/validate.ts";
import type { CollectiveName, Communicator } from "../../kernels/sharded/communicator.ts";
import { WordBuffer } from "../../kernels/sharded/word-buffer.ts";
import { type Endpoint, firstCollectiveTag, type Message } from "./endpoint.ts";

export class EndpointCommunicator implements Communicator {
  readonly rank: number;
  readonly size: number;
  readonly moves = true;
  readonly #endpoint: Endpoint;
  #calls = 0;
  /** What came from each rank; used again by the next call. */
  readonly #buffers: readonly WordBuffer[];

  constructor(endpoint: Endpoint) {
    this.rank = endpoint.rank;
    this.size = endpoint.size;
    this.#endpoint = endpoint;
    this.#buffers = Array.from({ length: endpoint.size }, () => new WordBuffer());
  }

  allGather(
    lengths: readonly number[],
    fill: (into: Uint32Array) => void,
    take: (from: number, words: Uint32Array) => void,
  ): void {
    lengthIs("lengths", lengths, this.size);
    const sends = [{ to: this.#others(), words: lengths[this.rank], fill }];
    this.#exchange("all-gather", sends, lengths, take);
  }

  /** The own piece of the result is `pieces[rank]` itself. */
  allToAll(pieces: readonly Uint32Array[], lengths: readonly number[], name: CollectiveName): readonly Uint32Array[] {
    lengthIs("pieces", pieces, this.size);
    lengthIs("lengths", lengths, this.size);
    lengthIs("pieces[rank]", pieces[this.rank], lengths[this.rank]);
    const sends = this.#others().map((rank) => sendOf([rank], pieces[rank]));
    const received: Uint32Array[] = [];
    received[this.rank] = pieces[this.rank];
    this.#exchange(name, sends, lengths, (from, words) => void (received[from] = this.#keep(from, words)));
    return received;
  }

  /** On the root the result is `words` itself. */
  broadcast(root: number, words: Uint32Array, length: number): Uint32Array {
    const lengths = Array.from({ length: this.size }, () => -1);
    if (this.rank === root) {
      lengthIs("words", words, length);
      this.#exchange("broadcast", [sendOf(this.#others(), words)], lengths, () => undefined);
      return words;
    }
    lengths[root] = length;
    let received = words;
    this.#exchange("broadcast", [], lengths, (from, arrived) => void (received = this.#keep(from, arrived)));
    return received;
  }

  #others(): number[] {
    return Array.from({ length: this.size }, (_, rank) => rank).filter((rank) => rank !== this.rank);
  }

  /** @param lengths words to come from each rank, −1 where nothing comes */
  #exchange(
    collective: CollectiveName,
    sends: readonly Send[],
    lengths: readonly number[],
    take: (from: number, words: Uint32Array) => void,
  ): void {
    const call = this.#calls++;
    const tag = firstCollectiveTag + call;
    let missing = this.#others().filter((rank) => lengths[rank] >= 0);
    let leaving = sends.length;
    const sent = (): void => void leaving--;
    for (const send of sends) this.#endpoint.send({ ...send, tag, collective, sent });
    const ready = (): boolean => {
      missing = missing.filter((from) => {
        const expected = lengths[from];
        return !this.#endpoint.receive(from, tag, (words) => {
          invariant(
            words.length === expected,
            `${collective}: ${words.length} words from rank ${from}, not ${expected}`,
          );
          take(from, words);
        });
      });
      // The caller may write over its words once this returns, so they must have left.
      return missing.length === 0 && leaving === 0;
    };
    this.#endpoint.wait(ready, `${collective} ${call}`);
  }

  /** A copy that outlives the message. */
  #keep(from: number, words: Uint32Array): Uint32Array {
    const kept = this.#buffers[from].take(words.length);
    kept.set(words);
    return kept;
  }
}

type Send = Pick<Message, "to" | "words" | "fill">;

function sendOf(to: readonly number[], words: Uint32Array): Send {
  return { to, words: words.length, fill: (into) => into.set(words) };
}
