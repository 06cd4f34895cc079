/**
 * What an operation needs besides ciphertexts: keys, and workspace. A sample of it, small but with
 * every rotation other than giant steps, of which two will do, is traced, or run on a null backend where it is a sum of
 * the long layout; samples of one shape and level are made once.
 */
import { Ciphertext, type Context, Evaluator, type KeyName, reducedSteps, rotationElement } from "../ckks/index.ts";
import type { NullBackend } from "../kernels/index.ts";
import {
  bootstrapPairs,
  ciphertextsOf,
  diagonalAt,
  diagonalCount,
  type Geometry,
  type Operation,
  type Part,
  type Program,
  range,
  readsOf,
  slotsOf,
  type Tensor,
  workOf,
} from "../program/index.ts";
import {
  dimensionsAtOnce,
  Environment,
  emptyWeights,
  executeOperation,
  giantStep,
  hoistsAtOnce,
  isSumming,
  type OperationCosts,
  RecordingKeys,
} from "../transformer/index.ts";

export interface Sample {
  /** Highest level each key is used at. */
  readonly keys: ReadonlyMap<KeyName, number>;
  /** Most bytes beside inputs and keys, with the sample's few results among them. */
  readonly workspace: number;
  /** Results of each output among them. */
  readonly results: readonly number[];
  /** Giant steps of scores among them: each has its own rotations of the queries. */
  readonly giants: number;
}

export class Samples {
  readonly #program: Program;
  readonly #context: Context;
  readonly #backend: NullBackend;
  readonly #costs: OperationCosts;
  readonly #known = new Map<string, Sample>();
  /** Bytes of the plaintexts of bootstrapping's transforms, which stay. */
  readonly transformBytes: number;

  /**
   * @param context over `backend`, in which nothing lies yet
   * @param costs prices of calls, and traces, of the same program
   */
  constructor(program: Program, context: Context, backend: NullBackend, costs: OperationCosts) {
    this.#costs = costs;
    this.#program = program;
    this.#context = context;
    this.#backend = backend;
    const bootstraps = program.operations.some(({ kind }) => kind === "bootstrap");
    this.transformBytes = bootstraps ? (costs.traces.bootstrapper?.plaintextBytes ?? 0) : 0;
  }

  of(operation: Operation): Sample {
    const key = this.#key(operation);
    let sample = this.#known.get(key);
    if (sample === undefined) {
      sample = isSumming(this.#program, operation) ? this.#run(operation) : this.#trace(operation);
      this.#known.set(key, sample);
    }
    return sample;
  }

  /** Bootstraps work at levels of their own, wherever they are taken up and dropped to. */
  #key(operation: Operation): string {
    if (operation.kind !== "bootstrap") return workOf(this.#program, operation);
    const [first = []] = bootstrapPairs(operation.inputs.map((name) => this.#program.tensors[name] as Tensor));
    return `bootstrap ${first.length} of ${operation.outputs.length}`;
  }

  #trace(operation: Operation): Sample {
    const part = samplePart(this.#program, operation);
    const { keys, bytes } = this.#costs.sample(operation, part);
    return { keys, workspace: bytes, results: part.outputs.map(({ length }) => length), giants: 0 };
  }

  /** Sums of the long layout, which are not told to evaluators alone. */
  #run(operation: Operation): Sample {
    const keys = new RecordingKeys(this.#context, this.#backend);
    const { geometry, length } = this.#program;
    const environment = new Environment(new Evaluator(this.#context, keys), geometry, length);
    const part = samplePart(this.#program, operation);
    const reads = readsOf(this.#program, operation, part);
    const inputs = operation.inputs.map((name, i) => {
      const tensor = this.#program.tensors[name] as Tensor;
      const list: (Ciphertext | undefined)[] = new Array(ciphertextsOf(tensor));
      for (const number of reads[i] as number[]) list[number] = this.#fake(tensor);
      return list;
    });
    const constants = { weights: (linear: Operation, index: number) => emptyWeights(this.#program, linear, index) };
    this.#backend.forgetPeak();
    const before = this.#backend.memory().used;
    const results = executeOperation(environment, this.#program, operation, inputs, constants, part);
    const workspace = Math.max(0, this.#backend.memory().peak - before);
    keys.keys(giantKeys(this.#program, operation, this.#context), operation.level as number);
    for (const a of [...inputs, ...results].flat()) a?.dispose();
    keys.dispose();
    const giants = operation.kind === "scores" ? giantsOf(geometry, part.outputs[0] as readonly number[]) : 0;
    return { keys: keys.levels, workspace, results: part.outputs.map(({ length }) => length), giants };
  }

  #fake({ level }: Tensor): Ciphertext {
    const { ring, parameters } = this.#context;
    const moduli = parameters.moduli(level as number);
    const poly = () => ring.poly(moduli, "ntt");
    return new Ciphertext([poly(), poly()], level as number, parameters.scale, slotsOf(this.#program.geometry));
  }
}

/** Distinct giant steps of scores, in the long layout. */
export function giantsOf(geometry: Geometry, numbers: readonly number[]): number {
  if (geometry.layout === "short") return 0;
  const count = diagonalCount(geometry);
  return new Set(numbers.map((number) => diagonalAt(geometry, number % count).giant)).size;
}

/** Keys of all giant steps. */
function giantKeys({ geometry }: Program, { kind }: Operation, { parameters }: Context): KeyName[] {
  if (geometry.layout === "short" || (kind !== "scores" && kind !== "context" && kind !== "denominators")) return [];
  const giants = range(diagonalCount(geometry) / geometry.blocks / geometry.babySteps).slice(1);
  const step = kind === "scores" ? -giantStep(geometry) : giantStep(geometry);
  return giants.map((giant): KeyName => {
    const steps = reducedSteps(giant * step, slotsOf(geometry));
    return `galois-${rotationElement(steps, parameters.degree)}`;
  });
}

/** Few ciphertexts that take every rotation which the whole operation takes, but for giant steps after the first. */
function samplePart({ geometry, tensors }: Program, operation: Operation): Part {
  const outputs = operation.outputs.map((name) => tensors[name] as Tensor);
  const first = outputs.map(({ blocks, count }) => (blocks * count > 0 ? [0] : []));
  if (geometry.layout === "short") return { outputs: outputs.map((tensor) => range(ciphertextsOf(tensor))) };
  switch (operation.kind) {
    case "scores": {
      // Every baby step once, and a second giant step.
      const { babySteps } = geometry;
      const perBlock = diagonalCount(geometry) / geometry.blocks;
      return {
        outputs: [range(Math.min(babySteps + 1, perBlock))],
        summed: range(Math.min(dimensionsAtOnce, geometry.headSize)),
      };
    }
    case "linear": {
      const { count } = tensors[operation.inputs[0] as string] as Tensor;
      return { outputs: first, summed: range(Math.min(count, hoistsAtOnce)) };
    }
    case "context":
    case "denominators":
      // Giant steps come one after another.
      return {
        outputs: first,
        summed: range(Math.min(2 * geometry.babySteps, diagonalCount(geometry) / geometry.blocks)),
      };
    case "square-sum":
      return { outputs: first, summed: [0] };
    case "bootstrap": {
      const [a] = outputs as [Tensor];
      const pair = a.count > 1 ? [0, 1] : [0];
      return { outputs: outputs.map((_, o) => (o === 0 ? pair : [])) };
    }
    default:
      return { outputs: first };
  }
}
