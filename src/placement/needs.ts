/** What every device will read of every tensor, at which level, and which operation asks first. */
import { allOf, type Operation, type Part, type Program, range, readsOf, type Tensor } from "../program/index.ts";
import { isSumming } from "../transformer/index.ts";
import { bootstrapShares } from "./pair-shares.ts";
import { axisShares, owned } from "./shares.ts";
import type { Mode } from "./strategies.ts";

/** The parts of an operation by device; `summed` in sums, absent in whole parts. */
export interface OperationParts {
  /** Numbers owned of each output, by device: [device][output]. */
  readonly results: readonly (readonly (readonly number[])[])[];
  /** Terms that each device sums, where sums meet afterwards. */
  readonly summed: readonly (readonly number[])[] | undefined;
}

/** How a mode shares out an operation. */
export function partsOf(program: Program, operation: Operation, mode: Mode, devices: number): OperationParts {
  const { geometry, tensors } = program;
  const outputs = operation.outputs.map((name) => tensors[name] as Tensor);
  const byOutput =
    operation.kind === "bootstrap" && mode === "axis"
      ? bootstrapShares(
          operation.inputs.map((name) => tensors[name] as Tensor),
          devices,
        )
      : outputs.map((tensor, o) => owned(geometry, tensor, o, mode, devices));
  const results = range(devices).map((d) => byOutput.map((shares) => shares[d] as number[]));
  if (!mode.startsWith("summed") || !isSumming(program, operation)) return { results, summed: undefined };
  return { results, summed: axisShares(geometry, tensors[operation.inputs[0] as string] as Tensor, devices) };
}

/** The part that a device works on before sums meet. */
export function workPart(parts: OperationParts, outputs: readonly Tensor[], device: number): Part {
  if (parts.summed === undefined) return { outputs: parts.results[device] as number[][] };
  const summed = parts.summed[device] as number[];
  return {
    outputs: outputs.map(({ blocks, count }) => (summed.length === 0 ? [] : range(blocks * count))),
    summed,
  };
}

/** One ciphertext on one device. */
export interface Need {
  /** Highest level that it is read at. */
  level: number;
  /** The first operation that reads it, as an index. */
  readonly first: number;
}

/** By tensor, device and number. */
export type Needs = Map<string, Map<number, Need>[]>;

/**
 * Needs of all operations under the modes chosen for them.
 *
 * @param everywhere every device asks for all of what any device reads
 */
export function needsOf(
  program: Program,
  modes: readonly Mode[],
  devices: number,
  bootstrapInput: number,
  everywhere = false,
): Needs {
  const needs: Needs = new Map();
  for (const [index, operation] of program.operations.entries()) {
    if (operation.kind === "input" || operation.kind === "output") continue;
    const parts = partsOf(program, operation, modes[index] as Mode, devices);
    const outputs = operation.outputs.map((name) => program.tensors[name] as Tensor);
    const level = operation.kind === "bootstrap" ? bootstrapInput : (operation.level as number);
    for (let device = 0; device < devices; device++) {
      const reads = readsOf(program, operation, workPart(parts, outputs, device));
      for (const [i, name] of operation.inputs.entries()) {
        const byDevice = needs.get(name) ?? range(devices).map(() => new Map<number, Need>());
        needs.set(name, byDevice);
        const mine = byDevice[device] as Map<number, Need>;
        const numbers = everywhere ? allOf(program.tensors[name] as Tensor) : (reads[i] as number[]);
        for (const number of numbers) {
          const present = mine.get(number);
          if (present === undefined) mine.set(number, { level, first: index });
          else present.level = Math.max(present.level, level);
        }
      }
    }
  }
  return needs;
}
