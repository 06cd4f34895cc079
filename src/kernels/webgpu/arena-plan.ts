/** How the memory of an adapter is cut into chunks. */
import type { AdapterLimits } from "./protocol.ts";

/** Storage buffers that are not chunks. */
const otherBuffers = 1;
/** Chunks below this are not worth a buffer of their own when nobody asks. */
const usualChunk = 2 ** 28;
/** Addresses are u32 word indices in shaders. */
const largestArena = 2 ** 34;
/** More chunks than this make every access of a kernel slow. */
const mostChunks = 15;

export interface ArenaPlan {
  /** A power of two. */
  readonly chunkBytes: number;
  readonly maximumBytes: number;
}

function powerBelow(bytes: number): number {
  return 2 ** Math.floor(Math.log2(bytes));
}

/**
 * The smallest chunks of {@link usualChunk} or more with which `wanted` bytes fit the storage buffers
 * that a shader may see; smaller ones when less is wanted or allowed.
 *
 * @param chunkBytes for tests: a power of two instead
 */
export function planArena(limits: AdapterLimits, wanted: number, chunkBytes?: number): ArenaPlan {
  const chunks = Math.min(limits.maxStorageBuffersPerShaderStage - otherBuffers, mostChunks);
  const most = powerBelow(Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize, 2 ** 32));
  let size = chunkBytes ?? Math.min(usualChunk, 2 ** Math.ceil(Math.log2(wanted)));
  while (chunkBytes === undefined && size * chunks < wanted) size *= 2;
  size = Math.min(size, most);
  return { chunkBytes: size, maximumBytes: Math.min(wanted, size * chunks, largestArena) };
}
