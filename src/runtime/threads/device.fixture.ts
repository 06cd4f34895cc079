/** A worker module for the tests of the pool: devices that work, fail and hang in every way. */
import { AegisError, withPath } from "../../base/errors.ts";
import { type Device, serve } from "./serve.ts";

function waitForNothing(device: Device): number {
  return device.endpoint.wait(() => false, "a message that never comes");
}

/** Keeps the thread busy; no event loop turns. */
function compute(milliseconds: number, each: () => void): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end) each();
}

serve({
  echo: (payload: unknown, { endpoint, data }) => ({ rank: endpoint.rank, size: endpoint.size, data, payload }),
  later: async (milliseconds: number, { endpoint }) => {
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    return endpoint.rank;
  },
  report: (steps: number, device) => {
    for (let step = 0; step < steps; step++) device.post({ step });
    compute(200, () => device.endpoint.beat());
    return steps;
  },
  compute: (milliseconds: number, { endpoint }) => {
    compute(milliseconds, () => endpoint.beat());
    return milliseconds;
  },
  uncloneable: () => () => 0,
  wait: (_: undefined, device) => waitForNothing(device),
  throwAegis: (_: undefined, device) => {
    if (device.endpoint.rank === 0) return waitForNothing(device);
    return withPath("layer 1", () => {
      const cause = new RangeError("inner");
      throw new AegisError("level", "no level left", { hint: "bootstrap", operation: "rescale", level: 0, cause });
    });
  },
  throwPlain: (_: undefined, device) => {
    if (device.endpoint.rank === 0) return waitForNothing(device);
    device.endpoint.beat(7);
    throw new TypeError("x is not a function");
  },
  exit: (_: undefined, device) => {
    if (device.endpoint.rank === 0) return waitForNothing(device);
    device.endpoint.beat(3);
    process.exit(5);
  },
  crash: (_: undefined, device) => {
    if (device.endpoint.rank === 0) return waitForNothing(device);
    setTimeout(() => {
      throw new Error("outside of the call");
    }, 10);
    return new Promise(() => undefined);
  },
  exhaust: (_: undefined, device) => {
    if (device.endpoint.rank === 0) return waitForNothing(device);
    const kept: number[][] = [];
    for (;;) kept.push(Array.from({ length: 1000 }, (_, index) => index + kept.length));
  },
  hang: (_: undefined, device) => {
    if (device.endpoint.rank === 0) return waitForNothing(device);
    device.endpoint.beat(4);
    for (;;);
  },
  hangDeaf: () => {
    for (;;);
  },
  endless: (_: undefined, { endpoint }) => {
    for (;;) endpoint.beat();
  },
});
