/**
 * Transfers under way at the same time, each over links that they share: rates are max–min fair (progressive
 * filling; Bertsekas and Gallager, Data Networks, §6.5.2), and change when a transfer begins or ends. What shares no
 * link with a change, over however many others, keeps its rate.
 */
import { Heap } from "./heap.ts";
import type { Topology } from "./topology.ts";

interface Flow {
  readonly id: number;
  readonly links: readonly number[];
  /** Bytes that were still to be sent at `since`. */
  left: number;
  since: number;
  rate: number;
  /** Counts changes of the rate: what was foreseen before one does not happen. */
  changes: number;
}

/** A transfer's end, if its rate does not change before. */
interface Ending {
  readonly time: number;
  readonly flow: Flow;
  readonly changes: number;
}

/** Bytes below which a transfer is done: rounding. */
const nothing = 1e-3;

export class Flows {
  readonly #capacities: readonly number[];
  /** Transfers over each link. */
  readonly #over: readonly Set<Flow>[];
  readonly #endings = new Heap<Ending>();
  /** Links whose transfers have changed since rates were shared out. */
  readonly #stale = new Set<number>();
  /** Transfers over no link at all. */
  readonly #free: Flow[] = [];
  #now = 0;

  constructor({ links }: Pick<Topology, "links">) {
    this.#capacities = links.map(({ bytesPerSecond }) => bytesPerSecond);
    this.#over = links.map(() => new Set());
  }

  /** Begins a transfer now; `time` may not go back. */
  begin(time: number, id: number, links: readonly number[], bytes: number): void {
    this.#now = Math.max(this.#now, time);
    const flow = { id, links, left: bytes, since: this.#now, rate: 0, changes: 0 };
    if (links.length === 0) this.#free.push(flow);
    const alone = links.every((link) => this.#over[link]?.size === 0);
    for (const link of links) {
      this.#over[link]?.add(flow);
      if (!alone) this.#stale.add(link);
    }
    if (alone && links.length > 0) this.#set(flow, Math.min(...links.map((link) => this.#capacities[link] as number)));
  }

  /** When the next transfer will end if none begins before; undefined if there is none. */
  get next(): number | undefined {
    if (this.#free.length > 0) return this.#now;
    this.#share();
    return this.#soonest()?.time;
  }

  /** Transfers that have ended by then. */
  end(time: number): number[] {
    this.#share();
    this.#now = Math.max(this.#now, time);
    const ended = this.#free.splice(0).map(({ id }) => id);
    for (let ending = this.#soonest(); ending !== undefined; ending = this.#soonest()) {
      const { flow } = ending;
      // What is left when time cannot be told apart any more is rounding too.
      const left = ending.time - this.#now;
      if (left * flow.rate > nothing && this.#now + left !== this.#now) break;
      this.#endings.take();
      flow.changes++;
      ended.push(flow.id);
      for (const link of flow.links) {
        const over = this.#over[link] as Set<Flow>;
        over.delete(flow);
        if (over.size > 0) this.#stale.add(link);
      }
    }
    return ended;
  }

  /** The next ending that still holds. */
  #soonest(): Ending | undefined {
    for (;;) {
      const ending = this.#endings.least;
      if (ending === undefined || ending.changes === ending.flow.changes) return ending;
      this.#endings.take();
    }
  }

  /** New rates for all that shares a link with what has changed, directly or over others. */
  #share(): void {
    if (this.#stale.size === 0) return;
    const links = [...this.#stale];
    this.#stale.clear();
    const reached = new Set(links);
    const open = new Set<Flow>();
    for (let link = links.pop(); link !== undefined; link = links.pop()) {
      for (const flow of this.#over[link] as Set<Flow>) {
        if (open.has(flow)) continue;
        open.add(flow);
        for (const other of flow.links) {
          if (reached.has(other)) continue;
          reached.add(other);
          links.push(other);
        }
      }
    }
    this.#fill(open, reached);
  }

  /** Fills links evenly until one is full, fixes what passes it, and goes on with the rest. */
  #fill(open: Set<Flow>, links: ReadonlySet<number>): void {
    const passing = new Map<number, number>();
    const free = new Map<number, number>();
    for (const link of links) {
      const count = (this.#over[link] as Set<Flow>).size;
      if (count > 0) passing.set(link, count);
      free.set(link, this.#capacities[link] as number);
    }
    while (open.size > 0) {
      let tightest = Number.POSITIVE_INFINITY;
      for (const [link, count] of passing) tightest = Math.min(tightest, (free.get(link) as number) / count);
      const full = [...passing]
        .filter(([link, count]) => (free.get(link) as number) / count <= tightest * (1 + 1e-12))
        .map(([link]) => link);
      for (const link of full) {
        for (const flow of this.#over[link] as Set<Flow>) {
          if (!open.delete(flow)) continue;
          this.#set(flow, tightest);
          for (const other of flow.links) {
            free.set(other, Math.max(0, (free.get(other) as number) - tightest));
            passing.set(other, (passing.get(other) as number) - 1);
          }
        }
        passing.delete(link);
      }
      for (const [link, count] of passing) if (count === 0) passing.delete(link);
    }
  }

  #set(flow: Flow, rate: number): void {
    const now = this.#now;
    if (flow.changes > 0 && rate === flow.rate) return;
    flow.left = Math.max(0, flow.left - (now - flow.since) * flow.rate);
    flow.since = now;
    flow.rate = rate;
    flow.changes++;
    const time = flow.left <= nothing ? now : now + flow.left / rate;
    this.#endings.add({ time, flow, changes: flow.changes });
  }
}
