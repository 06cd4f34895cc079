/** The plan of one device: everything on it, in chunks that bound its workspace. */
import { bootstrapLevels } from "../circuits/index.ts";
import type { Parameters } from "../ckks/index.ts";
import type { Program } from "../program/index.ts";
import { defaultChunkBytes } from "../transformer/index.ts";
import { expand } from "./expand.ts";
import type { Plan } from "./plan.ts";

export function singlePlan(
  program: Program,
  parameters: Parameters,
  { digest = "", chunkBytes = defaultChunkBytes }: { digest?: string; chunkBytes?: number } = {},
): Plan {
  const steps = expand(
    program,
    program.operations.map(() => "single" as const),
    { devices: 1, overlap: true, ring: parameters, bootstrapInput: lowestInput(parameters), chunkBytes },
  );
  return { format: 1, strategy: "aegis", devices: 1, overlap: true, program: digest, preset: program.preset, steps };
}

/** Lowest level that bootstrapping takes; 0 where there is none. */
export function lowestInput(parameters: Parameters): number {
  return parameters.spec.bootstrapping === undefined ? 0 : bootstrapLevels(parameters).input;
}
