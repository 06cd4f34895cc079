/** A small model compiled for an insecure ring, with its client and its server. */
import { Context, type EvaluationKey, insecureRandomness } from "../../src/ckks/index.ts";
import { Client } from "../../src/client/index.ts";
import { type Backend, createBackend, kernelNames } from "../../src/kernels/index.ts";
import { embed } from "../../src/model/index.ts";
import type { Program } from "../../src/program/index.ts";
import { type Requirements, requirements } from "../../src/runtime/index.ts";
import { Server } from "../../src/server/index.ts";
import { compile, type KernelTimes, Twin } from "../../src/transformer/index.ts";
import { type GeometryCase, geometryOf } from "./geometry.ts";
import { bootParameters, type SmallModel, smallModel } from "./transformer.ts";

/** The same seconds for all work, so that schedules do not depend on the machine. */
export const evenTimes = Object.fromEntries(kernelNames.map((name) => [name, 1e-9])) as KernelTimes;

export interface SmallCase extends GeometryCase {
  readonly logN: number;
  readonly length: number;
}

export interface SmallProgram {
  readonly model: SmallModel;
  readonly program: Program;
  readonly context: Context;
  readonly backend: Backend;
  readonly needed: Requirements;
  /** Used backend memory before client and server are made. */
  readonly base: number;
}

/** Compiles for a backend of its own. */
export async function smallProgram(one: SmallCase): Promise<SmallProgram> {
  const model = smallModel(one.shape);
  const parameters = bootParameters(one.logN);
  const { program } = compile(model.checkpoint.config, model.calibration, parameters, {
    length: one.length,
    times: evenTimes,
    geometry: geometryOf(one),
  });
  const needed = await requirements(program, parameters);
  const backend = await createBackend("wasm");
  const context = new Context(parameters, backend);
  return { model, program, context, backend, needed, base: backend.memory().used };
}

/** A client with reproducible keys, and a server that holds what the program needs (but for one key). */
export function parties(
  { context, model, program, needed }: SmallProgram,
  seed = 7,
  withheld = "",
): { client: Client; server: Server; keys: EvaluationKey[] } {
  const client = new Client(context, model.checkpoint, insecureRandomness(seed));
  const server = new Server(context, model.checkpoint, program);
  const keys = [...client.keys(needed.keys)].filter(({ name }) => name !== withheld);
  for (const key of keys) server.addKey(key);
  return { client, server, keys };
}

/** The twin's logits of the model's text of the program's length. */
export function twinLogits({ model, program }: SmallProgram): Float64Array {
  return new Twin(model.checkpoint).run(program, embed(model.checkpoint, model.ids(program.length))).logits;
}
