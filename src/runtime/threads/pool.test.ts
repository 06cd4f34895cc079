/** The pool with real worker threads: calls, messages, and every way in which a device can fail. */
import { afterEach, describe, expect, it } from "vitest";
import { AegisError } from "../../base/errors.ts";
import { moduleUrl } from "./module-url.ts";
import { ThreadPool, type ThreadPoolOptions } from "./pool.ts";

const module = moduleUrl(import.meta.url, "./device.fixture");
const arenaBytes = 2 ** 20;
let pool: ThreadPool;

function start(options: Partial<ThreadPoolOptions> = {}): ThreadPool {
  pool = new ThreadPool({
    size: 2,
    module,
    deviceName: () => "wasm",
    describeOperation: (id) => `operation ${id}`,
    fabric: { arenaBytes },
    ...options,
  });
  return pool;
}

afterEach(() => pool.terminate());

/** The error of a promise that must fail. */
async function failure(promise: Promise<unknown>): Promise<AegisError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(AegisError);
  return error as AegisError;
}

async function secondsOf(promise: Promise<unknown>): Promise<number> {
  const began = performance.now();
  await promise;
  return (performance.now() - began) / 1000;
}

describe("ThreadPool", () => {
  it("calls handlers, one rank or all, with payload and data", async () => {
    start({ data: (rank) => `data ${rank}` });
    expect(await pool.call(1, "echo", [1, 2])).toEqual({ rank: 1, size: 2, data: "data 1", payload: [1, 2] });
    const all = await pool.callAll<{ payload: number }>("echo", (rank) => rank * 10);
    expect(all.map((answer) => answer.payload)).toEqual([0, 10]);
    expect(await pool.callAll("later", (rank) => 20 - 20 * rank)).toEqual([0, 1]);
  });

  it("moves what is transferred", async () => {
    start({ size: 1 });
    const bytes = new Uint8Array([1, 2, 3]);
    expect(await pool.call(0, "echo", bytes, [bytes.buffer])).toMatchObject({ payload: new Uint8Array([1, 2, 3]) });
    expect(bytes.length).toBe(0);
  });

  it("delivers messages while the handler computes", async () => {
    start();
    const seen: unknown[] = [];
    let answered = false;
    const whileRunning: boolean[] = [];
    const stop = pool.onMessage((rank, message) => {
      seen.push([rank, message]);
      whileRunning.push(!answered);
    });
    await pool.call(1, "report", 2).then(() => (answered = true));
    expect(seen).toEqual([
      [1, { step: 0 }],
      [1, { step: 1 }],
    ]);
    expect(whileRunning).toEqual([true, true]);
    stop();
    await pool.call(1, "report", 1);
    expect(seen.length).toBe(2);
  });

  it("carries an AegisError across the thread and ends the waits of the others", async () => {
    start();
    const calls = [pool.call(0, "throwAegis"), pool.call(1, "throwAegis")];
    const errors = await Promise.all(calls.map(failure));
    expect(errors[0]).toBe(errors[1]);
    expect(errors[0]).toMatchObject({
      code: "level",
      message: "no level left",
      hint: "bootstrap",
      operation: "rescale",
      level: 0,
      device: "wasm 1",
      path: ["layer 1"],
      cause: { name: "RangeError", message: "inner" },
    });
    expect((await failure(pool.call(0, "echo"))).code).toBe("level");
  });

  it("names device, operation and cause of any other error", async () => {
    start();
    const error = await failure(pool.callAll("throwPlain"));
    expect(error).toMatchObject({ code: "device", device: "wasm 1", operation: "operation 7" });
    expect(error.message).toBe("wasm 1 failed in operation 7: x is not a function");
    expect(error.cause).toMatchObject({ name: "TypeError" });
  });

  it("reports a device that exits", async () => {
    start();
    const error = await failure(pool.callAll("exit"));
    expect(error).toMatchObject({ code: "device", message: "wasm 1 exited with code 5 in operation 3" });
  });

  it("reports an error outside of a call", async () => {
    start();
    const error = await failure(pool.callAll("crash"));
    expect(error).toMatchObject({ code: "device", message: "wasm 1 failed: outside of the call" });
  });

  it("reports a module that cannot start, also to calls that come later", async () => {
    start({ module: moduleUrl(import.meta.url, "./broken.fixture") });
    const error = await failure(pool.call(0, "echo"));
    expect(error.code).toBe("device");
    expect(error.message).toMatch(/^wasm [01] failed: cannot start$/);
    expect(await failure(pool.call(1, "echo"))).toBe(error);
  });

  it("reports a device that runs out of memory", async () => {
    start({ resourceLimits: { maxOldGenerationSizeMb: 24 }, stallSeconds: 60 });
    const error = await failure(pool.callAll("exhaust"));
    expect(error).toMatchObject({ code: "device", message: "wasm 1 ran out of memory" });
    expect(error.hint).toMatch(/fewer devices/);
  });

  it("reports a device whose heart stands still, not the one that waits for it", async () => {
    start({ stallSeconds: 1 });
    await pool.callAll("echo");
    let error: AegisError | undefined;
    const seconds = await secondsOf(failure(pool.callAll("hang")).then((failed) => (error = failed)));
    expect(error).toMatchObject({ code: "device", message: "wasm 1 has not responded for 1 s in operation 4" });
    expect(seconds).toBeGreaterThan(0.9);
    expect(seconds).toBeLessThan(5);
    expect(await secondsOf(pool.terminate())).toBeLessThan(2);
  });

  it("does not blame a device that computes for long and beats", async () => {
    start({ stallSeconds: 0.4 });
    await pool.callAll("echo");
    expect(await pool.call(0, "compute", 1500)).toBe(1500);
  });

  it("reports devices that wait for one another", async () => {
    start({ stallSeconds: 0.5 });
    const error = await failure(pool.callAll("wait"));
    expect(error.code).toBe("device");
    expect(error.message).toContain("wasm 0 waits for a message that never comes; wasm 1 waits for");
  });

  it("reports a device that waits for one that has nothing to do", async () => {
    start({ stallSeconds: 0.5 });
    const error = await failure(pool.call(1, "wait"));
    expect(error).toMatchObject({ code: "device", device: "wasm 1" });
    expect(() => start({ stallSeconds: 0 })).toThrow(RangeError);
  });

  it("ends a run when the signal fires, also with a device that does not listen", async () => {
    const controller = new AbortController();
    start({ signal: controller.signal });
    await pool.callAll("echo");
    const calls = [pool.call(0, "wait"), pool.call(1, "endless")];
    setTimeout(() => controller.abort(new Error("enough")), 100);
    const seconds = await secondsOf(Promise.all(calls.map(failure)));
    expect(seconds).toBeLessThan(4);
    const errors = await Promise.all(calls.map(failure));
    expect(errors.map((error) => error.code)).toEqual(["aborted", "aborted"]);
    expect(errors[0].cause).toMatchObject({ message: "enough" });
    expect(() => start({ signal: controller.signal })).toThrow(/cancelled/);
  });

  it("ends at once when all devices heed the signal", async () => {
    const controller = new AbortController();
    start({ signal: controller.signal });
    await pool.callAll("echo");
    const run = failure(pool.callAll("wait"));
    setTimeout(() => controller.abort(), 50);
    expect(await secondsOf(run)).toBeLessThan(0.8);
  });

  it("fails open and later calls when it is shut down", async () => {
    start();
    const open = failure(pool.call(0, "hangDeaf"));
    await pool.terminate();
    expect((await open).code).toBe("aborted");
    expect((await failure(pool.call(0, "echo"))).code).toBe("aborted");
  });

  it("treats an answer that cannot be posted and an unknown handler as failures", async () => {
    start();
    expect((await failure(pool.call(0, "uncloneable"))).message).toMatch(/could not be cloned/);
    await pool.terminate();
    start();
    expect((await failure(pool.call(0, "toString"))).message).toBe("the worker has no handler toString");
  });
});
