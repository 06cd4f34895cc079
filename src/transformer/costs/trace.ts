/**
 * What an operation asks of an evaluator: calls, with how often each is made. Operators follow the same path at
 * every level, so that levels count from the operation's, and a trace made at one level tells the calls at all of them.
 */
import { Ciphertext, type Evaluator, ExtendedCiphertext, Hoisted, type KeyName, Plaintext } from "../../ckks/index.ts";

/** Where coefficients are distributed, rotations by steps alike modulo this (most ranks) send alike. */
export const stepClasses = 16;

export type Operand = Ciphertext | ExtendedCiphertext | Hoisted | Plaintext;

/** All of an operand that decides what a call costs; levels count from the trace's. */
export type Shape =
  | { readonly form: "ciphertext"; readonly level: number; readonly parts: number }
  | { readonly form: "extended"; readonly level: number }
  | {
      readonly form: "hoisted";
      readonly level: number;
      /** What was hoisted. */
      readonly of: Shape;
      /** Whether its digits are to be transformed. */
      readonly pending: boolean;
    }
  | {
      readonly form: "plaintext";
      readonly level: number;
      readonly logRun: number;
      readonly extended: boolean;
      readonly montgomery: boolean;
    };

/** Makes a call on operands of the call's shapes, at other levels if `levels` are. */
export type Run = (evaluator: Evaluator, operands: readonly Operand[], levels: readonly number[]) => unknown;

export interface Call {
  /** Tells calls of different costs apart, but for shapes, levels and steps. */
  readonly name: string;
  readonly operands: readonly Shape[];
  /** Arguments that are levels; they count from the trace's. */
  readonly levels: readonly number[];
  /** Reduced steps of the rotations that it makes. */
  readonly steps: readonly number[];
  readonly run: Run;
  /** A call that is counted apart: what this one does counts only as far as it is more. */
  readonly beyond?: Call;
}

/** Polynomials of one size, or as many as there are gadget digits. */
export interface PolySize {
  readonly logN: number;
  /** Over Q, over QP, or one for each digit over QP: how many digits there are depends on the level. */
  readonly basis: "Q" | "QP" | "digits";
  /** Counts from the trace's. */
  readonly level: number;
}

/** A call, and what is in memory when it is made, besides operands of the trace: how many polynomials of each size. */
export interface Moment {
  readonly call: Call;
  readonly held: readonly number[];
}

export interface Trace {
  readonly calls: readonly { readonly call: Call; readonly times: number }[];
  /** Those where most may be in memory. */
  readonly moments: readonly Moment[];
  readonly sizes: readonly PolySize[];
  /** Keys that it asks for, and the highest level of each; levels count from the trace's. */
  readonly keys: ReadonlyMap<KeyName, number>;
}

/**
 * @param base level that levels count from
 * @param read highest level whose limbs are read of it: what is above costs nothing
 */
export function shapeOf(operand: Operand, base: number, read: number): Shape {
  const level = Math.min(operand.level, read) - base;
  if (operand instanceof Ciphertext) return { form: "ciphertext", level, parts: operand.parts.length };
  if (operand instanceof ExtendedCiphertext) return { form: "extended", level };
  if (operand instanceof Hoisted) {
    const { pending } = operand.decomposed;
    return { form: "hoisted", level, of: shapeOf(operand.ciphertext, base, operand.level), pending };
  }
  const { logRun, extended, montgomery } = operand;
  return { form: "plaintext", level, logRun, extended, montgomery };
}

/** Whether two operands of sums have one shape. */
export function isAlike(a: Operand, b: Operand, read: number): boolean {
  if (a === b) return true;
  if (Math.min(a.level, read) !== Math.min(b.level, read)) return false;
  if (a instanceof Ciphertext) return b instanceof Ciphertext && a.parts.length === b.parts.length;
  if (a instanceof ExtendedCiphertext) return b instanceof ExtendedCiphertext;
  if (!(a instanceof Plaintext && b instanceof Plaintext)) return false;
  return a.logRun === b.logRun && a.extended === b.extended && a.montgomery === b.montgomery;
}

/** A name of a shape whose levels count from `base`. */
export function nameOfShape(shape: Shape, base: number): string {
  const level = base + shape.level;
  switch (shape.form) {
    case "ciphertext":
      return `${shape.parts}@${level}`;
    case "extended":
      return `P@${level}`;
    case "hoisted":
      return `H${shape.pending ? "~" : ""}${nameOfShape(shape.of, base)}@${level}`;
    case "plaintext":
      return `${shape.extended ? "X" : "x"}${shape.montgomery ? "m" : ""}${shape.logRun}@${level}`;
  }
}

/** A name for all that decides what a call costs whose levels count from `base`. */
export function nameOfCall(call: Omit<Call, "run">, base: number, classes: boolean): string {
  let name = call.name;
  for (const shape of call.operands) name += ` ${nameOfShape(shape, base)}`;
  for (const level of call.levels) name += ` >${base + level}`;
  for (const steps of call.steps) name += steps === 0 ? " -" : classes ? ` ${steps % stepClasses}` : " r";
  return name;
}
