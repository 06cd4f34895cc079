/** How the worker lets time pass. */
import { inNode } from "./adapter.ts";

/** Milliseconds of sleep between two looks: at an idle adapter, and at a working one. */
const [idleSleep, busySleep] = [20, 0.1];

const turns: (() => void)[] = [];
const channel = inNode ? undefined : new MessageChannel();
if (channel !== undefined) channel.port1.onmessage = () => turns.shift()?.();

/** Lets callbacks of the device and messages have their turn. */
export function yieldTask(): Promise<void> {
  return new Promise((resolve) => {
    if (channel === undefined) setImmediate(resolve);
    else {
      turns.push(resolve);
      channel.port2.postMessage(0);
    }
  });
}

/**
 * Sleeps until a control word differs from `seen`, but not for long: callbacks of a working adapter wait for
 * their turn. (`Atomics.waitAsync` would do it all in one, but does not wake a thread of Node that is idle.)
 */
export function pause(control: Int32Array, index: number, seen: number, idle: boolean): Promise<void> {
  Atomics.wait(control, index, seen, idle ? idleSleep : busySleep);
  return yieldTask();
}
