/**
 * For `node --import`: makes one device of a run fail, from outside of the package, at its first step with a
 * number of at least `step`. Runs in every thread; `MISBEHAVE` is JSON: `{ "how", "rank", "step", "mark" }`, where
 * `mark` is a file that gets the time in milliseconds since 1970.
 */
import { writeFileSync } from "node:fs";
import { isMainThread, parentPort, workerData } from "node:worker_threads";

const { how, rank, step, mark } = JSON.parse(process.env.MISBEHAVE ?? "{}");

const ways = {
  throw: () => {
    throw new TypeError("a device that throws");
  },
  exit: () => process.exit(7),
  /** Holds the thread for ever, without a turn of its event loop. */
  block: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
  exhaust: () => {
    const kept = [];
    for (;;) kept.push(Array.from({ length: 1000 }, (_, i) => i + kept.length));
  },
  interrupt: () => process.kill(process.pid, "SIGINT"),
};

if (!isMainThread && workerData?.fabric?.rank === rank) {
  let done = false;
  const post = parentPort.postMessage.bind(parentPort);
  parentPort.postMessage = (reply, ...rest) => {
    post(reply, ...rest);
    if (done || reply?.message?.kind !== "step" || reply.message.index < step) return;
    done = true;
    if (mark !== undefined) writeFileSync(mark, String(Date.now()));
    ways[how]();
  };
}
