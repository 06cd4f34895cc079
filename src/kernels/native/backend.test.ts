import { describe, expect, test } from "vitest";
import { type FillingName, fill, fillings, indices, primes, readAll, seed } from "../../../test/kernels/support.ts";
import { AegisError } from "../../base/errors.ts";
import { availableInstructionSets, createNativeBackend, type InstructionSet, instructionSets } from "../index.ts";

const sets = await availableInstructionSets().catch((): InstructionSet[] => []);
const missing = sets.length === 0 ? " (skipped: native kernels were not built)" : "";
const native = sets.length === 0 ? describe.skip : describe;
/** 1 modulo 2^14, 30 bits. */
const prime = 1073692673;

native(`the native backend${missing}`, () => {
  test("has memory beyond 4 GiB, taken as it is used", async () => {
    const backend = await createNativeBackend({ maximumBytes: 2 ** 33 });
    const ring = backend.ring(13, [prime]);
    const below = { address: ring.allocate(1), moduli: [0] };
    const gap = Math.ceil(2 ** 32 / ring.limbStride);
    const untouched = ring.allocate(gap);
    const above = { address: ring.allocate(1), moduli: [0] };
    expect(above.address).toBeGreaterThan(2 ** 32);
    const words = Uint32Array.from({ length: ring.degree }, (_, i) => (i * 77777) % prime);
    const read = (limbs: typeof above): Uint32Array => {
      const into = new Uint32Array(ring.degree);
      ring.read(limbs, 0, into);
      return into;
    };
    for (const limbs of [below, above]) {
      ring.write(limbs, 0, words);
      ring.forwardNtt(limbs);
    }
    expect(read(above)).toEqual(read(below));
    ring.add(below, above, above);
    ring.subtract(below, below, above);
    expect(read(below)).toEqual(read(above));
    ring.inverseNtt(above);
    expect(read(above)).toEqual(words);
    expect(backend.memory().used).toBeGreaterThan(2 ** 32);
    ring.release(untouched, gap);
    expect(() => ring.allocate(2 * gap)).toThrow(/out of backend memory/);
    backend.dispose();
  });

  test.each([1, 2, 5])("gives the same words on %i threads, whatever they are given", async (threads) => {
    const backend = await createNativeBackend({ maximumBytes: 2 ** 28, threads });
    expect(backend.threads).toBe(threads);
    const ring = backend.ring(13, [prime]);
    const limbs = { address: ring.allocate(1), moduli: [0] };
    ring.write(limbs, 0, new Uint32Array(ring.degree).fill(prime - 1));
    const sums = Array.from({ length: 200 }, () => limbs);
    const result = { address: ring.allocate(1), moduli: [0] };
    // Many short calls after one another: threads go to sleep between some of them.
    for (let call = 0; call < 200; call++) {
      ring.multiplySum(result, sums, sums, false, 0);
      if (call % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const into = new Uint32Array(ring.degree);
    ring.read(result, 0, into);
    const expected = (200n * (BigInt(prime) - 1n) ** 2n * invert(2n ** 32n)) % BigInt(prime);
    expect(new Set(into)).toEqual(new Set([Number(expected)]));
    backend.dispose();
  });

  test("refuses to go on when it was disposed of", async () => {
    const backend = await createNativeBackend({ maximumBytes: 2 ** 24 });
    const ring = backend.ring(13, [prime]);
    const limbs = { address: ring.allocate(1), moduli: [0] };
    backend.dispose();
    expect(() => ring.add(limbs, limbs, limbs)).toThrow(AegisError);
    expect(() => ring.read(limbs, 0, new Uint32Array(ring.degree))).toThrow("disposed");
    backend.dispose.call(await createNativeBackend({ maximumBytes: 2 ** 24 }));
  });

  test("refuses memory and instructions that are not there", async () => {
    await expect(createNativeBackend({ maximumBytes: 2 ** 47 })).rejects.toThrow("maximumBytes");
    await expect(createNativeBackend({ threads: 0 })).rejects.toThrow("threads");
    for (const instructions of instructionSets) {
      if (sets.includes(instructions)) continue;
      await expect(createNativeBackend({ instructions })).rejects.toMatchObject({ code: "device" });
    }
    await expect(createNativeBackend({ instructions: "sse9" as "avx2" })).rejects.toMatchObject({
      code: "device",
      hint: expect.stringContaining("portable"),
    });
  });
});

// Instruction sets cut large degrees into passes in ways of their own; the conformance suite ends at 2^13.
describe.each(sets.filter((set) => set !== "portable"))("transforms of large degrees, native:%s", (instructions) => {
  test.each([14, 15, 16, 17])("have the words of the portable ones at 2^%i", async (logN) => {
    const backends = [
      await createNativeBackend({ maximumBytes: 2 ** 28, instructions }),
      await createNativeBackend({ maximumBytes: 2 ** 28, instructions: "portable" }),
    ] as const;
    const moduli = [25, 29, 30].flatMap((bits) => primes(logN, bits, 1));
    const limbs = indices(moduli.length);
    for (const name of ["uniform", "largest", "mixed"] satisfies FillingName[]) {
      const [words, expected] = backends.map((backend) => {
        seed(logN);
        const ring = backend.ring(logN, moduli);
        const x = fill(ring, limbs, fillings[name]);
        const y = fill(ring, limbs, fillings.uniform);
        const z = fill(ring, limbs, fillings[name]);
        ring.forwardNtt(x);
        ring.inverseNttInto(y, z);
        ring.subtractTransformed(
          z,
          x,
          z,
          Uint32Array.from(moduli, (q) => q - 2),
        );
        return [x, y, z].flatMap((part) => readAll(ring, part));
      });
      expect(words, name).toEqual(expected);
    }
    for (const backend of backends) backend.dispose();
  });
});

function invert(a: bigint): bigint {
  const q = BigInt(prime);
  let result = 1n;
  for (let e = q - 2n, b = a % q; e > 0n; e >>= 1n, b = (b * b) % q) if (e & 1n) result = (result * b) % q;
  return result;
}
