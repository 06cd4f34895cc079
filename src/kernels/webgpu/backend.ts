/**
 * The WebGPU backend: kernels on an adapter, ciphertexts and keys in its memory, one device, one
 * thread of its own. In Node through the optional package `webgpu`, in browsers through `navigator.gpu`.
 *
 * A software adapter for machines without a GPU: SwiftShader, when `VK_ICD_FILENAMES` names its
 * `vk_swiftshader_icd.json` before the process first opens an adapter and the Vulkan loader is installed.
 */
import { AegisError } from "../../base/errors.ts";
import { integerIn, powerOfTwo } from "../../base/validate.ts";
import type { Backend, MemoryReport, RingKernels } from "../backend.ts";
import { Rings } from "../rings.ts";
import { inNode } from "./adapter.ts";
import { WebgpuCore } from "./core.ts";
import {
  type AdapterDescription,
  type AdapterRequest,
  closed,
  control,
  faults,
  type ListedAdapter,
  SharedArea,
  type WebgpuStatistics,
} from "./protocol.ts";
import { CommandQueue } from "./queue.ts";
import { WebgpuRing } from "./ring.ts";
import { type GpuThread, startThread } from "./thread.ts";

export interface WebgpuBackendOptions extends AdapterRequest {
  /** Limit of the adapter's memory in bytes; 4 GiB by default, and never more than the adapter's buffers hold. */
  readonly maximumBytes?: number;
  /** Bytes of each buffer that the memory is made of, a power of two; by default as large as needed. */
  readonly chunkBytes?: number;
  /** Milliseconds without a sign of life after which the adapter's thread counts as dead; a minute by default. */
  readonly timeoutMilliseconds?: number;
}

/** A backend on an adapter. */
export interface WebgpuBackend extends Backend {
  readonly adapter: AdapterDescription;
  /** What was done so far; waits until the adapter has done it. */
  statistics(): WebgpuStatistics;
  /** @internal Breaks the device or its thread, for tests. */
  fault(how: keyof typeof faults): void;
}

/** Backends that were not disposed of: an adapter at work when its process ends takes the process down with it. */
const open = new Set<Backend>();
let watching = false;

class AdapterBackend implements WebgpuBackend {
  readonly name = "webgpu";
  readonly adapter: AdapterDescription;
  readonly #core: WebgpuCore;
  readonly #thread: GpuThread;
  readonly #rings = new Rings((logN, moduli) => new WebgpuRing(this, this.#core, logN, moduli));

  constructor(adapter: AdapterDescription, core: WebgpuCore, thread: GpuThread) {
    this.adapter = adapter;
    this.#core = core;
    this.#thread = thread;
    open.add(this);
    if (inNode && !watching) {
      watching = true;
      process.once("exit", () => {
        for (const backend of open) backend.dispose();
      });
    }
  }

  memory(): MemoryReport {
    return this.#core.allocator.report();
  }

  statistics(): WebgpuStatistics {
    return this.#core.statistics();
  }

  finish(): void {
    this.#core.finish();
  }

  onPressure(release: () => boolean): () => void {
    return this.#core.allocator.onPressure(release);
  }

  onAllocate(watch: () => void): () => void {
    return this.#core.allocator.onAllocate(watch);
  }

  ring(logN: number, moduli: readonly number[]): RingKernels {
    return this.#rings.get(logN, moduli);
  }

  fault(how: keyof typeof faults): void {
    this.#core.fault(faults[how]);
  }

  dispose(): void {
    if (!open.delete(this)) return;
    this.#rings.clear();
    if (this.#core.dispose()) this.#thread.terminate();
  }
}

/** Waiting needs memory that threads share, and a thread that may wait. */
function checkHost(): void {
  if (typeof SharedArrayBuffer === "undefined") {
    throw new AegisError("device", "the webgpu backend needs SharedArrayBuffer", {
      hint: "serve the page with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp",
    });
  }
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
  } catch (cause) {
    throw new AegisError("device", "the webgpu backend cannot wait on the page's main thread", {
      hint: "make it in a worker",
      cause,
    });
  }
}

/**
 * Opens an adapter and makes a backend on it. One device to an adapter; two backends on one adapter have a device each.
 *
 * The thread that makes it waits for answers and so must not be the main thread of a page. It must not be terminated
 * from outside while the adapter works: Node ends nested workers with it, and the binding ends the process when a
 * thread ends in the middle of a call. Dispose of the backend first; a process that ends by itself does so.
 *
 * @throws AegisError `device` when the package, the driver or the adapter is missing or too small, `memory` when the first
 * buffer does not fit
 */
export async function createWebgpuBackend(options: WebgpuBackendOptions = {}): Promise<WebgpuBackend> {
  checkHost();
  const { maximumBytes = 2 ** 32, chunkBytes, timeoutMilliseconds = 60_000, ...request } = options;
  integerIn("maximumBytes", maximumBytes, 2 ** 18, 2 ** 40);
  integerIn("timeoutMilliseconds", timeoutMilliseconds, 1, 2 ** 31);
  if (chunkBytes !== undefined) powerOfTwo("chunkBytes", chunkBytes, 2 ** 12, 2 ** 32);
  const shared = new SharedArea();
  const onEnd = (what: string): void => {
    if (Atomics.load(shared.control, control.state) === closed) return;
    shared.fail({ code: "device", message: `the thread of the adapter ${what}`, hint: "make a new backend" });
  };
  const { thread, ready } = await startThread(
    { kind: "open", shared: shared.buffer, request, chunkBytes, maximumBytes },
    onEnd,
  );
  if (ready.kind !== "opened") {
    thread.terminate();
    throw raised(ready);
  }
  const name = `webgpu (${ready.adapter.name})`;
  const queue = new CommandQueue(shared, name, timeoutMilliseconds);
  return new AdapterBackend(ready.adapter, new WebgpuCore(shared, queue, ready.chunkBytes, ready.maximumBytes), thread);
}

function raised(ready: {
  readonly kind: string;
  readonly error?: { code: string; message: string; hint?: string };
}): Error {
  const { error } = ready;
  return new AegisError((error?.code ?? "device") as AegisError["code"], error?.message ?? "no device", {
    ...(error?.hint === undefined ? {} : { hint: error.hint }),
  });
}

/**
 * Adapters of this host: all of them in Node, the one that the browser offers there. An adapter is chosen by
 * a part of its name; two of the same name can only be told apart from outside the process.
 *
 * @throws AegisError `device` when WebGPU itself is missing
 */
export async function listAdapters(request: AdapterRequest = {}): Promise<readonly ListedAdapter[]> {
  const { thread, ready } = await startThread({ kind: "list", request }, () => undefined);
  thread.terminate();
  if (ready.kind !== "listed") throw raised(ready);
  return ready.adapters;
}
