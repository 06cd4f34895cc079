/** Argument validators: each names the argument, says what was expected and what it got. */
import { AegisError } from "./errors.ts";

function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value);
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") return String(value);
  if (value === null || value === undefined) return String(value);
  return Array.isArray(value) ? `an array of ${value.length}` : `a ${typeof value}`;
}

/** An integer in [minimum, maximum]; returns it. Throws a TypeError or RangeError that names `name`. */
export function integerIn(name: string, value: unknown, minimum: number, maximum: number): number {
  if (typeof value !== "number" || !Number.isInteger(value)) {
    throw new TypeError(`${name}: expected an integer, got ${show(value)}`);
  }
  if (value < minimum || value > maximum) {
    throw new RangeError(`${name}: expected ${minimum} to ${maximum}, got ${value}`);
  }
  return value;
}

/** A finite number; returns it. */
export function finite(name: string, value: unknown): number {
  if (typeof value !== "number" || !Number.isFinite(value)) {
    throw new TypeError(`${name}: expected a finite number, got ${show(value)}`);
  }
  return value;
}

/** A power of two in [minimum, maximum]; returns it. */
export function powerOfTwo(name: string, value: unknown, minimum: number, maximum: number): number {
  const checked = integerIn(name, value, minimum, maximum);
  if ((checked & (checked - 1)) !== 0) throw new RangeError(`${name}: expected a power of two, got ${checked}`);
  return checked;
}

/** An array or typed array of exactly `length` elements. */
export function lengthIs(name: string, value: ArrayLike<unknown>, length: number): void {
  if (value.length !== length) throw new RangeError(`${name}: expected ${length} elements, got ${value.length}`);
}

/** Throws an `internal` {@link AegisError} when an invariant of the library is broken. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AegisError("internal", message, { hint: "this is a bug in the library" });
}
