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
  /** The sharing out in which its rate is still to be found. */
  openIn: number;
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
  /** Counts how often rates were shared out. */
  #round = 0;
  /** By link, in the latest sharing out: that it was reached, what is left of it, transfers over it without a rate. */
  readonly #reachedIn: Uint32Array;
  readonly #left: Float64Array;
  readonly #passing: Int32Array;

  constructor({ links }: Pick<Topology, "links">) {
    this.#capacities = links.map(({ bytesPerSecond }) => bytesPerSecond);
    this.#over = links.map(() => new Set());
    this.#reachedIn = new Uint32Array(links.length);
    this.#left = new Float64Array(links.length);
    this.#passing = new Int32Array(links.length);
  }

  /** Begins a transfer now; `time` may not go back. */
  begin(time: number, id: number, links: readonly number[], bytes: number): void {
    this.#now = Math.max(this.#now, time);
    const flow = { id, links, left: bytes, since: this.#now, rate: 0, changes: 0, openIn: 0 };
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
    const round = ++this.#round;
    const reached: number[] = [];
    const reach = (link: number): void => {
      if (this.#reachedIn[link] === round) return;
      this.#reachedIn[link] = round;
      reached.push(link);
    };
    for (const link of this.#stale) reach(link);
    this.#stale.clear();
    let open = 0;
    // Links are added while they are gone through.
    for (let i = 0; i < reached.length; i++) {
      for (const flow of this.#over[reached[i] as number] as Set<Flow>) {
        if (flow.openIn === round) continue;
        flow.openIn = round;
        open++;
        for (const other of flow.links) reach(other);
      }
    }
    this.#fill(reached, open);
  }

  /** Fills links evenly until one is full, fixes what passes it, and goes on with the rest. */
  #fill(links: number[], open: number): void {
    const [free, passing] = [this.#left, this.#passing];
    for (const link of links) {
      free[link] = this.#capacities[link] as number;
      passing[link] = (this.#over[link] as Set<Flow>).size;
    }
    let left = links.filter((link) => passing[link] !== 0);
    for (let still = open; still > 0; ) {
      let tightest = Number.POSITIVE_INFINITY;
      for (const link of left) tightest = Math.min(tightest, (free[link] as number) / (passing[link] as number));
      const limit = tightest * (1 + 1e-12);
      const full = left.filter((link) => (free[link] as number) / (passing[link] as number) <= limit);
      for (const link of full) {
        for (const flow of this.#over[link] as Set<Flow>) {
          if (flow.openIn !== this.#round) continue;
          flow.openIn = 0;
          still--;
          this.#set(flow, tightest);
          for (const other of flow.links) {
            free[other] = Math.max(0, (free[other] as number) - tightest);
            passing[other] = (passing[other] as number) - 1;
          }
        }
      }
      left = left.filter((link) => (passing[link] as number) > 0);
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
