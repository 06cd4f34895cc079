/** Starts the worker of an adapter, in Node and in browsers. Runs on the calling thread. */
import { AegisError } from "../../base/errors.ts";
import { inNode } from "./adapter.ts";
import type { WorkerReady, WorkerStart } from "./protocol.ts";

/** The worker as the calling thread sees it. */
export interface GpuThread {
  /** Ends it at once. */
  terminate(): void;
}

// The sources run as `.ts`, the built package as `.js`.
const url = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);

function ended(what: string): AegisError {
  return new AegisError("device", `the thread of the adapter ${what}`, {
    hint: "its driver may have failed: try another adapter, or the wasm backend",
  });
}

/**
 * Starts a worker and sends it its first message; gives its answer. Throws what the worker reports, or
 * `device` when it dies first. `onEnd` is called when it ends later, if the calling thread's event loop runs.
 */
export async function startThread(
  message: WorkerStart,
  onEnd: (what: string) => void,
): Promise<{ readonly thread: GpuThread; readonly ready: WorkerReady }> {
  if (inNode) {
    const { Worker } = await import("node:worker_threads");
    // A worker takes the options of its process, but not the one that is for a script on the command line.
    const worker = new Worker(url, { execArgv: process.execArgv.filter((one) => !one.startsWith("--input-type")) });
    const thread = { terminate: () => void worker.terminate() };
    const ready = await new Promise<WorkerReady>((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", (error) => reject(ended(`failed: ${error.message}`)));
      worker.once("exit", (code) => reject(ended(`ended with code ${code}`)));
      worker.postMessage(message);
    });
    worker.on("error", (error) => onEnd(`failed: ${error.message}`));
    worker.on("exit", (code) => onEnd(`ended with code ${code}`));
    // A backend alone does not keep a process alive.
    worker.unref();
    return { thread, ready };
  }
  const worker = new Worker(url, { type: "module" });
  const ready = await new Promise<WorkerReady>((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data as WorkerReady);
    worker.onerror = ({ message: why }) => reject(ended(`failed: ${why || `${url.href} does not load`}`));
    worker.postMessage(message);
  });
  worker.onerror = ({ message: why }) => onEnd(`failed: ${why}`);
  return { thread: { terminate: () => worker.terminate() }, ready };
}
