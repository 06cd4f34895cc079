/** In how many chunks a device takes an operation: what bounds its workspace. */
import type { Operation } from "../program/index.ts";
import { chunkSize } from "../transformer/index.ts";
import type { Chunk, Sharing } from "./sharing.ts";
import type { RingSizes } from "./sizes.ts";
import { type Mode, shardingOfMode } from "./strategies.ts";

/** Bytes of workspace that a chunk of one operation may take on a device. */
export interface ChunkSize {
  readonly chunkBytes: number;
  /** Of scores, whose sums are what a device works with most; by default as all others. */
  readonly scoreBytes?: number;
}

export interface ChunkOptions extends ChunkSize {
  readonly overlap: boolean;
  readonly ring: RingSizes;
}

/** What a chunk of this operation may take. */
export function chunkBytesOf({ kind }: Operation, { chunkBytes, scoreBytes = chunkBytes }: ChunkSize): number {
  return kind === "scores" ? scoreBytes : chunkBytes;
}

/** In how many chunks sums travel where chunks cost nothing. */
const travelling = 8;

/** An operation a chunk at a time. */
export function chunksOf(
  sharing: Sharing,
  operation: Operation,
  mode: Mode,
  { overlap, ring, ...sizes }: ChunkOptions,
): readonly Chunk[] {
  const { summed, results } = sharing.parts(operation, mode);
  const sharding = shardingOfMode(mode);
  let share = 1;
  // Shares of sums are smaller, but where every rank has a summand of each.
  if (sharding !== undefined) share = sharding === "limb-oa" ? 1 : 1 / sharing.devices;
  // Sums of all devices' results are alive on each, and those of two chunks when one travels.
  else if (summed !== undefined) share = sharing.devices * (overlap ? 2 : 1);
  const size = Math.max(
    1,
    Math.floor(chunkSize(sharing.program, operation, ring, chunkBytesOf(operation, sizes)) / share),
  );
  const most = Math.max(...results.map((mine) => mine.reduce((sum, list) => sum + list.length, 0)));
  // Contexts share no rotations, so that chunks are free and their sums travel beside the next.
  const least = summed !== undefined && overlap && operation.kind === "context" ? Math.min(travelling, most) : 1;
  return sharing.chunks(operation, mode, Math.max(least, Math.ceil(most / size)));
}
