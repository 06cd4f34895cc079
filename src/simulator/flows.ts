/**
 * Transfers under way at the same time, each over links that they share: rates are max–min fair (progressive
 * filling; Bertsekas and Gallager, Data Networks, §6.5.2), and change when a transfer begins or ends.
 */
import type { Topology } from "./topology.ts";

interface Flow {
  readonly id: number;
  readonly links: readonly number[];
  /** Bytes that are still to be sent. */
  left: number;
  rate: number;
}

/** Bytes below which a transfer is done: rounding. */
const nothing = 1e-3;

export class Flows {
  readonly #capacities: readonly number[];
  readonly #flows = new Map<number, Flow>();
  #now = 0;
  /** Whether transfers have come or gone since rates were shared out. */
  #stale = false;

  constructor({ links }: Pick<Topology, "links">) {
    this.#capacities = links.map(({ bytesPerSecond }) => bytesPerSecond);
  }

  /** Begins a transfer now; `time` may not go back. */
  begin(time: number, id: number, links: readonly number[], bytes: number): void {
    this.#advance(time);
    this.#flows.set(id, { id, links, left: bytes, rate: 0 });
    this.#stale = true;
  }

  /** When the next transfer will end if none begins before; undefined if there is none. */
  get next(): number | undefined {
    this.#share();
    let soonest: number | undefined;
    for (const { left, rate } of this.#flows.values()) {
      const end = left <= nothing ? this.#now : this.#now + left / rate;
      if (soonest === undefined || end < soonest) soonest = end;
    }
    return soonest;
  }

  /** Transfers that have ended by then. */
  end(time: number): number[] {
    this.#advance(time);
    const ended: number[] = [];
    // What is left when time cannot be told apart any more is rounding too.
    for (const { id, left, rate } of this.#flows.values())
      if (left <= nothing || this.#now + left / rate === this.#now) ended.push(id);
    for (const id of ended) this.#flows.delete(id);
    if (ended.length > 0) this.#stale = true;
    return ended;
  }

  #advance(time: number): void {
    const passed = time - this.#now;
    if (passed > 0) this.#share();
    if (passed > 0) for (const flow of this.#flows.values()) flow.left = Math.max(0, flow.left - passed * flow.rate);
    this.#now = Math.max(this.#now, time);
  }

  /** Fills links evenly until one is full, fixes what passes it, and goes on with the rest. */
  #share(): void {
    if (!this.#stale) return;
    this.#stale = false;
    const open = new Set(this.#flows.values());
    const free = this.#capacities.slice();
    while (open.size > 0) {
      const passing = new Map<number, number>();
      for (const { links } of open) for (const link of links) passing.set(link, (passing.get(link) ?? 0) + 1);
      let tightest = Number.POSITIVE_INFINITY;
      for (const [link, count] of passing) tightest = Math.min(tightest, (free[link] as number) / count);
      const full = new Set(
        [...passing]
          .filter(([link, count]) => (free[link] as number) / count <= tightest * (1 + 1e-12))
          .map(([l]) => l),
      );
      for (const flow of [...open]) {
        if (!flow.links.some((link) => full.has(link))) continue;
        flow.rate = tightest;
        for (const link of flow.links) free[link] = Math.max(0, (free[link] as number) - tightest);
        open.delete(flow);
      }
      if (full.size > 0) continue;
      // Over no link at all: at once.
      for (const flow of open) flow.rate = Number.POSITIVE_INFINITY;
      open.clear();
    }
  }
}
