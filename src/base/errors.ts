/**
 * The one error class of the library, and the trail that an error collects on its way up
 * through layer → operator → operation.
 */

/** Machine-readable cause of an {@link AegisError}. */
export type ErrorCode =
  | "argument" // a caller passed a value outside its documented domain
  | "parameters" // encryption parameters that cannot work or do not belong together
  | "security" // parameters or a key above the 128-bit limit
  | "level" // a level is exhausted or differs
  | "scale" // scales differ or overflow
  | "key" // an evaluation key that is needed is missing or of other parameters
  | "memory" // a backend memory limit is reached
  | "format" // bytes or files that are not what they claim to be
  | "model" // a checkpoint that is missing, inconsistent or not supported
  | "tokenizer" // a tokenizer that is missing or does not belong to the model
  | "input" // a text that cannot be processed
  | "program" // a program that fails its verifier
  | "plan" // a plan that cannot be made, or that does not belong to the program
  | "device" // a device that died, stalled or ran out of memory
  | "aborted" // an AbortSignal fired
  | "io" // a file cannot be read or written
  | "internal"; // a broken invariant: a bug

/** What an {@link AegisError} carries besides its message. */
export interface ErrorDetails {
  /** What to do about it, as one sentence. */
  readonly hint?: string;
  /** The operation that failed, such as `multiply` or `load model.safetensors`. */
  readonly operation?: string;
  /** Level of the ciphertext concerned. */
  readonly level?: number;
  /** log2 of the scale of the ciphertext concerned. */
  readonly logScale?: number;
  /** The device concerned, such as `wasm 1`. */
  readonly device?: string;
  readonly cause?: unknown;
}

/**
 * Every failure that a user can meet. `message` says what and where in one line, `hint` what
 * to do, `path` where in the program it happened (outermost first).
 */
export class AegisError extends Error {
  override readonly name = "AegisError";
  readonly code: ErrorCode;
  /** Whoever passes the error on may add to it. */
  hint: string | undefined;
  readonly operation: string | undefined;
  readonly level: number | undefined;
  readonly logScale: number | undefined;
  readonly device: string | undefined;
  readonly path: string[] = [];

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.operation = details.operation;
    this.level = details.level;
    this.logScale = details.logScale;
    this.device = details.device;
  }

  /** Message, place and hint as a person reads them. */
  describe(): string {
    const named = this.device === undefined || this.message.includes(this.device);
    const steps = [...(named ? [] : [this.device]), ...this.path];
    const place = steps.length > 0 ? `${steps.join(" → ")}: ` : "";
    return `${place}${this.message}${this.hint === undefined ? "" : `\n  ${this.hint}`}`;
  }
}

/** Runs `body`; an {@link AegisError} that escapes it gets `step` in front of its path. */
export function withPath<T>(step: string, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (error instanceof AegisError) error.path.unshift(step);
    throw error;
  }
}

/** Throws an `aborted` error when `signal` has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw new AegisError("aborted", "the run was cancelled", { cause: signal.reason });
  }
}
