/** One run on each kind of device, and on a mixture: the same ciphertexts; what is said where a device is missing. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildDist } from "../support/build.ts";
import { aegis, Folders } from "./support.ts";

const folders = new Folders();
await buildDist();

interface Listed {
  readonly kind: string;
  readonly name: string;
  readonly memoryBytes: number;
  readonly nttNsPerCoefficientBit: number;
  readonly selfCheck: string;
}

/** Where drivers of adapters are found. */
const environment = Object.fromEntries(
  ["VK_ICD_FILENAMES", "LD_LIBRARY_PATH"].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value]];
  }),
);

const listing = await aegis(["devices", "--json"], environment);
const listed = JSON.parse(listing.stdout) as Listed[];
const has = (kind: string): boolean => listed.some((device) => device.kind === kind);

/** A test that is skipped, with the reason in its name, where a device is missing. */
function testOn(kind: string, name: string, body: () => Promise<void>, timeout?: number): void {
  if (has(kind)) test(name, body, timeout);
  else test.skip(`${name} (skipped: no ${kind} device is here)`, () => undefined);
}

interface Told {
  readonly outputDigest: string;
  readonly label: string;
  readonly devices: readonly { readonly device: string; readonly threads: number }[];
  readonly communication: { readonly plannedBytes: number; readonly measuredBytes: number };
}

let model: string;

beforeAll(() => {
  model = folders.model();
});

afterAll(() => folders[Symbol.dispose]());

async function told(...more: string[]): Promise<Told> {
  const fixed = ["run", "--model", model, "--text", "good film", "--preset", "insecure-test", "--insecure-seed", "1"];
  const { code, stdout, stderr } = await aegis([...fixed, "--json", ...more], environment);
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^(warning: .*\n)*$/)]);
  return JSON.parse(stdout) as Told;
}

test("aegis devices lists what is here, the fastest first", () => {
  expect(listing.code).toBe(0);
  expect(listed.map(({ kind }) => kind)).toContain("wasm");
  for (const device of listed) {
    expect(device).toEqual({
      kind: expect.stringMatching(/^(native|wasm|webgpu)$/),
      name: expect.any(String),
      memoryBytes: expect.any(Number),
      nttNsPerCoefficientBit: expect.any(Number),
      selfCheck: "passed",
    });
  }
  // Native sets come in their own order, as fast as the fastest that follows: the better one may be so in other kernels.
  const native = listed.filter(({ kind }) => kind === "native").map(({ nttNsPerCoefficientBit: ns }) => ns);
  const ranks = listed.map(({ kind, nttNsPerCoefficientBit: ns }) =>
    kind === "native" ? Math.min(...native.slice(native.indexOf(ns))) : ns,
  );
  expect(ranks).toEqual([...ranks].sort((a, b) => a - b));
});

describe("the same ciphertexts", () => {
  let alone: Told;

  beforeAll(async () => {
    alone = await told("--device", "wasm");
    expect(alone.devices).toMatchObject([{ kind: "wasm", device: "wasm", threads: 1 }]);
  });

  testOn("native", "on native devices, with another instruction set, on three threads", async () => {
    const names = listed.filter(({ kind }) => kind === "native").map(({ name }) => `native:${name}`);
    expect(names).toContain("native:portable");
    for (const device of ["native", names.at(-2) ?? "native:portable"]) {
      const { outputDigest, devices } = await told("--device", device, "--threads", "3");
      expect(outputDigest, device).toBe(alone.outputDigest);
      expect(devices).toMatchObject([{ device, threads: 3 }]);
    }
  });

  testOn("native", "on a native device and a WebAssembly one", async () => {
    const { outputDigest, devices, communication } = await told("--device", "native", "--device", "wasm");
    expect(outputDigest).toBe(alone.outputDigest);
    expect(devices.map(({ device }) => device)).toEqual(["native", "wasm"]);
    expect(communication.measuredBytes).toBe(communication.plannedBytes);
  });
});

describe("devices that are not here", () => {
  const run = (...more: string[]) =>
    aegis(["run", "--model", model, "--text", "good", "--preset", "insecure-test", ...more], {
      ...environment,
      ...(more.includes("webgpu") ? { VK_ICD_FILENAMES: "/nowhere/icd.json", LD_LIBRARY_PATH: "/nowhere" } : {}),
    });

  test("no adapter", async () => {
    const { code, stderr } = await run("--device", "webgpu");
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^error: (no WebGPU adapter|the package webgpu)/m)]);
  });

  testOn("webgpu", "no adapter by this name", async () => {
    const { code, stderr } = await run("--device", "webgpu:NoSuchAdapter");
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/no WebGPU adapter is called "NoSuchAdapter"\n +there are: /),
    ]);
  });

  test("as many names as devices", async () => {
    const { code, stderr } = await run("--device", "wasm", "--device", "wasm", "--devices", "3");
    expect([code, stderr]).toEqual([
      1,
      expect.stringContaining("--devices: expected 2, as many as --device names, got 3"),
    ]);
  });
});
