/**
 * Worker threads that run one module, joined by a fabric: calls and their answers, and the failure
 * of any worker as the failure of all, for the others wait for its messages.
 */
import { type TransferListItem, Worker, type WorkerOptions } from "node:worker_threads";
import { AegisError, throwIfAborted } from "../../base/errors.ts";
import { finite, integerIn } from "../../base/validate.ts";
import { createThreadFabric, type FabricOptions, type ThreadFabric } from "../fabric/threads.ts";
import { crash, deviceError, lock, type Place, stall } from "./failure.ts";
import { unpackError } from "./packed-error.ts";
import type { Reply, Request, WorkerStart } from "./protocol.ts";
import { watch } from "./watcher.ts";

export interface ThreadPoolOptions {
  readonly size: number;
  /** The module that each worker runs, which calls `serve`; see `moduleUrl`. */
  readonly module: URL;
  /** What each worker finds in its `device.data`; must be something that can be posted. */
  readonly data?: (rank: number) => unknown;
  /** What a device is called in messages, with its rank: `wasm` makes `wasm 0`, `wasm 1`. Default `thread`. */
  readonly deviceName?: (rank: number) => string;
  /** Text for the operation numbers that devices give with their heartbeats. */
  readonly describeOperation?: (operation: number) => string;
  /** Seconds without a heartbeat after which a device that computes is taken for dead. Default 8. */
  readonly stallSeconds?: number;
  /**
   * Milliseconds that devices have to end by themselves when a run has failed, before their threads are stopped: an
   * adapter at work takes the process down with it when its thread is stopped. Default 0.
   */
  readonly lingerMilliseconds?: number;
  readonly fabric?: FabricOptions;
  /** Of each worker's JavaScript heap; see `node:worker_threads`. */
  readonly resourceLimits?: NonNullable<WorkerOptions["resourceLimits"]>;
  /** Ends the pool with an `aborted` error. */
  readonly signal?: AbortSignal;
}

interface Pending {
  readonly rank: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Time for devices to end by themselves when a run is cancelled. */
const graceMilliseconds = 1000;

export class ThreadPool {
  readonly size: number;
  readonly #options: ThreadPoolOptions;
  readonly #stallSeconds: number;
  readonly #fabric: ThreadFabric;
  readonly #workers: readonly Worker[];
  readonly #pending = new Map<number, Pending>();
  /** Told when a worker that was busy has ended its call after a failure. */
  readonly #ended = new Map<number, () => void>();
  readonly #listeners = new Set<(rank: number, message: unknown) => void>();
  readonly #endWatch: () => void;
  readonly #cancel = (): void => this.#abort();
  #calls = 0;
  /** Why the pool takes no more calls. */
  #failure: AegisError | undefined;
  #grace: NodeJS.Timeout | undefined;
  #termination: Promise<void> | undefined;

  /** @throws `aborted` when the signal has fired */
  constructor(options: ThreadPoolOptions) {
    throwIfAborted(options.signal);
    this.#options = options;
    this.#stallSeconds = finite("stallSeconds", options.stallSeconds ?? 8);
    if (this.#stallSeconds <= 0) throw new RangeError(`stallSeconds: expected more than 0, got ${this.#stallSeconds}`);
    this.#fabric = createThreadFabric(options.size, options.fabric);
    this.size = options.size;
    this.#workers = this.#fabric.states.map((_, rank) => this.#start(rank));
    this.#endWatch = watch(this.#fabric.control, {
      stallSeconds: this.#stallSeconds,
      busy: (rank) => [...this.#pending.values()].some((pending) => pending.rank === rank),
      onStall: (rank) => this.#fail(stall(this.#place(rank), this.#stallSeconds)),
      onLock: (ranks) => this.#fail(this.#locked(ranks)),
    });
    options.signal?.addEventListener("abort", this.#cancel, { once: true });
  }

  /**
   * Runs the handler `name` of one worker. Ranks that exchange messages are called together.
   *
   * @throws what the handler throws; `device` when any worker failed; `aborted` when the signal fired
   *   or the pool was terminated. After any of these the pool takes no more calls.
   */
  call<T>(rank: number, name: string, payload?: unknown, transfer: readonly TransferListItem[] = []): Promise<T> {
    integerIn("rank", rank, 0, this.size - 1);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#calls++;
    return new Promise((resolve, reject) => {
      this.#workers[rank].postMessage({ id, name, payload } satisfies Request, transfer);
      this.#pending.set(id, { rank, resolve: (value) => resolve(value as T), reject });
    });
  }

  /** Runs the handler `name` of every worker, each with its own payload; answers by rank. */
  callAll<T>(name: string, payload?: (rank: number) => unknown): Promise<T[]> {
    return Promise.all(this.#workers.map((_, rank) => this.call<T>(rank, name, payload?.(rank))));
  }

  /** Calls `listener` with what handlers post; returns a function that ends this. */
  onMessage(listener: (rank: number, message: unknown) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Ends all workers; resolves when they have ended. Calls that are still open fail with `aborted`. */
  terminate(): Promise<void> {
    this.#failure ??= new AegisError("aborted", "the devices were shut down");
    return this.#end();
  }

  #start(rank: number): Worker {
    const { module, data, deviceName, resourceLimits } = this.#options;
    const start: WorkerStart = { fabric: this.#fabric.states[rank], data: data?.(rank) };
    const worker = new Worker(module, {
      workerData: start,
      name: `${deviceName?.(rank) ?? "thread"} ${rank}`,
      ...(resourceLimits === undefined ? {} : { resourceLimits }),
    });
    worker.on("message", (reply: Reply) => this.#receive(rank, reply));
    worker.on("error", (error: Error) => this.#fail(crash(this.#place(rank), error)));
    worker.on("messageerror", (error: Error) => this.#fail(crash(this.#place(rank), error)));
    worker.on("exit", (code) => this.#fail(deviceError(this.#place(rank), `exited with code ${code}`)));
    worker.on("exit", () => this.#ended.get(rank)?.());
    return worker;
  }

  #receive(rank: number, reply: Reply): void {
    if (reply.kind === "message") {
      for (const listener of this.#listeners) listener(rank, reply.message);
      return;
    }
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) {
      this.#ended.get(rank)?.();
      return;
    }
    if (this.#failure !== undefined) {
      // Cancelled: the answer no longer counts, but the last one ends the time of grace.
      this.#pending.delete(reply.id);
      pending.reject(this.#failure);
      if (this.#pending.size === 0) this.#end();
    } else if (reply.kind === "result") {
      this.#pending.delete(reply.id);
      pending.resolve(reply.value);
    } else {
      const place = this.#place(rank);
      const error = unpackError(reply.error, place.device);
      this.#fail(error instanceof AegisError ? error : crash(place, error));
    }
  }

  /** Ends everything; the first cause stands, for later ones follow from it. */
  #fail(error: AegisError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#end();
  }

  #abort(): void {
    if (this.#failure !== undefined) return;
    this.#failure = new AegisError("aborted", "the run was cancelled", { cause: this.#options.signal?.reason });
    this.#fabric.control.abort();
    if (this.#pending.size === 0) this.#end();
    else this.#grace = setTimeout(() => this.#end(), graceMilliseconds);
  }

  #end(): Promise<void> {
    if (this.#termination !== undefined) return this.#termination;
    clearTimeout(this.#grace);
    this.#endWatch();
    this.#options.signal?.removeEventListener("abort", this.#cancel);
    this.#fabric.control.abort();
    const busy = new Set([...this.#pending.values()].map(({ rank }) => rank));
    const stopped = this.#workers.map(async (worker, rank) => {
      if (busy.has(rank)) await this.#lingering(rank);
      await worker.terminate();
    });
    this.#termination = Promise.all(stopped).then(() => undefined);
    const open = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of open) reject(this.#failure as AegisError);
    return this.#termination;
  }

  /** Until a worker has answered its last call or has ended, or for as long as it may take for that. */
  async #lingering(rank: number): Promise<void> {
    const { lingerMilliseconds = 0 } = this.#options;
    if (lingerMilliseconds === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, lingerMilliseconds);
      this.#ended.set(rank, () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  #place(rank: number): Place {
    const running = this.#fabric.control.operation(rank);
    const operation = running === undefined ? undefined : this.#options.describeOperation?.(running);
    return { device: `${this.#options.deviceName?.(rank) ?? "thread"} ${rank}`, operation };
  }

  #locked(ranks: readonly number[]): AegisError {
    const waits = ranks.map((rank) => `${this.#place(rank).device} waits for ${this.#fabric.control.awaited(rank)}`);
    return lock(this.#place(ranks[0]), this.#stallSeconds, waits);
  }
}
