/** Memory of every device over a plan: what is alive, what an operation works with, which keys it uses. */
import type { KeyName, Parameters } from "../ckks/index.ts";
import { limbPadding } from "../kernels/index.ts";
import { type Operation, type Program, type Tensor, wholePart } from "../program/index.ts";
import type { Plan } from "./plan.ts";
import type { Samples } from "./samples.ts";
import { sumBytes } from "./sizes.ts";
import { usesOf } from "./uses.ts";

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
  return Array.from({ length: plan.devices }, (_, device) => deviceMemory(program, plan, parameters, samples, device));
}

/** Bytes of a ciphertext in backend memory. */
function held(parameters: Parameters, level: number): number {
  return 2 * parameters.limbs(level) * (4 * parameters.degree + limbPadding);
}

function deviceMemory(
  program: Program,
  plan: Plan,
  parameters: Parameters,
  samples: Samples,
  device: number,
): DeviceMemory {
  const share = plan.steps.some(({ kind }) => kind === "cut") ? plan.devices : 1;
  const { used: names, ended } = usesOf(program, plan.steps, device);
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
    if (key.startsWith(`${program.input} `)) enter(alive, key, held(parameters, input.level as number) / share);
  }
  for (const [index, step] of plan.steps.entries()) {
    const operation = program.operations[step.operation] as Operation;
    const parts =
      step.kind === "compute" ? step.parts[device] : step.kind === "cut" ? wholePart(program, operation) : null;
    if (step.kind !== "transfer" && parts !== null && parts !== undefined) {
      const phase = step.kind === "cut" ? "whole" : step.phase;
      const sample = samples.of(operation);
      for (const [name, level] of sample.keys) keys.set(name, Math.max(level, keys.get(name) ?? 0));
      for (const [o, name] of operation.outputs.entries()) {
        const level = (program.tensors[name] as Tensor).level as number;
        for (const number of parts.outputs[o] as readonly number[]) {
          if (phase === "sums") enter(sums, `${name} ${number}`, sumBytes(parameters, program, operation, o));
          else {
            leave(sums, `${name} ${number}`);
            enter(alive, `${name} ${number}`, held(parameters, level) / share);
          }
        }
      }
      const workspace = sample.workspace / share;
      if (used + workspace > best.activations + best.workspace)
        best = { activations: used, workspace, operation: step.operation };
    } else if (step.kind === "transfer") {
      const bytes = step.form === "sums" ? step.unitBytes : held(parameters, step.level);
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
  for (const level of keys.values()) keyBytes += parameters.keyBytes(level).expanded / share;
  return { ...best, keys: keyBytes, keyNames: keys, total: best.activations + best.workspace + keyBytes };
}
