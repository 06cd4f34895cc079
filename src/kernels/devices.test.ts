import { expect, test } from "vitest";
import { fastestFirst } from "./devices.ts";
import {
  checkWord,
  createReferenceBackend,
  createWasmBackend,
  type DeviceKind,
  describeDevice,
  expectedCheck,
  fastestDevice,
  type Limbs,
  listDevices,
  openDevice,
  parseDevice,
  selfCheck,
} from "./index.ts";

test("devices are named by kind, native ones also by instruction set", () => {
  expect(parseDevice("wasm")).toEqual({ kind: "wasm" });
  expect(parseDevice("native")).toEqual({ kind: "native" });
  expect(parseDevice("native:avx2")).toEqual({ kind: "native", name: "avx2" });
  expect(describeDevice(parseDevice("native:avx2"))).toBe("native:avx2");
  for (const text of ["", "cuda", "native:sse9", "wasm:", "wasm:x", "Native"]) {
    expect(() => parseDevice(text), text).toThrow(expect.objectContaining({ code: "argument" }));
  }
});

test("the list says what is here, how fast it is and whether it is right", async () => {
  const devices = await listDevices();
  const wasm = devices.find(({ kind }) => kind === "wasm");
  expect(wasm).toMatchObject({ name: "simd128", memoryBytes: 2 ** 32, selfCheck: "passed" });
  for (const { nttNsPerCoefficientBit, selfCheck: check } of devices) {
    expect(check).toBe("passed");
    expect(nttNsPerCoefficientBit).toBeGreaterThan(0.001);
    expect(nttNsPerCoefficientBit).toBeLessThan(10_000);
  }
  const best = await fastestDevice();
  expect(["native", "wasm"]).toContain(best.kind);
  const backend = await openDevice(best, { maximumBytes: 2 ** 26 });
  expect(backend.name).toBe(best.kind);
  backend.dispose();
});

test("devices are ranked by speed, native sets in their own order", () => {
  const report = (kind: DeviceKind, name: string, nttNsPerCoefficientBit: number | null) => ({
    kind,
    name,
    memoryBytes: 1,
    nttNsPerCoefficientBit,
    selfCheck: nttNsPerCoefficientBit === null ? "wrong" : "passed",
  });
  const ranked = fastestFirst([
    report("native", "broken", null),
    report("native", "amx", 0.03),
    report("native", "avx512ifma", 0.028),
    report("native", "avx2", 0.05),
    report("native", "portable", 0.3),
    report("wasm", "simd128", 0.09),
    report("webgpu", "GPU", 0.029),
  ]);
  expect(ranked.map(({ name }) => name)).toEqual(["amx", "avx512ifma", "GPU", "avx2", "simd128", "portable", "broken"]);
});

test("the self-check knows what the reference gives", () => {
  const reference = createReferenceBackend();
  expect(checkWord(reference)).toBe(expectedCheck);
  expect(reference.memory().used).toBeLessThan(2 ** 16);
});

/** Kernels that the self-check reads a result of. */
const checked = [
  "forwardNtt",
  "inverseNtt",
  "inverseNttInto",
  "copy",
  "add",
  "subtract",
  "negate",
  "multiply",
  "multiplyScalar",
  "multiplyScalarAdd",
  "addScalar",
  "subtractMultiplyScalar",
  "multiplySum",
  "multiplySumPair",
  "multiplySums",
  "keyProducts",
  "subtractTransformed",
  "expand",
  "automorphism",
  "convert",
  "uniform",
  "fromInt32",
  "fromDoubles",
] as const;

test.each(checked)("a wrong %s is found", async (name) => {
  const backend = await createWasmBackend({ maximumBytes: 2 ** 24 });
  const ring = Object.getPrototypeOf(backend.ring(9, [1073738753]));
  const right = ring[name];
  // One residue of one result is off by one.
  ring[name] = function (this: unknown, ...operands: unknown[]): void {
    right.apply(this, operands);
    const [first] = operands as [Limbs | readonly { readonly dst: readonly Limbs[] }[]];
    const limbs = "address" in first ? first : (first[0]?.dst[0] as Limbs);
    const self = this as ReturnType<typeof backend.ring>;
    const index = typeof operands[1] === "number" && name === "uniform" ? (operands[1] as number) : 0;
    const words = new Uint32Array(self.degree);
    self.read(limbs, index, words);
    const q = self.moduli[limbs.moduli[index] as number] as number;
    words[77] = ((words[77] as number) + 1) % q;
    self.write(limbs, index, words);
  };
  try {
    expect(() => selfCheck(backend)).toThrow(expect.objectContaining({ code: "device" }));
  } finally {
    ring[name] = right;
    backend.dispose();
  }
});
