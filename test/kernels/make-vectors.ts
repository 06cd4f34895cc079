/**
 * Writes test/vectors/kernels/*.json from the reference backend:
 * `node --import ./scripts/typescript.mjs test/kernels/make-vectors.ts`. Reproducible.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { createReferenceBackend } from "../../src/kernels/index.ts";
import { type FillingName, fillings, indices, primes, random, runCase, type StoredCase, seed } from "./support.ts";

type Input = Omit<StoredCase, "results">;
const folder = new URL("../vectors/kernels/", import.meta.url);

function operand(degree: number, moduli: readonly number[], filling: FillingName): number[][] {
  return moduli.map((q, limb) => indices(degree).map((i) => fillings[filling](i, q, limb)));
}

function write(name: string, cases: Input[]): void {
  const backend = createReferenceBackend();
  const lines = cases.map((stored) =>
    JSON.stringify({ ...stored, results: runCase((logN, moduli) => backend.ring(logN, moduli), stored as StoredCase) }),
  );
  writeFileSync(new URL(`${name}.json`, folder), `[\n${lines.join(",\n")}\n]\n`);
}

seed(20240601);
mkdirSync(folder, { recursive: true });
const sizes = [25, 29, 30];
const fillingsUsed: FillingName[] = ["uniform", "largest", "mixed"];

write(
  "transforms",
  [2, 3, 5].flatMap((logN) => {
    const moduli = sizes.flatMap((bits) => primes(logN, bits, 1));
    return fillingsUsed.flatMap((filling) =>
      ["forwardNtt", "inverseNtt"].map((kernel) => ({
        kernel,
        logN,
        moduli,
        operands: [operand(2 ** logN, moduli, filling)],
      })),
    );
  }),
);

const logN = 4;
const degree = 2 ** logN;
const moduli = sizes.flatMap((bits) => primes(logN, bits, 1));
write(
  "elementwise",
  fillingsUsed.flatMap((filling): Input[] => {
    const two = () => [operand(degree, moduli, filling), operand(degree, moduli, filling)];
    const one = () => [operand(degree, moduli, filling)];
    const numbers = moduli.map((q) => fillings[filling](0, q, 0));
    return [
      ...["add", "subtract", "multiply"].map((kernel) => ({ kernel, logN, moduli, operands: two() })),
      { kernel: "negate", logN, moduli, operands: one() },
      { kernel: "multiplyScalar", logN, moduli, operands: one(), numbers },
      { kernel: "multiplyScalarAdd", logN, moduli, operands: two(), numbers },
      { kernel: "addScalar", logN, moduli, operands: one(), numbers },
      { kernel: "subtractMultiplyScalar", logN, moduli, operands: two(), numbers },
      ...[3, 5, 31].map((g) => ({ kernel: "automorphism", logN, moduli, operands: one(), numbers: [g] })),
      { kernel: "expand", logN, moduli, operands: [operand(degree / 4, moduli, filling)], numbers: [2] },
    ];
  }),
);

write("encoding", [
  {
    kernel: "fromInt32",
    logN,
    moduli,
    operands: [],
    numbers: indices(degree).map((i) => [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)][i] ?? random() | 0),
  },
  {
    kernel: "fromDoubles",
    logN,
    moduli,
    operands: [],
    numbers: indices(degree).map((i) => [0, 1, -1, 2 ** 62 - 512, 512 - 2 ** 62][i] ?? (random() | 0) * 2 ** (2 * i)),
  },
]);

write(
  "sums",
  [1, 3, 13].flatMap((terms) =>
    [0, 1, 2].map((logRun) => ({
      kernel: logRun === 1 ? "multiplySum" : "multiplySumPair",
      logN,
      moduli,
      operands: [
        operand(degree, moduli, "uniform"),
        operand(degree, moduli, "uniform"),
        ...indices(terms).flatMap(() => [
          operand(degree >> logRun, moduli, terms === 3 ? "uniform" : "largest"),
          operand(degree, moduli, "largest"),
          operand(degree, moduli, "mixed"),
        ]),
      ],
      numbers: [terms === 3 ? 0 : 1, logRun],
    })),
  ),
);

write(
  "conversion",
  [1, 4, 24].flatMap((sources) =>
    [28, 30].map((bits) => {
      const targets = primes(logN, 25, 1).concat(primes(logN, 29, 1));
      const from = primes(logN, bits, sources, targets);
      return {
        kernel: "convert",
        logN,
        moduli: [...targets, ...from],
        operands: [operand(degree, from, sources === 4 ? "uniform" : "mixed")],
      };
    }),
  ),
);
