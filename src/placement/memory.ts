/** Memory of every device over a plan: what is alive, what an operation works with, which keys it uses. */
import type { KeyName, Parameters } from "../ckks/index.ts";
import { limbPadding } from "../kernels/index.ts";
import { type Operation, type Program, readsOf, type Tensor } from "../program/index.ts";
import type { Plan, Step } from "./plan.ts";
import type { Samples } from "./samples.ts";
import { sumBytes } from "./sizes.ts";

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
  const last = lastUses(program, plan.steps, device);
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
  for (const key of last.keys()) {
    if (key.startsWith(`${program.input} `)) enter(alive, key, held(parameters, input.level as number) / share);
  }
  for (const [index, step] of plan.steps.entries()) {
    const operation = program.operations[step.operation] as Operation;
    const parts =
      step.kind === "compute"
        ? step.parts[device]
        : step.kind === "cut"
          ? { outputs: allOutputs(program, operation) }
          : null;
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
    for (const key of last.get(`#${index}`) ?? []) leave(alive, key);
  }
  let keyBytes = 0;
  for (const level of keys.values()) keyBytes += parameters.keyBytes(level).expanded / share;
  return { ...best, keys: keyBytes, keyNames: keys, total: best.activations + best.workspace + keyBytes };
}

function allOutputs(program: Program, operation: Operation): number[][] {
  return operation.outputs.map((name) => {
    const { blocks, count } = program.tensors[name] as Tensor;
    return Array.from({ length: blocks * count }, (_, i) => i);
  });
}

/**
 * For each step (`#index`) the ciphertexts (`tensor number`) that this device will not read or send any
 * more; and every ciphertext that it ever reads or sends, as a key of its own.
 */
export function lastUses(program: Program, steps: readonly Step[], device: number): Map<string, string[]> {
  const last = new Map<string, number>();
  for (const [index, step] of steps.entries()) {
    if (step.kind === "transfer") {
      if (step.form === "sums") continue;
      for (const { from, indices } of step.moves) {
        if (from === device) for (const number of indices) last.set(`${step.tensor} ${number}`, index);
      }
      continue;
    }
    const operation = program.operations[step.operation] as Operation;
    const part = step.kind === "cut" ? { outputs: allOutputs(program, operation) } : step.parts[device];
    if (part === null || part === undefined) continue;
    if (step.kind === "compute" && step.phase === "finish") continue;
    for (const [i, numbers] of readsOf(program, operation, part).entries())
      for (const number of numbers) last.set(`${operation.inputs[i]} ${number}`, index);
  }
  const byStep = new Map<string, string[]>();
  for (const [key, index] of last) {
    byStep.set(key, []);
    const at = `#${index}`;
    const ended = byStep.get(at);
    if (ended === undefined) byStep.set(at, [key]);
    else ended.push(key);
  }
  return byStep;
}
