/**
 * What the calling thread and the thread of the adapter say to each other: words of shared memory.
 *
 * The kernels' interface is synchronous and WebGPU is not. So the adapter lives in a worker, the
 * calling thread writes commands into a ring of u32 words and goes on, and waits (`Atomics.wait`)
 * only for answers and for room in the ring. A command is an operation, its length in words
 * (both included) and operands; it never wraps round the end of the ring.
 */
import type { ErrorCode } from "../../base/errors.ts";
import type { Kernel } from "./shaders/kernels.ts";

/** Operations. */
export const operations = {
  /** Fills the ring up to its end. */
  pad: 0,
  /** kernel, workgroups x, y, z, parameter words. */
  dispatch: 1,
  /** target ({@link targets}), first word there, data words. */
  upload: 2,
  /** first word, count: answers with the words in the answer area. */
  read: 3,
  /** count: answers 1 when the arena has so many chunks, 0 when memory is refused. */
  grow: 4,
  /** Answers when everything before it is done on the adapter. */
  finish: 5,
  /** As `finish`; then the device is gone. */
  close: 6,
  /** For tests: ends the device or the thread, see {@link faults}. */
  fault: 7,
} as const;

/** What an upload goes to. */
export const targets = { arena: 0, stage: 1 } as const;

/** Ways to break, for tests. */
export const faults = { loseDevice: 0, endThread: 1, invalidCommand: 2 } as const;

/** Words of the control area, as int32. */
export const control = {
  /** Words written into the ring, and taken from it, modulo 2^32. */
  head: 0,
  tail: 1,
  /** Answers so far. */
  answers: 2,
  /** The value of the last answer. */
  answer: 3,
  /** Counts while the worker lives. */
  heartbeat: 4,
  /** 0 while all is well, 1 when the error area says what happened, 2 when closed. */
  state: 5,
  /** 1 while the calling thread waits: what is collected goes to the adapter at once. */
  waiting: 6,
  /** 1 when the worker has nothing open any more and may be terminated. */
  ended: 7,
  words: 16,
} as const;

export const running = 0;
export const failed = 1;
export const closed = 2;

/** Bytes of each area of the shared memory. */
const controlBytes = 4 * control.words;
const statisticsBytes = 64;
const errorBytes = 4096;
/** A ring of a million words holds four of the largest uploads: 2^17 doubles. */
export const ringWords = 2 ** 20;
/** A limb of the largest ring. */
export const answerWords = 2 ** 17;
/** Most parameter words of one dispatch: the uniform window that shaders see. */
export const parameterWords = 4096;
/** Words that conversions from numbers are staged in: 2^17 doubles. */
export const stageWords = 2 ** 18;

/** What the backend has done so far. */
export interface WebgpuStatistics {
  /** Kernels run. */
  readonly dispatches: number;
  /** Command buffers given to the adapter, read-backs left out. */
  readonly submits: number;
  /** Bytes of operands and parameters brought to the adapter. */
  readonly uploadedBytes: number;
  /** Bytes read back. */
  readonly downloadedBytes: number;
  readonly readBacks: number;
}
export const statisticsFields = ["dispatches", "submits", "uploadedBytes", "downloadedBytes", "readBacks"] as const;

/** An error as it crosses the shared memory. */
export interface SharedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint?: string;
}

/** Views of the memory that both threads share. */
export class SharedArea {
  readonly buffer: SharedArrayBuffer;
  readonly control: Int32Array;
  readonly statistics: Float64Array;
  readonly ring: Uint32Array;
  readonly answer: Uint32Array;
  readonly #error: Uint8Array;

  constructor(
    buffer = new SharedArrayBuffer(controlBytes + statisticsBytes + errorBytes + 4 * (ringWords + answerWords)),
  ) {
    this.buffer = buffer;
    this.control = new Int32Array(buffer, 0, control.words);
    this.statistics = new Float64Array(buffer, controlBytes, statisticsFields.length);
    let at = controlBytes + statisticsBytes;
    this.#error = new Uint8Array(buffer, at, errorBytes);
    at += errorBytes;
    this.ring = new Uint32Array(buffer, at, ringWords);
    this.answer = new Uint32Array(buffer, at + 4 * ringWords, answerWords);
  }

  /** Records the first error and wakes whoever waits. */
  fail(error: SharedError): void {
    if (Atomics.load(this.control, control.state) === running) {
      const short = {
        ...error,
        message: error.message.slice(0, 900),
        ...(error.hint && { hint: error.hint.slice(0, 300) }),
      };
      const bytes = new TextEncoder().encode(JSON.stringify(short)).subarray(0, errorBytes - 1);
      this.#error.fill(0);
      this.#error.set(bytes);
      Atomics.store(this.control, control.state, failed);
    }
    Atomics.notify(this.control, control.answers);
    Atomics.notify(this.control, control.tail);
  }

  /** The worker is done: after a close or a failure, not when its thread just ends. */
  end(): void {
    if (Atomics.load(this.control, control.state) === running) return;
    Atomics.store(this.control, control.ended, 1);
    Atomics.notify(this.control, control.ended);
  }

  /** Waits until the worker is done, but not for ever. */
  ended(milliseconds: number): boolean {
    Atomics.wait(this.control, control.ended, 0, milliseconds);
    return Atomics.load(this.control, control.ended) === 1;
  }

  /** The recorded error. */
  error(): SharedError {
    // Decoders refuse shared memory.
    const bytes = Uint8Array.from(this.#error);
    return JSON.parse(new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)))) as SharedError;
  }
}

/** Which adapter, and how its memory is cut. */
export interface AdapterRequest {
  /** Part of the adapter's name, as {@link listAdapters} gives it. */
  readonly adapter?: string;
  /** Options of the Node binding's `create`, such as `backend=opengles`. */
  readonly nodeOptions?: readonly string[];
  readonly featureLevel?: "core" | "compatibility";
  readonly powerPreference?: "low-power" | "high-performance";
  /** Whether kernels are cut for software that runs on the CPU; the adapter knows by default. */
  readonly software?: boolean;
}

/** Limits of an adapter that the backend depends on. */
export interface AdapterLimits {
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxBufferSize: number;
  readonly maxUniformBufferBindingSize: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupsPerDimension: number;
  readonly minUniformBufferOffsetAlignment: number;
}

/** An adapter as the worker describes it. */
export interface AdapterDescription {
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  /** Whether the adapter is software that runs on the CPU, where this is known. */
  readonly fallback: boolean;
  readonly limits: AdapterLimits;
}

/** The first message to the worker. */
export type WorkerStart =
  | {
      readonly kind: "open";
      readonly shared: SharedArrayBuffer;
      readonly request: AdapterRequest;
      readonly chunkBytes: number | undefined;
      readonly maximumBytes: number;
    }
  | { readonly kind: "list"; readonly request: AdapterRequest };

/** The worker's answer to it. */
export type WorkerReady =
  | {
      readonly kind: "opened";
      readonly adapter: AdapterDescription;
      readonly chunkBytes: number;
      readonly maximumBytes: number;
    }
  | { readonly kind: "listed"; readonly adapters: readonly ListedAdapter[] }
  | { readonly kind: "failed"; readonly error: SharedError };

/** An adapter of this host. */
export interface ListedAdapter {
  readonly name: string;
  /** `vulkan`, `metal`, `d3d12`, `opengles`, or `browser` where the page is not told. */
  readonly backendType: string;
  /** Known for the adapter that is taken by default. */
  readonly description?: AdapterDescription;
}

export type { Kernel };
