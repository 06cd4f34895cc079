/** What every device will read of every tensor as whole ciphertexts, at which level, and which operation asks first. */
import { ciphertextsOf, range, type Tensor } from "../program/index.ts";
import { layoutOf } from "./plan.ts";
import type { Sharing } from "./sharing.ts";
import { type Mode, shardingOfMode } from "./strategies.ts";

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
 * Needs of all operations under the modes chosen for them, until they are asked for again for the same sharing.
 *
 * @param everywhere every device asks for all of what any device reads
 */
export function needsOf(sharing: Sharing, modes: readonly Mode[], bootstrapInput: number, everywhere: boolean): Needs {
  const { program } = sharing;
  const needs: Needs = new Map();
  const layouts = new Map<string, string | undefined>();
  for (const [index, operation] of program.operations.entries()) {
    if (operation.kind === "input" || operation.kind === "output") continue;
    const level = operation.kind === "bootstrap" ? bootstrapInput : (operation.level as number);
    const layout = layoutAt(modes[index] as Mode);
    const reads = sharing.reads(operation, modes[index] as Mode);
    for (const [i, name] of operation.inputs.entries()) {
      if (layout !== undefined && layouts.get(name) === layout) continue; // shares that are there
      let byDevice = needs.get(name);
      if (byDevice === undefined) needs.set(name, (byDevice = emptied(sharing, name)));
      for (const [device, mine] of byDevice.entries()) {
        const numbers = everywhere ? range(mine.first.length) : (reads[device] as (typeof reads)[number])[i];
        for (const number of numbers as readonly number[]) note(mine, number, level, index);
      }
    }
    for (const name of operation.outputs) layouts.set(name, layout);
  }
  return needs;
}

/** How shares lie under a mode; undefined where ciphertexts are whole. */
function layoutAt(mode: Mode): string | undefined {
  const sharding = shardingOfMode(mode);
  return sharding === undefined ? undefined : layoutOf(sharding);
}

function note({ first, level: highest }: DeviceNeeds, number: number, level: number, index: number): void {
  if (first[number] === -1) first[number] = index;
  if ((highest[number] as number) < level) highest[number] = level;
}

/** Arrays of each tensor, used again by the next plan: for many devices they are large. */
const kept = new WeakMap<Sharing, Map<string, DeviceNeeds[]>>();

function emptied(sharing: Sharing, name: string): DeviceNeeds[] {
  const known = kept.get(sharing) ?? new Map<string, DeviceNeeds[]>();
  kept.set(sharing, known);
  let needs = known.get(name);
  if (needs === undefined) {
    const size = ciphertextsOf(sharing.program.tensors[name] as Tensor);
    const [level, first] = [new Int8Array(size * sharing.devices), new Int32Array(size * sharing.devices)];
    needs = range(sharing.devices).map((d) => ({
      level: level.subarray(d * size, (d + 1) * size),
      first: first.subarray(d * size, (d + 1) * size),
    }));
    known.set(name, needs);
  }
  for (const { level, first } of needs) {
    level.fill(-1);
    first.fill(-1);
  }
  return needs;
}
