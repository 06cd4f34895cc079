/** Which ciphertexts a device reads or sends over a plan, and when for the last time. */
import { ciphertextsOf, type Operation, type Program, readsOf, type Tensor } from "../program/index.ts";
import type { Step } from "./plan.ts";

/** Some ciphertexts of a tensor. */
export interface Some {
  readonly tensor: string;
  /** Ascending. */
  readonly numbers: readonly number[];
}

export interface Uses {
  /** By tensor and number: the last step at which the device reads or sends it; −1 where it never does. */
  readonly last: ReadonlyMap<string, Int32Array>;
  /** By step: what the device will not read or send any more after it. */
  readonly ended: readonly (readonly Some[])[];
}

export function usesOf(program: Program, steps: readonly Step[], device: number): Uses {
  const last = new Map<string, Int32Array>();
  const of = (name: string): Int32Array => {
    let list = last.get(name);
    if (list === undefined)
      last.set(name, (list = new Int32Array(ciphertextsOf(program.tensors[name] as Tensor)).fill(-1)));
    return list;
  };
  for (const [index, step] of steps.entries()) {
    if (step.kind === "transfer") {
      if (step.form === "sums") continue;
      for (const { from, indices } of step.moves) {
        if (from !== device) continue;
        const list = of(step.tensor);
        for (const number of indices) list[number] = index;
      }
      continue;
    }
    const operation = program.operations[step.operation] as Operation;
    const part = step.kind === "cut" ? step.part : step.parts[device];
    if (part === null || part === undefined || (step.kind === "compute" && step.phase === "finish")) continue;
    for (const [i, numbers] of readsOf(program, operation, part).entries()) {
      const list = of(operation.inputs[i] as string);
      for (const number of numbers) list[number] = index;
    }
  }
  return { last, ended: endings(last, steps.length) };
}

function endings(last: ReadonlyMap<string, Int32Array>, steps: number): Some[][] {
  const ended: { tensor: string; numbers: number[] }[][] = Array.from({ length: steps }, () => []);
  for (const [tensor, list] of last) {
    for (let number = 0; number < list.length; number++) {
      const index = list[number] as number;
      if (index === -1) continue;
      const here = ended[index] as { tensor: string; numbers: number[] }[];
      const latest = here.at(-1);
      if (latest?.tensor === tensor) latest.numbers.push(number);
      else here.push({ tensor, numbers: [number] });
    }
  }
  return ended;
}

/** Whether the device ever reads or sends a ciphertext. */
export function isUsed({ last }: Uses, tensor: string, number: number): boolean {
  const index = last.get(tensor)?.[number];
  return index !== undefined && index !== -1;
}

/** Numbers of the program's input that the device reads. */
export function inputNumbers(program: Program, { last }: Uses): number[] {
  const numbers: number[] = [];
  for (const [number, index] of (last.get(program.input) ?? []).entries()) if (index !== -1) numbers.push(number);
  return numbers;
}
