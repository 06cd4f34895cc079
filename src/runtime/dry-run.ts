/**
 * A program on the null device: what it will need before anything runs. The same code as a real
 * run, with a backend that only counts.
 */
import { Bootstrapper, ephemeralSpecialCount } from "../circuits/index.ts";
import {
  Ciphertext,
  Context,
  Evaluator,
  type KeyName,
  type KeyUse,
  type Parameters,
  pagedBytes,
  residentKeyBytes,
} from "../ckks/index.ts";
import { type KernelWork, type MemoryReport, NullBackend } from "../kernels/index.ts";
import { bootstrapPairs, ciphertextsOf, type Program, slotsOf, type Tensor } from "../program/index.ts";
import { Environment, emptyWeights, RecordingKeys } from "../transformer/index.ts";
import { CountingKeys, type KeyUses } from "./counting-keys.ts";
import { runProgram } from "./run.ts";

/** A key that a program asks for. */
export interface NeededKey {
  readonly name: KeyName;
  /** Highest level it is used at. */
  readonly level: number;
  readonly bytes: number;
}

export interface Requirements {
  readonly keys: readonly NeededKey[];
  /** Bytes of all keys, both halves. */
  readonly keyBytes: number;
  /** Bytes of all keys on the wire, uniform halves as seeds. */
  readonly compressedKeyBytes: number;
  /** Peak bytes of ciphertexts, plaintexts and workspace in the backend, without keys and the kernels' own tables. */
  readonly workBytes: number;
  readonly counts: KeyUses & { readonly bootstraps: number };
  readonly work: KernelWork;
  /** Keys in the order in which a run asks for them. */
  readonly keySequence: readonly KeyUse[];
}

/** Runs the program on the null device. */
export async function requirements(program: Program, parameters: Parameters): Promise<Requirements> {
  const backend = new NullBackend();
  const context = new Context(parameters, backend);
  const recorded = new RecordingKeys(context);
  const keys = new CountingKeys(recorded);
  using bootstrapper = new Bootstrapper(context, slotsOf(program.geometry));
  const environment = new Environment(new Evaluator(context, keys), program.geometry, program.length, bootstrapper);
  const embeddings = program.tensors[program.input] as Tensor;
  const level = embeddings.level as number;
  const moduli = parameters.moduli(level);
  const input = Array.from(
    { length: ciphertextsOf(embeddings) },
    () =>
      new Ciphertext(
        [context.ring.poly(moduli, "ntt"), context.ring.poly(moduli, "ntt")],
        level,
        parameters.scale,
        slotsOf(program.geometry),
      ),
  );
  const { output } = await runProgram(
    program,
    environment,
    { weights: (operation, index) => emptyWeights(program, operation, index) },
    input,
  );
  for (const a of [...output, ...input]) a.dispose();
  const needed = [...recorded.levels].map(([name, highest]) => ({
    name,
    level: highest,
    bytes: parameters.keyBytes(highest).expanded,
  }));
  return {
    keys: needed.sort((a, b) => b.level - a.level || (a.name < b.name ? -1 : 1)),
    keyBytes: needed.reduce((sum, key) => sum + key.bytes, 0),
    compressedKeyBytes: needed.reduce((sum, key) => sum + parameters.keyBytes(key.level).compressed, 0),
    workBytes: backend.memory().peak - recorded.bytes,
    counts: { ...keys.uses, bootstraps: bootstrapCount(program) },
    work: { ...backend.work },
    keySequence: recorded.sequence,
  };
}

/** Bootstrappings of a run; a pair counts once. */
function bootstrapCount(program: Program): number {
  let count = 0;
  for (const operation of program.operations) {
    if (operation.kind !== "bootstrap") continue;
    count += bootstrapPairs(operation.inputs.map((name) => program.tensors[name] as Tensor)).length;
  }
  return count;
}

/** Backend memory that is left for keys beside a run, with a little room: keys give way when it runs out. */
export function keyBudget({ used, limit }: MemoryReport, { workBytes }: Requirements): number {
  return Math.max(2 ** 28, 0.92 * (limit - used - workBytes));
}

/** Bytes of keys that a run pages into backend memory when resident keys may take `budget` bytes. */
export function keyTraffic(needed: Requirements, context: Context, budget: number): number {
  return pagedBytes(needed.keySequence, budget, ({ name, level }) =>
    residentKeyBytes(
      context,
      level,
      name === "dense-to-sparse" ? ephemeralSpecialCount : context.parameters.specialCount,
    ),
  );
}
