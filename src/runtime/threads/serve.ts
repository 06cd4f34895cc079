/**
 * The worker's side of a {@link ThreadPool}. A worker module calls {@link serve} once, with its
 * handlers by name:
 *
 *     serve({ run: (plan: Plan, device) => execute(plan, device.endpoint) });
 */
import { parentPort, type TransferListItem, workerData } from "node:worker_threads";
import { invariant } from "../../base/validate.ts";
import { Control } from "../fabric/control.ts";
import type { Endpoint } from "../fabric/endpoint.ts";
import { openEndpoint } from "../fabric/threads.ts";
import { packError } from "./packed-error.ts";
import type { Reply, Request, WorkerStart } from "./protocol.ts";

/** What a handler knows of the worker it runs in. */
export interface Device {
  readonly endpoint: Endpoint;
  /** What the pool's maker passes to this worker. */
  readonly data: unknown;
  /** Sends the pool's listeners a message; it arrives also while the handler goes on computing. */
  post(message: unknown, transfer?: readonly TransferListItem[]): void;
}

/**
 * Handlers by name. Each gets the payload of the call; its result, or that of its promise, must be
 * something that can be posted. What it throws ends the whole pool. It beats the heart of the
 * endpoint while it runs, also while it awaits something.
 */
export type Handlers = Readonly<Record<string, (payload: never, device: Device) => unknown>>;

/** Answers the pool's calls from now on. */
export function serve(handlers: Handlers): void {
  invariant(parentPort !== null, "serve is for worker threads");
  const port = parentPort;
  const { fabric, data } = workerData as WorkerStart;
  const control = new Control(fabric.size, fabric.control);
  const post = (message: unknown, transfer: readonly TransferListItem[] = []): void =>
    port.postMessage({ kind: "message", message } satisfies Reply, transfer);
  const device: Device = { endpoint: openEndpoint(fabric), data, post };
  let running = 0;
  port.on("message", async ({ id, name, payload }: Request) => {
    control.setOperation(fabric.rank, undefined);
    control.setStatus(fabric.rank, "running");
    running++;
    try {
      const handler = Object.hasOwn(handlers, name) ? handlers[name] : undefined;
      invariant(handler !== undefined, `the worker has no handler ${name}`);
      const value = await handler(payload as never, device);
      port.postMessage({ kind: "result", id, value } satisfies Reply);
    } catch (error) {
      port.postMessage({ kind: "failure", id, error: packError(error) } satisfies Reply);
    } finally {
      if (--running === 0) control.setStatus(fabric.rank, "idle");
    }
  });
}
