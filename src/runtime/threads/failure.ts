/** Words for what can happen to a worker thread, as errors that name the device. */
import { AegisError } from "../../base/errors.ts";

/** What a worker was doing when it failed. */
export interface Place {
  /** The device, such as `wasm 1`. */
  readonly device: string;
  /** The operation that it was running, if it said so. */
  readonly operation: string | undefined;
}

/** @param what such as `exited with code 3` */
export function deviceError(place: Place, what: string, details: { cause?: unknown; hint?: string } = {}): AegisError {
  const { device, operation } = place;
  const message = `${device} ${what}${operation === undefined ? "" : ` in ${operation}`}`;
  return new AegisError("device", message, { device, ...(operation === undefined ? {} : { operation }), ...details });
}

/** For an error that ended the worker outside of a call, or anything but an AegisError within one. */
export function crash(place: Place, error: Error): AegisError {
  if ((error as NodeJS.ErrnoException).code === "ERR_WORKER_OUT_OF_MEMORY") {
    const hint = "run on fewer devices, or give each more memory";
    return deviceError(place, "ran out of memory", { cause: error, hint });
  }
  const { device, operation } = place;
  const where = operation === undefined ? "failed" : `failed in ${operation}`;
  return new AegisError("device", `${device} ${where}: ${error.message}`, {
    device,
    cause: error,
    ...(operation === undefined ? {} : { operation }),
  });
}

/** For a rank that computes without a heartbeat. */
export function stall(place: Place, seconds: number): AegisError {
  const hint = "the machine may be out of memory or overloaded; run on fewer devices";
  return deviceError(place, `has not responded for ${seconds} s`, { hint });
}

/** For ranks that wait for one another. */
export function lock(place: Place, seconds: number, waits: readonly string[]): AegisError {
  const hint = "this is a bug in the library or in the plan";
  return deviceError(place, `is locked: for ${seconds} s no message has moved, and ${waits.join("; ")}`, { hint });
}
