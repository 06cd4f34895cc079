/**
 * Errors on their way from one thread to another: a structured clone keeps the message of an
 * error but not its class, nor the properties of an {@link AegisError}.
 */
import { AegisError, type ErrorCode } from "../../base/errors.ts";

export interface PackedError {
  /** Undefined for anything but an {@link AegisError}. */
  readonly code: ErrorCode | undefined;
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly hint: string | undefined;
  readonly operation: string | undefined;
  readonly level: number | undefined;
  readonly logScale: number | undefined;
  readonly device: string | undefined;
  readonly path: readonly string[];
  readonly cause: PackedError | undefined;
}

/** Causes of causes that are kept: enough to read, and an end for errors that go round. */
const deepestCause = 4;

/** @param thrown anything, as anything can be thrown */
export function packError(thrown: unknown, depth = 0): PackedError {
  const aegis = thrown instanceof AegisError ? thrown : undefined;
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  return {
    code: aegis?.code,
    name: error.name,
    message: error.message,
    stack: error.stack,
    hint: aegis?.hint,
    operation: aegis?.operation,
    level: aegis?.level,
    logScale: aegis?.logScale,
    device: aegis?.device,
    path: aegis === undefined ? [] : [...aegis.path],
    cause: error.cause === undefined || depth === deepestCause ? undefined : packError(error.cause, depth + 1),
  };
}

/** An error like the packed one; an {@link AegisError} that names no device gets `device`. */
export function unpackError(packed: PackedError, device: string): Error {
  const { code, message, hint, operation, level, logScale, stack } = packed;
  const cause = packed.cause === undefined ? undefined : unpackError(packed.cause, device);
  let error: Error;
  if (code === undefined) {
    error = new Error(message, cause === undefined ? undefined : { cause });
    error.name = packed.name;
  } else {
    const details = { hint, operation, level, logScale, device: packed.device ?? device, cause };
    const known = Object.fromEntries(Object.entries(details).filter(([, value]) => value !== undefined));
    const aegis = new AegisError(code, message, known);
    aegis.path.push(...packed.path);
    error = aegis;
  }
  if (stack !== undefined) error.stack = stack;
  return error;
}
