/** What the conformance suite does not ask: chunks, counters, errors of devices, the end of a backend. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import {
  conversionTable,
  fill,
  fillings,
  indices,
  primes,
  readAll,
  seed,
  webgpuForTests,
} from "../../../test/kernels/support.ts";
import { type Backend, createReferenceBackend, createWasmBackend, type Limbs } from "../index.ts";
import { planArena } from "./arena-plan.ts";
import { createWebgpuBackend, listAdapters, type WebgpuBackend } from "./backend.ts";
import type { faults } from "./protocol.ts";

const limits = {
  maxStorageBuffersPerShaderStage: 10,
  maxStorageBufferBindingSize: 2 ** 31 - 4,
  maxBufferSize: 2 ** 31,
  maxUniformBufferBindingSize: 2 ** 16,
  maxComputeWorkgroupStorageSize: 2 ** 15,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupsPerDimension: 65535,
  minUniformBufferOffsetAlignment: 256,
};

test("memory is cut into as few chunks as needed, within the adapter's limits", () => {
  const plan = (wanted: number, changed = {}, chunkBytes?: number): [number, number] => {
    const { chunkBytes: chunk, maximumBytes } = planArena({ ...limits, ...changed }, wanted, chunkBytes);
    return [chunk, maximumBytes];
  };
  expect(plan(2 ** 24)).toEqual([2 ** 24, 2 ** 24]);
  expect(plan(2 ** 31)).toEqual([2 ** 28, 2 ** 31]);
  expect(plan(2 ** 32)).toEqual([2 ** 29, 2 ** 32]);
  expect(plan(2 ** 40)).toEqual([2 ** 30, 9 * 2 ** 30]);
  expect(plan(2 ** 32, { maxStorageBufferBindingSize: 2 ** 27 })).toEqual([2 ** 27, 9 * 2 ** 27]);
  expect(plan(2 ** 30, { maxStorageBuffersPerShaderStage: 2 })).toEqual([2 ** 30, 2 ** 30]);
  expect(plan(2 ** 20, {}, 2 ** 14)).toEqual([2 ** 14, 9 * 2 ** 14]);
  expect(plan(2 ** 40, { maxStorageBuffersPerShaderStage: 64, maxBufferSize: 2 ** 40 })[1]).toBe(15 * 2 ** 30);
});

const present = await webgpuForTests();
if (typeof present === "string") test.skip(`webgpu: ${present}`, () => undefined);
else {
  afterAll(() => present.dispose());
  const open = (options = {}): Promise<WebgpuBackend> => createWebgpuBackend({ maximumBytes: 2 ** 20, ...options });

  describe("memory", () => {
    test("operands in different chunks", async () => {
      const webgpu = await open({ chunkBytes: 2 ** 13 });
      const reference = createReferenceBackend();
      const [logN, moduli] = [8, primes(8, 30, 3)];
      const table = conversionTable({ moduli }, [0, 1], [2]);
      const run = (backend: Backend): number[][][] => {
        seed(3);
        const ring = backend.ring(logN, moduli);
        // Three limbs take more than a third of a chunk: no more than two of these share one.
        const made = (filling = fillings.mixed): Limbs => fill(ring, indices(3), filling);
        const [x, y, z, r0, r1] = [made(), made(fillings.uniform), made(), made(), made()];
        const small = fill(backend.ring(logN - 2, moduli), indices(3), fillings.mixed);
        ring.forwardNtt(x);
        ring.inverseNtt(y);
        ring.multiply(r0, x, y);
        ring.multiplySumPair(r0, r1, [x, y], [y, z], [z, x], true, 0);
        const sums = readAll(ring, r0);
        ring.automorphism(r0, x, 5);
        const moved = readAll(ring, r0);
        ring.multiplySum(r0, [small], [z], false, 2);
        ring.subtractMultiplyScalar(r1, r1, x, Uint32Array.of(3, 4, 5));
        const single = { address: z.address + 2 * ring.limbStride, moduli: [2] };
        ring.convert(single, { address: x.address, moduli: [0, 1] }, table);
        return [sums, moved, ...[x, y, z, r0, r1].map((limbs) => readAll(ring, limbs))];
      };
      expect(run(webgpu)).toEqual(run(reference));
      expect(webgpu.memory().used).toBeGreaterThan(5 * 3000);
      webgpu.dispose();
    });

    test("transforms with the many threads of hardware", async () => {
      const [webgpu, wasm] = [await open({ maximumBytes: 2 ** 24, software: false }), await createWasmBackend()];
      for (const logN of [2, 5, 11, 12, 13]) {
        const moduli = primes(logN, 30, 2);
        const [expected, got] = [wasm, webgpu].map((backend) => {
          seed(logN);
          const ring = backend.ring(logN, moduli);
          const x = [fillings.uniform, fillings.largest, fillings.mixed].map((filling) => fill(ring, [0, 1], filling));
          const forward = x.map((limbs) => {
            ring.forwardNtt(limbs);
            return readAll(ring, limbs);
          });
          for (const limbs of x) for (let i = 0; i < 2; i++) ring.inverseNtt(limbs);
          return [forward, x.map((limbs) => readAll(ring, limbs))];
        });
        expect(got).toEqual(expected);
      }
      webgpu.dispose();
      wasm.dispose();
    });

    test("says what it wanted when memory runs out, and can go on", async () => {
      const webgpu = await open({ chunkBytes: 2 ** 16 });
      const { limit } = webgpu.memory();
      const ring = webgpu.ring(10, primes(10, 29, 1));
      expect(() => ring.allocate(100)).toThrow("one block may have 0.1 MiB at most");
      const held: number[] = [];
      expect(() => {
        for (;;) held.push(ring.allocate(15));
      }).toThrow(expect.objectContaining({ code: "memory" }));
      expect(held.length).toBe(limit / 2 ** 16);
      for (const address of held) ring.release(address, 15);
      expect(webgpu.memory().used).toBe(64);
      const limbs = fill(ring, [0], (i) => i);
      ring.add(limbs, limbs, limbs);
      expect(readAll(ring, limbs)[0][100]).toBe(200);
      webgpu.dispose();
    });

    test("counts what it does", async () => {
      const webgpu = await open();
      const ring = webgpu.ring(4, primes(4, 29, 2));
      const limbs = fill(ring, [0, 1], fillings.uniform);
      ring.add(limbs, limbs, limbs);
      readAll(ring, limbs);
      const { submits, ...rest } = webgpu.statistics();
      expect(rest).toEqual({
        dispatches: 1,
        uploadedBytes: 2 * 64 + 4 * (8 + 2 * 4),
        downloadedBytes: 2 * 64 + 64,
        readBacks: 1,
      });
      expect(submits).toBeLessThanOrEqual(3);
      webgpu.dispose();
    });

    test("a thousand commands in a row, more than the ring holds", async () => {
      const webgpu = await open({ maximumBytes: 2 ** 24 });
      const ring = webgpu.ring(12, primes(12, 29, 1));
      const limbs = fill(ring, [0], () => 0);
      const ones = new Uint32Array(ring.degree).fill(1);
      const one = fill(ring, [0], () => 0);
      for (let i = 0; i < 600; i++) {
        ring.write(one, 0, ones);
        ring.add(limbs, limbs, one);
      }
      expect(new Set(readAll(ring, limbs)[0])).toEqual(new Set([600]));
      expect(webgpu.statistics().dispatches).toBe(600);
      webgpu.dispose();
    });
  });

  describe("errors", () => {
    const q = primes(4, 29, 1);
    const failing = async (how: keyof typeof faults, options = {}): Promise<() => void> => {
      const webgpu = await open(options);
      const ring = webgpu.ring(4, q);
      const limbs = fill(ring, [0], fillings.uniform);
      readAll(ring, limbs);
      webgpu.fault(how);
      return () => {
        try {
          // Another command, so that what was read last does not count.
          ring.add(limbs, limbs, limbs);
          readAll(ring, limbs);
        } finally {
          webgpu.dispose();
        }
      };
    };

    test("a lost device", async () => {
      const read = await failing("loseDevice");
      expect(read).toThrow(expect.objectContaining({ code: "device", message: expect.stringContaining("lost") }));
    });

    test("a thread that ended", async () => {
      const read = await failing("endThread", { timeoutMilliseconds: 500 });
      expect(read).toThrow(expect.objectContaining({ code: "device", device: `webgpu (${present.adapter.name})` }));
    });

    test("a command that the device refuses, also when no read follows", async () => {
      const read = await failing("invalidCommand");
      expect(read).toThrow(expect.objectContaining({ code: "device", hint: expect.stringContaining("bug") }));
      const webgpu = await open();
      const ring = webgpu.ring(4, q);
      webgpu.fault("invalidCommand");
      expect(() => {
        for (;;) ring.release(ring.allocate(1), 1);
      }).toThrow(expect.objectContaining({ code: "device" }));
      webgpu.dispose();
    });

    test("an adapter that is not there", async () => {
      const [first] = await listAdapters();
      expect(first.description?.limits.maxBufferSize).toBeGreaterThan(2 ** 20);
      await expect(open({ adapter: "no such adapter" })).rejects.toMatchObject({
        code: "device",
        message: expect.stringContaining("no such adapter"),
        hint: expect.stringContaining(first.name),
      });
      const chosen = await open({ adapter: first.name.slice(0, 11) });
      expect(chosen.adapter.name).toBe(present.adapter.name);
      chosen.dispose();
    });

    test("use after the end", async () => {
      const webgpu = await open();
      const ring = webgpu.ring(4, q);
      const limbs = fill(ring, [0], fillings.uniform);
      webgpu.dispose();
      webgpu.dispose();
      expect(() => ring.forwardNtt(limbs)).toThrow("disposed");
      expect(() => ring.allocate(1)).toThrow("disposed");
      expect(() => webgpu.statistics()).toThrow("disposed");
    });
  });

  test("a process may end in the middle of work", async () => {
    const hook = fileURLToPath(new URL("../../../scripts/typescript.mjs", import.meta.url));
    const run = (ending: string): Promise<{ code: unknown; signal: unknown; stdout: string }> => {
      const script = `
        import { createWebgpuBackend } from ${JSON.stringify(new URL("./backend.ts", import.meta.url).href)};
        // The binding takes the process down when a thread ends while it asks for something.
        for (let i = 0; i < 10; i++) (await createWebgpuBackend({ maximumBytes: 2 ** 24 })).dispose();
        const backend = await createWebgpuBackend({ maximumBytes: 2 ** 24 });
        const ring = backend.ring(12, [${primes(12, 29, 1)}]);
        const limbs = { address: ring.allocate(1), moduli: [0] };
        for (let i = 0; i < 50; i++) ring.forwardNtt(limbs);
        console.log("working");
        ${ending}`;
      return new Promise((resolve) => {
        const options = ["--import", hook, "--input-type=module", "--eval", script];
        execFile(process.execPath, options, { timeout: 60_000 }, (error, stdout) => {
          resolve({ code: error?.code ?? 0, signal: error?.signal ?? null, stdout });
        });
      });
    };
    const ended = (code: number): object => ({ code, signal: null, stdout: "working\n" });
    const endings = ["process.exit(3)", "", "throw new Error('mine')", "backend.dispose()"];
    expect(await Promise.all(endings.map(run))).toEqual([3, 0, 1, 0].map(ended));
  });
}
