/**
 * What the scheme tells the kernels of several devices beyond single kernels: the places where
 * shardings differ. On one device all of it is nothing.
 */
import type { Limbs, RingKernels } from "../backend.ts";

export interface Exchanges {
  /** Transforms exchange values: those of many limbs are better asked for at once than one by one. */
  readonly inTransforms: boolean;
  /** Before conversions of several digits of `x` (coefficient domain, a copy that may be changed). */
  beforeModUp(x: Limbs): void;
  /** After a division of a sum of key products by the special primes. */
  afterModDown(x: Limbs): void;
  /** Makes all of `x` known to all devices, before conversions of all of it to many limbs. */
  replicate(x: Limbs): void;
  /** Calls `load`, which writes limbs of the evaluation key of one gadget digit, and returns its result. */
  ofDigit<T>(digit: number, load: () => T): T;
  /** Limbs of these primes that this device holds of one half of the key of a gadget digit, each of `limbStride` bytes. */
  keyLimbs(moduli: readonly number[], digit: number): number;
}

/** One device: all limbs are at hand. */
export const noExchanges: Exchanges = Object.freeze({
  inTransforms: false,
  beforeModUp: () => undefined,
  afterModDown: () => undefined,
  replicate: () => undefined,
  ofDigit: <T>(_digit: number, load: () => T): T => load(),
  keyLimbs: (moduli: readonly number[]) => moduli.length,
});

/** What tells the limbs of kernels that work limb by limb apart. */
export interface Limbwise {
  /** Plain limbs of primes of one kind cost the same. */
  kind(modulus: number): number;
  /** Bytes between limbs of the subring with runs of 2^logRun. */
  stride(logRun: number): number;
}

/** Kernels that hold one device's share of every polynomial. */
export interface ShardedKernels extends RingKernels {
  readonly exchanges: Exchanges;
  /**
   * Whether limbs lie over the devices, and are in the domain, that they would be if nothing had been written to them
   * yet: what is done to them costs the same as what is done to any other such limbs of these primes.
   */
  isPlain(x: Limbs): boolean;
  /** Where kernels other than conversions work limb by limb; undefined where they take all limbs at once. */
  readonly limbwise: Limbwise | undefined;
  /**
   * The whole words of limbs, in one exchange that every rank takes part in.
   *
   * @param root the rank that gets them, the others get none; without one, all do
   */
  collect(x: Limbs, root?: number): Uint32Array[];
}

export function isSharded(kernels: RingKernels): kernels is ShardedKernels {
  return "exchanges" in kernels;
}
