/** In how many chunks a device takes an operation: what bounds its workspace. */
import type { Operation } from "../program/index.ts";
import { chunkSize } from "../transformer/index.ts";
import type { Chunk, Sharing } from "./sharing.ts";
import type { RingSizes } from "./sizes.ts";
import type { Mode } from "./strategies.ts";

export interface ChunkOptions {
  readonly overlap: boolean;
  readonly ring: RingSizes;
  /** Bytes of workspace that a chunk of one operation may take on a device. */
  readonly chunkBytes: number;
}

/** An operation a chunk at a time. */
export function chunksOf(
  sharing: Sharing,
  operation: Operation,
  mode: Mode,
  { overlap, ring, chunkBytes }: ChunkOptions,
): readonly Chunk[] {
  const { summed, results } = sharing.parts(operation, mode);
  // Sums of all devices' results are alive on each, and those of two chunks when one travels.
  const share = summed === undefined ? 1 : sharing.devices * (overlap ? 2 : 1);
  const size = Math.max(1, Math.floor(chunkSize(sharing.program, operation, ring, chunkBytes) / share));
  const most = Math.max(...results.map((mine) => mine.reduce((sum, list) => sum + list.length, 0)));
  return sharing.chunks(operation, mode, Math.max(1, Math.ceil(most / size)));
}
