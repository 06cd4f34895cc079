/**
 * What code that runs on several devices at once asks of the fabric between them: blocking
 * collectives over words. Every rank calls the same collectives in the same order.
 */

/** Kinds of communication, as plans and reports count them. */
export const collectiveNames = [
  "all-gather",
  "reduce-scatter",
  "all-reduce",
  "broadcast",
  "all-to-all",
  "send",
] as const;

export type CollectiveName = (typeof collectiveNames)[number];

/** One device's end. Bytes are counted where they are sent: once for every receiver. */
export interface Communicator {
  readonly rank: number;
  readonly size: number;
  /**
   * Whether words are moved at all; a communicator that only counts calls nothing and gives back empty
   * arrays, and callers read and write no memory for it.
   */
  readonly moves: boolean;
  /**
   * Every rank's words to all others. When it returns, the words have left and all have come.
   *
   * @param lengths words of each rank, the same list on every rank
   * @param fill writes this rank's `lengths[rank]` words; called once, with no copy in between where there is room
   * @param take gets the words of each other rank, in any order, valid for as long as the call takes
   */
  allGather(
    lengths: readonly number[],
    fill: (into: Uint32Array) => void,
    take: (from: number, words: Uint32Array) => void,
  ): void;
  /**
   * pieces[r] goes to rank r; the result's element r came from rank r and has `lengths[r]` words. Own
   * piece included, valid until the next call.
   *
   * @param name what the exchange is part of, for the count: a reduce-scatter is an exchange whose
   *   pieces the receiver sums
   * @param sent words that each rank sends to others altogether; all ranks know the layouts, so that counting on
   *   one of them tells the bytes of all
   */
  allToAll(
    pieces: readonly Uint32Array[],
    lengths: readonly number[],
    name: CollectiveName,
    sent: readonly number[],
  ): readonly Uint32Array[];
  /** The root's words on every rank; `words` is read on the root only. */
  broadcast(root: number, words: Uint32Array, length: number): Uint32Array;
}
