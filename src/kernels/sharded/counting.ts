/** A communicator that moves nothing and counts what would be sent: for plans. */
import { invariant } from "../../base/validate.ts";
import { type CollectiveName, type Communicator, collectiveNames } from "./communicator.ts";

const nothing = new Uint32Array(0);

/** Called with the bytes of every collective. */
export type CountListener = (name: CollectiveName, bytes: number) => void;

/** Counts what one rank sends, in bytes, once for every receiver. Gives back empty arrays. */
export class CountingCommunicator implements Communicator {
  readonly rank: number;
  readonly size: number;
  readonly moves: boolean = false;
  /** Bytes sent so far, by collective. */
  readonly bytes: Record<CollectiveName, number> = zeros();
  /** Bytes that all ranks have sent so far, by collective. */
  readonly bytesOfAll: Record<CollectiveName, number> = zeros();
  /** Bytes that each rank has sent so far. */
  readonly bytesByRank: Float64Array;
  /** Collectives taken part in so far. */
  readonly calls: Record<CollectiveName, number> = zeros();

  readonly #onCount: CountListener | undefined;

  constructor(rank: number, size: number, onCount?: CountListener) {
    this.rank = rank;
    this.size = size;
    this.bytesByRank = new Float64Array(size);
    this.#onCount = onCount;
  }

  /** Bytes of all collectives. */
  get total(): number {
    return collectiveNames.reduce((sum, name) => sum + this.bytes[name], 0);
  }

  allGather(
    lengths: readonly number[],
    _fill: (into: Uint32Array) => void,
    _take: (from: number, words: Uint32Array) => void,
  ): void {
    this.#count(
      "all-gather",
      lengths.map((words) => words * (this.size - 1)),
    );
  }

  allToAll(
    pieces: readonly Uint32Array[],
    _lengths: readonly number[],
    name: CollectiveName,
    sent: readonly number[],
  ): readonly Uint32Array[] {
    const own = pieces.reduce((sum, piece, rank) => sum + (rank === this.rank ? 0 : piece.length), 0);
    invariant(sent[this.rank] === own, `${name}: rank ${this.rank} sends ${own} words, not ${sent[this.rank]}`);
    this.#count(name, sent);
    return pieces.map(() => nothing);
  }

  broadcast(root: number, _words: Uint32Array, length: number): Uint32Array {
    this.#count(
      "broadcast",
      Array.from({ length: this.size }, (_, rank) => (rank === root ? length * (this.size - 1) : 0)),
    );
    return nothing;
  }

  /** @param sent words by rank */
  #count(name: CollectiveName, sent: readonly number[]): void {
    const own = 4 * (sent[this.rank] as number);
    this.calls[name]++;
    this.bytes[name] += own;
    for (let rank = 0; rank < sent.length; rank++) {
      this.bytesOfAll[name] += 4 * sent[rank];
      this.bytesByRank[rank] += 4 * sent[rank];
    }
    this.#onCount?.(name, own);
  }
}

function zeros(): Record<CollectiveName, number> {
  return Object.fromEntries(collectiveNames.map((name) => [name, 0])) as Record<CollectiveName, number>;
}

let zeroWords = nothing;

/**
 * Words to hand to a communicator that only counts; their values mean nothing. Views of one array.
 */
export function placeholderWords(length: number): Uint32Array {
  if (zeroWords.length < length) zeroWords = new Uint32Array(length);
  return zeroWords.subarray(0, length);
}
