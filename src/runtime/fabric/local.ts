/**
 * A fabric inside one thread: devices that are stepped in turn and never wait, since what a step reads
 * was sent by a step before it. One device alone, and the devices of a dry run, use it.
 */
import { AegisError } from "../../base/errors.ts";
import type { Communicator } from "../../kernels/sharded/communicator.ts";
import { CountingCommunicator } from "../../kernels/sharded/counting.ts";
import type { Endpoint, Message } from "./endpoint.ts";
import { Ledger } from "./ledger.ts";

export interface LocalFabricOptions {
  /** Words of a payload that are really moved; the rest is only counted. Default: all. */
  readonly wordsMoved?: number;
  /** The devices are null devices: collectives inside operations move nothing and are counted. */
  readonly counts?: boolean;
  /** Called with every heartbeat. */
  readonly onBeat?: () => void;
}

/** Endpoints of `size` devices. */
export function createLocalFabric(size: number, options: LocalFabricOptions = {}): LocalEndpoint[] {
  const boxes = Array.from({ length: size }, () => new Map<string, Uint32Array[]>());
  return boxes.map((_, rank) => new LocalEndpoint(rank, boxes, options));
}

export class LocalEndpoint implements Endpoint {
  readonly rank: number;
  readonly size: number;
  readonly ledger = new Ledger();
  readonly waitedSeconds = 0;
  aborted = false;
  readonly #boxes: readonly Map<string, Uint32Array[]>[];
  readonly #options: LocalFabricOptions;
  readonly #communicator: Communicator | undefined;

  constructor(rank: number, boxes: readonly Map<string, Uint32Array[]>[], options: LocalFabricOptions) {
    this.rank = rank;
    this.size = boxes.length;
    this.#boxes = boxes;
    this.#options = options;
    if (options.counts === true)
      this.#communicator = new CountingCommunicator(rank, boxes.length, (name, bytes) =>
        this.ledger.count(name, bytes),
      );
  }

  get communicator(): Communicator {
    if (this.#communicator !== undefined) return this.#communicator;
    throw new AegisError("plan", "devices that are stepped in turn cannot work on cut ciphertexts together");
  }

  send({ to, tag, words, collective, fill, sent }: Message): void {
    if (to.length > 0) {
      const payload = new Uint32Array(Math.min(words, this.#options.wordsMoved ?? words));
      fill(payload);
      this.ledger.count(collective, 4 * words * to.length);
      for (const rank of to) {
        const box = this.#boxes[rank] as Map<string, Uint32Array[]>;
        const key = `${this.rank} ${tag}`;
        const queue = box.get(key);
        if (queue === undefined) box.set(key, [payload]);
        else queue.push(payload);
      }
    }
    sent?.();
  }

  receive(from: number, tag: number, take: (words: Uint32Array) => void): boolean {
    const box = this.#boxes[this.rank] as Map<string, Uint32Array[]>;
    const key = `${from} ${tag}`;
    const queue = box.get(key);
    const payload = queue?.shift();
    if (payload === undefined) return false;
    if (queue?.length === 0) box.delete(key);
    take(payload);
    return true;
  }

  progress(): boolean {
    return false;
  }

  /** Throws `internal` where there would be something to wait for: the steps are out of order. */
  wait(ready: () => boolean, what: string): number {
    if (!ready()) throw new AegisError("internal", `device ${this.rank} waits for ${what}, which was not sent`);
    return 0;
  }

  flush(): number {
    return 0;
  }

  beat(): void {
    this.#options.onBeat?.();
  }
}
