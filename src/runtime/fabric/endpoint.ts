/**
 * A device's end of the fabric that joins the devices of a run: messages of u32 words, counted
 * bytes, a heartbeat. Nothing here needs an event loop, as a device may compute for minutes in one
 * call: what is queued moves when the device calls {@link Endpoint.progress} or
 * {@link Endpoint.wait}, which it therefore does often.
 *
 * Every rank that keeps doing so lets all others go on: no order of sends and receives can lock,
 * however much is sent at once.
 */
import type { CollectiveName, Communicator } from "../../kernels/sharded/communicator.ts";
import type { Ledger } from "./ledger.ts";

/** Tags from here to 2^53 − 1 belong to the communicator; those below are the device's own. */
export const firstCollectiveTag = 2 ** 32;

/** A message to one or several ranks. */
export interface Message {
  /** Receivers, each once, without the sender; with none the message is dropped and is not filled. */
  readonly to: readonly number[];
  /** Integer from 0; below {@link firstCollectiveTag} for messages of the device itself. */
  readonly tag: number;
  /** Words of the payload, possibly 0. */
  readonly words: number;
  /** What the message is part of, for the count. */
  readonly collective: CollectiveName;
  /**
   * Writes the payload: `words` words with undefined content, valid during the call. Called once, within
   * {@link Endpoint.send} if there is room and from {@link Endpoint.progress} otherwise; what it reads
   * must stay as it is until then.
   */
  fill(into: Uint32Array): void;
  /** Called once, after the last word has left this device. */
  sent?(): void;
}

export interface Endpoint {
  readonly rank: number;
  readonly size: number;
  /** Collectives over the same fabric, for code that runs on all ranks in step. */
  readonly communicator: Communicator;
  /** Bytes sent from this end. */
  readonly ledger: Ledger;
  /** Seconds in {@link wait} so far, those of the communicator included. */
  readonly waitedSeconds: number;
  /** Whether the run was called off; {@link wait} throws from then on. */
  readonly aborted: boolean;

  /** Queues a message and returns at once. Messages from one rank to another arrive in order. */
  send(message: Message): void;
  /**
   * If the oldest message (`from`, `tag`) has arrived whole, hands its words to `take`, frees their
   * room and says true. Messages with other tags may be taken before or after it.
   *
   * @param take the words are valid during the call only
   */
  receive(from: number, tag: number, take: (words: Uint32Array) => void): boolean;
  /** Moves what can be moved without waiting, and says whether anything moved. */
  progress(): boolean;
  /**
   * Blocks until `ready` says true; meanwhile makes progress and beats the heart.
   *
   * @param ready usually tries to {@link receive}; what makes it true must come through this fabric, as
   *   ranks that all wait while nothing moves are taken to be locked
   * @param what is waited for, for messages to people
   * @returns seconds waited, 0 if `ready` was true at once
   * @throws `aborted` when the run was called off
   */
  wait(ready: () => boolean, what: string): number;
  /** {@link wait}s until all queued messages have left; a device does so before it goes idle. */
  flush(): number;
  /**
   * Says that the device is alive; cheap enough for inner loops. A device that is not waiting and does
   * not beat for some seconds is taken for dead.
   *
   * @param operation number of the operation that begins, from 0
   */
  beat(operation?: number): void;
}
