/** Which ciphertexts a device reads or sends over a plan, and when for the last time. */
import { type Operation, type Program, readsOf } from "../program/index.ts";
import type { Step } from "./plan.ts";

/** Ciphertexts are named `tensor number`. */
export interface Uses {
  /** All that the device ever reads or sends. */
  readonly used: ReadonlySet<string>;
  /** By step: what the device will not read or send any more after it. */
  readonly ended: readonly (readonly string[])[];
}

export function usesOf(program: Program, steps: readonly Step[], device: number): Uses {
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
    const part = step.kind === "cut" ? step.part : step.parts[device];
    if (part === null || part === undefined || (step.kind === "compute" && step.phase === "finish")) continue;
    for (const [i, numbers] of readsOf(program, operation, part).entries())
      for (const number of numbers) last.set(`${operation.inputs[i]} ${number}`, index);
  }
  const ended: string[][] = steps.map(() => []);
  for (const [key, index] of last) ended[index]?.push(key);
  return { used: new Set(last.keys()), ended };
}

/** Numbers of the program's input that the device reads. */
export function inputNumbers(program: Program, { used }: Uses): number[] {
  const prefix = `${program.input} `;
  return [...used].filter((key) => key.startsWith(prefix)).map((key) => Number(key.slice(prefix.length)));
}
