/**
 * Watches the heartbeats of a fabric's ranks from another thread. Reports a rank that computes
 * without beating, and ranks that all wait for messages while none moves. Time is counted in ticks
 * of a timer, so that a machine that slept, or a main thread that was busy, counts for one tick.
 */
import type { Control } from "../fabric/control.ts";

export interface WatcherOptions {
  /** Seconds without a beat, or without a message while all wait, before it is reported. */
  readonly stallSeconds: number;
  /** Whether the rank has been given something to do; one that has not cannot end another's wait. */
  readonly busy: (rank: number) => boolean;
  /** Called once per tick and stalled rank. */
  readonly onStall: (rank: number) => void;
  /** Called with the ranks that wait for one another. */
  readonly onLock: (waiting: readonly number[]) => void;
}

const tickMilliseconds = 250;
/** Looks at a heart before it counts as stalled. */
const leastTicks = 4;

/** Starts watching; returns a function that ends it. Does not keep the process alive. */
export function watch(control: Control, options: WatcherOptions): () => void {
  const { stallSeconds, busy } = options;
  const milliseconds = Math.min(tickMilliseconds, (stallSeconds * 1000) / leastTicks);
  const limit = Math.ceil((stallSeconds * 1000) / milliseconds);
  const ranks = Array.from({ length: control.size }, (_, rank) => rank);
  const beats = ranks.map((rank) => control.beats(rank));
  const silent = ranks.map(() => 0);
  let moves = control.moves();
  let still = 0;

  const look = (): void => {
    for (const rank of ranks) {
      const beat = control.beats(rank);
      const alive = beat !== beats[rank] || control.status(rank) !== "running";
      beats[rank] = beat;
      silent[rank] = alive ? 0 : silent[rank] + 1;
      if (silent[rank] >= limit) options.onStall(rank);
    }
    const waiting = ranks.filter((rank) => control.status(rank) === "waiting");
    const stuck = waiting.length > 0 && ranks.every((rank) => waiting.includes(rank) || !busy(rank));
    const moved = control.moves();
    still = stuck && moved === moves ? still + 1 : 0;
    moves = moved;
    if (still >= limit) options.onLock(waiting);
  };
  const timer = setInterval(look, milliseconds);
  timer.unref();
  return () => clearInterval(timer);
}
