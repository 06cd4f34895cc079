/**
 * What the machine gives two threads: the pace of the same kernels in two workers at once over that of one
 * alone. No plan can be faster than this; below 2 the cores share caches, memory, power or a neighbour.
 */
import { moduleUrl } from "../src/runtime/threads/module-url.ts";
import { ThreadPool } from "../src/runtime/threads/pool.ts";

/** Seconds of each measurement. */
const seconds = 1;

/** Rounds a second of one thread alone and of two at once, in turns. */
export interface Pace {
  readonly one: number;
  readonly two: number;
}

/** @param logN ring whose kernels run */
export async function measurePace(logN: number): Promise<Pace> {
  const pool = new ThreadPool({ size: 2, module: moduleUrl(import.meta.url, "./ceiling-worker"), data: () => logN });
  try {
    await pool.callAll("pace", () => seconds / 4); // compiles
    const one = await pool.call<number>(0, "pace", seconds);
    const two = await pool.callAll<number>("pace", () => seconds);
    const again = await pool.call<number>(0, "pace", seconds);
    return { one: (one + again) / 2, two: two.reduce((sum, pace) => sum + pace, 0) };
  } finally {
    await pool.terminate();
  }
}
