/**
 * The table of couplings against what operators really read: every operation is run ciphertext by
 * ciphertext on the null backend, with inputs that note each access.
 */
import { describe, expect, test } from "vitest";
import { type GeometryCase, geometryOf, longCases } from "../../../test/support/geometry.ts";
import { bootParameters, smallModel } from "../../../test/support/transformer.ts";
import { Bootstrapper } from "../../circuits/index.ts";
import { Ciphertext, Context, Evaluator } from "../../ckks/index.ts";
import { NullBackend } from "../../kernels/index.ts";
import {
  axisPlaces,
  ciphertextsOf,
  couplingOf,
  describeOperation,
  inputCoupling,
  type Operation,
  type Part,
  range,
  readsOf,
  slotsOf,
  type Tensor,
} from "../../program/index.ts";
import { emptyWeights, RecordingKeys } from "../costs/index.ts";
import { buildGraph } from "../graph/index.ts";
import { Environment } from "./environment.ts";
import { executeOperation, isSumming, partialSums } from "./execute.ts";

const cases: readonly (GeometryCase & { title: string; length: number; logN: number })[] = [
  { title: "long layout, two blocks, two groups", ...longCases.blocksAndGroups },
  { title: "long layout, one block, one group", ...longCases.oneGroup },
  { title: "long layout, giant steps of inputs", ...longCases.turnedInputs },
  { title: "long layout, sums over Q", ...longCases.manyOutputs },
  {
    title: "short layout",
    shape: { hidden: 8, heads: 2, inner: 20 },
    tokens: 8,
    length: 5,
    spread: 1,
    logN: 8,
  },
];

class Bench {
  readonly program;
  readonly backend = new NullBackend();
  readonly #environment: Environment;
  readonly #context: Context;

  constructor(one: (typeof cases)[number]) {
    const { checkpoint, calibration } = smallModel(one.shape);
    this.program = buildGraph(checkpoint.config, calibration, geometryOf(one), one.length);
    this.#context = new Context(bootParameters(one.logN), this.backend);
    const bootstrapper = new Bootstrapper(this.#context, slotsOf(this.program.geometry));
    const evaluator = new Evaluator(this.#context, new RecordingKeys(this.#context, this.backend));
    this.#environment = new Environment(evaluator, this.program.geometry, one.length, bootstrapper);
  }

  /** Operations at a level they can run at, and a bootstrapping of two tensors. */
  operations(): Operation[] {
    const operations = this.program.operations.filter(({ kind }) => kind !== "input" && kind !== "output");
    const key = operations.find(({ kind }) => kind === "linear") as Operation;
    const inputs = key.outputs.slice(0, 2);
    const bootstrap = { id: 0, kind: "bootstrap", path: ["test"], inputs, outputs: inputs, depth: 0, target: 5 };
    return [...operations, bootstrap as Operation].map((operation) => ({ ...operation, level: 8 }) as Operation);
  }

  /** Numbers of each input that running the part reads. */
  run(operation: Operation, part: Part, partial: boolean): number[][] {
    const read = operation.inputs.map(() => new Set<number>());
    const inputs = operation.inputs.map((name, i) => {
      const list = range(ciphertextsOf(this.tensor(name))).map(() => this.#fake());
      return new Proxy(list, {
        get(target, property, receiver) {
          if (typeof property === "string" && /^\d+$/.test(property)) read[i].add(Number(property));
          return Reflect.get(target, property, receiver);
        },
      });
    });
    const constants = { weights: (linear: Operation, index: number) => emptyWeights(this.program, linear, index) };
    const execute = partial ? partialSums : executeOperation;
    execute(this.#environment, this.program, operation, inputs, constants, part);
    return read.map((set) => [...set].sort((a, b) => a - b));
  }

  tensor(name: string): Tensor {
    return this.program.tensors[name] as Tensor;
  }

  #fake(): Ciphertext {
    const { parameters, ring } = this.#context;
    const poly = () => ring.poly(parameters.moduli(8), "ntt");
    return new Ciphertext([poly(), poly()], 8, parameters.scale, slotsOf(this.program.geometry));
  }
}

describe.each(cases)("$title", (one) => {
  const bench = new Bench(one);
  const operations = bench.operations();

  test("every ciphertext reads what the table says", () => {
    for (const operation of operations) {
      for (const [o, name] of operation.outputs.entries()) {
        for (const number of range(ciphertextsOf(bench.tensor(name)))) {
          const outputs = operation.outputs.map((_, k) => (k === o ? [number] : []));
          expect(bench.run(operation, { outputs }, false), `${describeOperation(operation)} ${name} ${number}`).toEqual(
            readsOf(bench.program, operation, { outputs }),
          );
        }
      }
    }
  });

  test("partial sums read the terms that they sum", () => {
    for (const operation of operations.filter((operation) => isSumming(bench.program, operation))) {
      const input = bench.tensor(operation.inputs[0]);
      const unit = input.axis === "diagonal" ? bench.program.geometry.babySteps : 1;
      const summed = range(Math.ceil(input.count / 2 / unit) * unit);
      const outputs = operation.outputs.map((name) => [ciphertextsOf(bench.tensor(name)) - 1]);
      const part = { outputs, summed };
      expect(bench.run(operation, part, true), describeOperation(operation)).toEqual(
        readsOf(bench.program, operation, part),
      );
    }
  });

  test("axes are coupled as the table says", () => {
    for (const operation of operations) {
      const entry = couplingOf(bench.program.geometry, operation.kind);
      const number = 0;
      const outputs = operation.outputs.map((_, k) => (k === 0 ? [number] : []));
      const read = bench.run(operation, { outputs }, false);
      for (const [i, name] of operation.inputs.entries()) {
        const { axis } = inputCoupling(entry, i);
        const tensor = bench.tensor(name);
        const places = axisPlaces(tensor, read[i]);
        const place = `${describeOperation(operation)}, input ${name}: ${axis}`;
        if (axis === "pointwise" && operation.kind !== "bootstrap") expect(places, place).toEqual([0]);
        else if (axis !== "pointwise") expect(places, place).toEqual(range(tensor.count));
      }
    }
  });

  test("limbs and coefficients are coupled as the table says", () => {
    const { work } = bench.backend;
    for (const operation of operations) {
      const before = { ...work };
      const outputs = operation.outputs.map((_, k) => (k === 0 ? [0] : []));
      bench.run(operation, { outputs }, false);
      const entry = couplingOf(bench.program.geometry, operation.kind);
      const place = describeOperation(operation);
      const copies = operation.kind === "replicate" && bench.program.geometry.lanes === bench.program.geometry.width;
      if (copies) continue; // nothing to replicate
      expect(work.convert > before.convert, place).toBe(entry.limb === "gathered");
      expect(work.ntt > before.ntt || work.automorphism > before.automorphism, place).toBe(
        entry.coefficient === "gathered",
      );
    }
  });
});
