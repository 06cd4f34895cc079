/** Memory of every device over a plan: what is alive, what an operation works with, which keys it uses. */
import type { KeyName, Parameters } from "../ckks/index.ts";
import { type Operation, type Part, type Program, range, type Tensor } from "../program/index.ts";
import { isSumming } from "../transformer/index.ts";
import { cutSizes, type HeldSizes, wholeSizes } from "./held-sizes.ts";
import type { Plan } from "./plan.ts";
import type { Sample, Samples } from "./samples.ts";
import { isCut } from "./strategies.ts";
import { type Uses, usesOf } from "./uses.ts";

export interface DeviceMemory {
  /** Bytes at the fullest moment: ciphertexts and sums that are alive, and workspace. */
  readonly activations: number;
  readonly workspace: number;
  /** The operation of that moment. */
  readonly operation: number;
  /** Keys that the device uses, expanded, each up to its highest level. */
  readonly keys: number;
  readonly keyNames: ReadonlyMap<KeyName, number>;
  readonly total: number;
}

export function planMemory(program: Program, plan: Plan, parameters: Parameters, samples: Samples): DeviceMemory[] {
  // On ciphertexts that are cut, all devices read the same ones.
  const same = isCut(plan.strategy) ? usesOf(program, plan.steps, 0) : undefined;
  return range(plan.devices).map((device) => {
    const uses = same ?? usesOf(program, plan.steps, device);
    return deviceMemory(program, plan, parameters, samples, device, uses);
  });
}

function deviceMemory(
  program: Program,
  plan: Plan,
  parameters: Parameters,
  samples: Samples,
  device: number,
  { used: names, ended }: Uses,
): DeviceMemory {
  const sizes = cutSizes(program, plan, parameters, device) ?? wholeSizes(program, parameters);
  const alive = new Map<string, number>();
  const sums = new Map<string, number>();
  const keys = new Map<KeyName, number>();
  let used = 0;
  let best = { activations: 0, workspace: 0, operation: 0 };
  const input = program.tensors[program.input] as Tensor;
  const enter = (map: Map<string, number>, key: string, bytes: number): void => {
    used += bytes - (map.get(key) ?? 0);
    map.set(key, bytes);
  };
  const leave = (map: Map<string, number>, key: string): void => {
    used -= map.get(key) ?? 0;
    map.delete(key);
  };
  for (const key of names) {
    if (key.startsWith(`${program.input} `)) enter(alive, key, sizes.ciphertext(input.level as number));
  }
  for (const [index, step] of plan.steps.entries()) {
    const operation = program.operations[step.operation] as Operation;
    const parts = step.kind === "compute" ? step.parts[device] : step.kind === "cut" ? step.part : null;
    if (step.kind !== "transfer" && parts !== null && parts !== undefined) {
      const phase = step.kind === "cut" ? "whole" : step.phase;
      const sample = samples.of(operation);
      for (const [name, level] of sample.keys) keys.set(name, Math.max(level, keys.get(name) ?? 0));
      for (const [o, name] of operation.outputs.entries()) {
        const level = (program.tensors[name] as Tensor).level as number;
        for (const number of parts.outputs[o] as readonly number[]) {
          if (phase === "sums") enter(sums, `${name} ${number}`, sizes.sum(operation, o));
          else {
            leave(sums, `${name} ${number}`);
            enter(alive, `${name} ${number}`, sizes.ciphertext(level));
          }
        }
      }
      const workspace =
        sizes.workspace(operation, sample.workspace) +
        (phase === "whole" ? sumsBeside(program, operation, parts, sample, sizes) : 0);
      if (used + workspace > best.activations + best.workspace)
        best = { activations: used, workspace, operation: step.operation };
    } else if (step.kind === "transfer") {
      const bytes = step.form === "sums" ? step.unitBytes : sizes.ciphertext(step.level);
      for (const { from, to, indices } of step.moves) {
        for (const number of indices) {
          const key = `${step.tensor} ${number}`;
          if (step.form === "sums" && from === device) leave(sums, key);
          if (to.includes(device)) enter(step.form === "sums" ? sums : alive, key, bytes);
        }
      }
    }
    for (const key of ended[index] as readonly string[]) leave(alive, key);
  }
  let keyBytes = 0;
  for (const level of keys.values()) keyBytes += sizes.key(level);
  return { ...best, keys: keyBytes, keyNames: keys, total: best.activations + best.workspace + keyBytes };
}

/** Sums of a part that are alive together before the first is finished, beside those that the sample has. */
function sumsBeside(program: Program, operation: Operation, part: Part, { results }: Sample, sizes: HeldSizes): number {
  if (!isSumming(program, operation)) return 0;
  return part.outputs.reduce(
    (bytes, numbers, o) => bytes + Math.max(0, numbers.length - (results[o] as number)) * sizes.sum(operation, o),
    0,
  );
}
