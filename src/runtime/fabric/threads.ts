/**
 * The fabric between threads of one process. The main thread makes it and passes each worker its
 * state; the worker opens its endpoint on it. All memory is shared: payloads lie in an arena of
 * which each rank fills one region, descriptors in one ring for each ordered pair of ranks, the
 * rest in the control words.
 */
import { integerIn } from "../../base/validate.ts";
import { Control } from "./control.ts";
import { Inbox } from "./inbox.ts";
import { Outbox } from "./outbox.ts";
import { Region, smallestRegion } from "./region.ts";
import { Ring, ringWords } from "./ring.ts";
import { ThreadEndpoint } from "./thread-endpoint.ts";

export interface FabricOptions {
  /**
   * Room for payloads, shared out evenly among the ranks. Memory that is never written to costs
   * nothing. A rank whose messages are larger than half of its share sends them with two more copies.
   * Default 512 MiB.
   */
  readonly arenaBytes?: number;
  /** Messages from one rank to another that the other has not looked at yet. Default 512. */
  readonly ringEntries?: number;
}

/** What a thread needs to open its endpoint; can be posted to it. */
export interface FabricState {
  readonly rank: number;
  readonly size: number;
  readonly control: SharedArrayBuffer;
  readonly rings: SharedArrayBuffer;
  readonly arena: SharedArrayBuffer;
}

export interface ThreadFabric {
  readonly size: number;
  /** By rank. */
  readonly states: readonly FabricState[];
  /** For the thread that watches the ranks. */
  readonly control: Control;
}

/** More ranks than cores is slow; more than this is a mistake. */
const mostRanks = 64;

/** @param size number of ranks; one alone sends nothing and has no arena */
export function createThreadFabric(size: number, options: FabricOptions = {}): ThreadFabric {
  integerIn("size", size, 1, mostRanks);
  const { arenaBytes = 2 ** 29, ringEntries = 512 } = options;
  integerIn("arenaBytes", arenaBytes, size * smallestRegion * 4, 2 ** 33);
  integerIn("ringEntries", ringEntries, 1, 2 ** 20);
  const control = new Control(size);
  const arena = new SharedArrayBuffer(size === 1 ? 0 : size * regionWords(arenaBytes, size) * 4);
  const rings = new SharedArrayBuffer(size === 1 ? 0 : size * size * ringWords(ringEntries) * 4);
  const states = Array.from({ length: size }, (_, rank) => ({ rank, size, control: control.buffer, rings, arena }));
  return { size, states, control };
}

/** Opens a rank's end, once, in the thread that it belongs to. */
export function openEndpoint(state: FabricState): ThreadEndpoint {
  const { rank, size } = state;
  const control = new Control(size, state.control);
  const arena = new Uint32Array(state.arena);
  const words = regionWords(state.arena.byteLength, size);
  const region = new Region(arena, rank * words, words);
  const ranks = Array.from({ length: size }, (_, other) => other);
  const outbox = new Outbox(
    rank,
    control,
    region,
    ranks.map((to) => ringBetween(state, rank, to)),
  );
  const inboxes = ranks.map((from) =>
    from === rank ? undefined : new Inbox(from, control, arena, ringBetween(state, from, rank)),
  );
  return new ThreadEndpoint(rank, control, outbox, inboxes);
}

/** Words of each rank's region: whole cache lines. */
function regionWords(arenaBytes: number, size: number): number {
  return Math.floor(arenaBytes / 64 / size) * 16;
}

function ringBetween(state: FabricState, from: number, to: number): Ring {
  const pairs = state.size * state.size;
  const words = state.rings.byteLength / 4 / pairs;
  const all = new Uint32Array(state.rings);
  const index = from * state.size + to;
  return new Ring(all.subarray(index * words, (index + 1) * words));
}
