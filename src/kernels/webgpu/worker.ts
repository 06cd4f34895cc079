/** The thread of one adapter: opens the device, then works for the calling thread until it is closed. */
import { AegisError } from "../../base/errors.ts";
import { findAdapters, inNode, type OpenDevice, openDevice } from "./adapter.ts";
import { planArena } from "./arena-plan.ts";
import { Engine } from "./engine.ts";
import { SharedArea, type SharedError, type WorkerReady, type WorkerStart } from "./protocol.ts";

/** Objects that the Node binding must not lose while the device lives. */
const kept: OpenDevice[] = [];

function shared(error: unknown): SharedError {
  if (error instanceof AegisError) {
    const { code, message, hint } = error;
    return { code, message, ...(hint === undefined ? {} : { hint }) };
  }
  return { code: "device", message: `the adapter cannot be opened: ${(error as Error).message}` };
}

async function start(message: WorkerStart, post: (ready: WorkerReady) => void, end: () => void): Promise<void> {
  try {
    if (message.kind === "list") {
      post({ kind: "listed", adapters: await findAdapters(message.request) });
      return end();
    }
    const opened = await openDevice(message.request);
    kept.push(opened);
    const { device, description } = opened;
    const area = new SharedArea(message.shared);
    const plan = planArena(description.limits, message.maximumBytes, message.chunkBytes);
    const engine = new Engine(device, area, description, plan.chunkBytes);
    device.onuncapturederror = ({ error }) =>
      engine.fail("device", error.message, "this is a bug in the library or the driver");
    await engine.open();
    post({ kind: "opened", adapter: description, ...plan });
    await engine.run();
    end();
  } catch (error) {
    for (const { device } of kept) {
      device.destroy();
      await device.lost;
    }
    post({ kind: "failed", error: shared(error) });
    end();
  }
}

if (inNode) {
  const { parentPort } = await import("node:worker_threads");
  parentPort?.once("message", (message: WorkerStart) => {
    void start(
      message,
      (ready) => parentPort.postMessage(ready),
      () => parentPort.close(),
    );
  });
} else {
  const scope = globalThis as unknown as {
    onmessage: (event: { data: WorkerStart }) => void;
    postMessage(ready: WorkerReady): void;
    close(): void;
  };
  scope.onmessage = ({ data }) => {
    void start(
      data,
      (ready) => scope.postMessage(ready),
      () => scope.close(),
    );
  };
}
