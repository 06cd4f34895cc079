/** What passes between the pool and its workers. */
import type { FabricState } from "../fabric/threads.ts";
import type { PackedError } from "./packed-error.ts";

/** `workerData` of a worker. */
export interface WorkerStart {
  readonly fabric: FabricState;
  /** What the pool's maker passes on. */
  readonly data: unknown;
}

export interface Request {
  readonly id: number;
  readonly name: string;
  readonly payload: unknown;
}

export type Reply =
  | { readonly kind: "result"; readonly id: number; readonly value: unknown }
  | { readonly kind: "failure"; readonly id: number; readonly error: PackedError }
  /** Sent by a handler that is still running. */
  | { readonly kind: "message"; readonly message: unknown };
