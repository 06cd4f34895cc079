/**
 * What an operation needs besides ciphertexts: keys, and workspace. A sample of it, small but with
 * every rotation, is run on a null backend; samples of one shape and level are run once.
 */
import type { Bootstrapper } from "../circuits/index.ts";
import { Ciphertext, type Context, Evaluator, type KeyName } from "../ckks/index.ts";
import type { NullBackend } from "../kernels/index.ts";
import {
  ciphertextsOf,
  diagonalCount,
  type Operation,
  type Part,
  type Program,
  range,
  readsOf,
  slotsOf,
  type Tensor,
  workOf,
} from "../program/index.ts";
import { Environment, emptyWeights, executeOperation, hoistsAtOnce, RecordingKeys } from "../transformer/index.ts";

export interface Sample {
  /** Highest level each key is used at. */
  readonly keys: ReadonlyMap<KeyName, number>;
  /** Most bytes beside inputs and keys, with the sample's few results among them. */
  readonly workspace: number;
  /** Results of each output among them. */
  readonly results: readonly number[];
}

export class Samples {
  readonly #program: Program;
  readonly #context: Context;
  readonly #backend: NullBackend;
  readonly #bootstrapper: Bootstrapper | undefined;
  readonly #known = new Map<string, Sample>();
  /** Bytes of the plaintexts of bootstrapping's transforms, which stay. */
  readonly transformBytes: number;

  /**
   * @param context over `backend`, in which nothing but the bootstrapper's transforms lies yet
   * @param bootstrapper its transforms are not counted as workspace
   */
  constructor(program: Program, context: Context, backend: NullBackend, bootstrapper: Bootstrapper | undefined) {
    this.#program = program;
    this.#context = context;
    this.#backend = backend;
    this.#bootstrapper = bootstrapper;
    this.transformBytes = bootstrapper === undefined ? 0 : backend.memory().used;
  }

  of(operation: Operation): Sample {
    const key = workOf(this.#program, operation);
    let sample = this.#known.get(key);
    if (sample === undefined) this.#known.set(key, (sample = this.#run(operation)));
    return sample;
  }

  #run(operation: Operation): Sample {
    const keys = new RecordingKeys(this.#context, this.#backend);
    const { geometry, length, tensors } = this.#program;
    const environment = new Environment(
      new Evaluator(this.#context, keys),
      geometry,
      length,
      operation.kind === "bootstrap" ? this.#bootstrapper : undefined,
    );
    const part = samplePart(this.#program, operation);
    const reads = readsOf(this.#program, operation, part);
    const inputs = operation.inputs.map((name, i) => {
      const tensor = tensors[name] as Tensor;
      const list: (Ciphertext | undefined)[] = new Array(ciphertextsOf(tensor));
      for (const number of reads[i] as number[]) list[number] = this.#fake(tensor);
      return list;
    });
    const constants = { weights: (linear: Operation, index: number) => emptyWeights(this.#program, linear, index) };
    this.#backend.forgetPeak();
    const before = this.#backend.memory().used;
    const results = executeOperation(environment, this.#program, operation, inputs, constants, part);
    const workspace = Math.max(0, this.#backend.memory().peak - before);
    for (const a of [...inputs, ...results].flat()) a?.dispose();
    keys.dispose();
    return { keys: keys.levels, workspace, results: part.outputs.map(({ length }) => length) };
  }

  #fake({ level }: Tensor): Ciphertext {
    const { ring, parameters } = this.#context;
    const moduli = parameters.moduli(level as number);
    const poly = () => ring.poly(moduli, "ntt");
    return new Ciphertext([poly(), poly()], level as number, parameters.scale, slotsOf(this.#program.geometry));
  }
}

/** Few ciphertexts that take every rotation which the whole operation takes. */
function samplePart({ geometry, tensors }: Program, operation: Operation): Part {
  const outputs = operation.outputs.map((name) => tensors[name] as Tensor);
  const first = outputs.map(({ blocks, count }) => (blocks * count > 0 ? [0] : []));
  if (geometry.layout === "short") return { outputs: outputs.map((tensor) => range(ciphertextsOf(tensor))) };
  switch (operation.kind) {
    case "scores": {
      // Every giant step once, every baby step once.
      const { babySteps } = geometry;
      const perBlock = diagonalCount(geometry) / geometry.blocks;
      const rows = range(perBlock / babySteps).map((row) => row * babySteps);
      return { outputs: [[...new Set([...range(babySteps), ...rows])].sort((a, b) => a - b)], summed: [0] };
    }
    case "linear": {
      const { count } = tensors[operation.inputs[0] as string] as Tensor;
      return { outputs: first, summed: range(Math.min(count, hoistsAtOnce)) };
    }
    case "context":
    case "denominators":
      return { outputs: first, summed: range(diagonalCount(geometry) / geometry.blocks) };
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
