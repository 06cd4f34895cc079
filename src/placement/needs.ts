/** What every device will read of every tensor, at which level, and which operation asks first. */
import { ciphertextsOf, range, type Tensor } from "../program/index.ts";
import type { Sharing } from "./sharing.ts";
import type { Mode } from "./strategies.ts";

/** What one device reads of a tensor, by number. */
export interface DeviceNeeds {
  /** Highest level that a ciphertext is read at. */
  readonly level: Int8Array;
  /** The first operation that reads it, as an index; −1 where none does. */
  readonly first: Int32Array;
}

/** By tensor and device. */
export type Needs = Map<string, DeviceNeeds[]>;

/**
 * Needs of all operations under the modes chosen for them.
 *
 * @param everywhere every device asks for all of what any device reads
 */
export function needsOf(sharing: Sharing, modes: readonly Mode[], bootstrapInput: number, everywhere: boolean): Needs {
  const { program, devices } = sharing;
  const needs: Needs = new Map();
  for (const [index, operation] of program.operations.entries()) {
    if (operation.kind === "input" || operation.kind === "output") continue;
    const level = operation.kind === "bootstrap" ? bootstrapInput : (operation.level as number);
    const reads = range(devices).map((d) => sharing.reads(operation, modes[index] as Mode, d));
    for (const [i, name] of operation.inputs.entries()) {
      let byDevice = needs.get(name);
      if (byDevice === undefined) needs.set(name, (byDevice = empty(program.tensors[name] as Tensor, devices)));
      for (const [device, mine] of byDevice.entries()) {
        const numbers = everywhere ? range(mine.first.length) : (reads[device] as (typeof reads)[number])[i];
        for (const number of numbers as readonly number[]) note(mine, number, level, index);
      }
    }
  }
  return needs;
}

function note({ first, level: highest }: DeviceNeeds, number: number, level: number, index: number): void {
  if (first[number] === -1) first[number] = index;
  if ((highest[number] as number) < level) highest[number] = level;
}

function empty(tensor: Tensor, devices: number): DeviceNeeds[] {
  const size = ciphertextsOf(tensor);
  return Array.from({ length: devices }, () => ({
    level: new Int8Array(size).fill(-1),
    first: new Int32Array(size).fill(-1),
  }));
}
