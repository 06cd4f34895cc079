/** Shapes of operations: what layers that repeat have in common. */
import type { Operation, Program, Tensor } from "./program.ts";

const shapes = new WeakMap<Operation, string>();

/** Kind and layout of everything that an operation reads and makes, without its level. */
export function shapeOf({ tensors }: Pick<Program, "tensors">, operation: Operation): string {
  let shape = shapes.get(operation);
  if (shape === undefined) {
    const describe = (name: string): string => {
      const { content, axis, blocks, count, features } = tensors[name] as Tensor;
      return `${content} ${axis} ${blocks}×${count} ${features ?? ""}`;
    };
    shape = `${operation.kind}: ${operation.inputs.map(describe).join(", ")} → ${operation.outputs.map(describe).join(", ")}`;
    shapes.set(operation, shape);
  }
  return shape;
}

const works = new WeakMap<Operation, string>();

/** All that the work of an operation depends on: its shape, its level, and what it computes. */
export function workOf(program: Pick<Program, "tensors">, operation: Operation): string {
  let work = works.get(operation);
  if (work === undefined) {
    const detail =
      operation.kind === "polynomial"
        ? operation.coefficients.map((c) => (c === 0 ? "0" : "x")).join("") + operation.mask
        : operation.kind === "bootstrap"
          ? String(operation.target)
          : operation.outputs.map((name) => program.tensors[name]?.level).join();
    // The last linear layer has a layout of its own.
    const last = operation.outputs.some((name) => name === (program as Partial<Program>).output) ? "last" : "";
    work = `${shapeOf(program, operation)} @${operation.level} ${detail} ${last}`;
    works.set(operation, work);
  }
  return work;
}
