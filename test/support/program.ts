/** A small compiled program and what its parameters can do, for tests of programs. */
import { bootstrapLevels } from "../../src/circuits/index.ts";
import type { Operation, OperationKind, Program } from "../../src/program/program.ts";
import type { Capabilities } from "../../src/program/verify.ts";
import { compile } from "../../src/transformer/index.ts";
import { geometryOf } from "./geometry.ts";
import { evenTimes } from "./run.ts";
import { bootParameters, smallModel } from "./transformer.ts";

export type Writable<T> = { -readonly [K in keyof T]: T[K] extends object ? Writable<T[K]> : T[K] };
export type Draft = Writable<Program>;

export function smallProgram(): { program: Program; capabilities: Capabilities } {
  const shape = { hidden: 8, heads: 2, inner: 20 };
  const model = smallModel(shape);
  const parameters = bootParameters(8);
  const levels = bootstrapLevels(parameters);
  const geometry = geometryOf({ shape, tokens: 4, spread: 2 });
  const { program } = compile(model.checkpoint.config, model.calibration, parameters, {
    length: 3,
    times: evenTimes,
    geometry,
  });
  const capabilities = {
    maximumSlots: parameters.maximumSlots,
    maximumLevel: parameters.maximumLevel,
    bootstrapLevel: levels.output,
    bootstrapInput: levels.input,
  };
  return { program, capabilities };
}

/** The first operation of a kind. */
export const find = (draft: Draft, kind: OperationKind): Writable<Operation> =>
  draft.operations.find((one) => one.kind === kind) as Writable<Operation>;
