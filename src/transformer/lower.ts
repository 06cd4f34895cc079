/**
 * Operations at the lowest levels that those who read their results allow. The search for bootstraps
 * runs every operation as high as its inputs are; where a result is read lower than it is made, the
 * limbs in between were work, memory and bytes for nothing.
 */
import type { Operation, Program, Tensor } from "../program/index.ts";

/**
 * The same operations and bootstraps at levels that are nowhere higher and often lower; the output
 * stays where it is.
 *
 * @param bootstrapInput lowest level that bootstrapping takes
 */
export function lowered(program: Program, bootstrapInput: number): Program {
  const read = new Map<string, number>();
  const levels = new Map<Operation, number>();
  for (const operation of [...program.operations].reverse()) {
    const level = lowestLevel(program, operation, read, bootstrapInput);
    levels.set(operation, level);
    for (const name of operation.inputs) read.set(name, Math.max(level, read.get(name) ?? 0));
  }
  const tensors: Record<string, Tensor> = { ...program.tensors };
  const operations = program.operations.map((operation): Operation => {
    let level = levels.get(operation) as number;
    if (operation.kind === "bootstrap") {
      // It reads whatever is there, all inputs at the lowest of their levels.
      level = Math.min(...operation.inputs.map((name) => (tensors[name] as Tensor).level as number));
      const target = Math.max(...operation.outputs.map((name) => read.get(name) as number));
      for (const name of operation.outputs) tensors[name] = { ...(tensors[name] as Tensor), level: target };
      return { ...operation, level, target };
    }
    const given = level - operation.depth;
    for (const name of operation.outputs) {
      const kept = drops(program, operation) ? Math.min(given, read.get(name) ?? given) : given;
      tensors[name] = { ...(tensors[name] as Tensor), level: kept };
    }
    return { ...operation, level };
  });
  return { ...program, tensors, operations };
}

/** Level to run at, given the levels that the results are read at. */
function lowestLevel(
  program: Program,
  operation: Operation,
  read: ReadonlyMap<string, number>,
  bootstrapInput: number,
): number {
  const { kind, depth, outputs } = operation;
  const level = operation.level as number;
  if (kind === "bootstrap") return bootstrapInput;
  if (kind === "output" || outputs.includes(program.output)) return level;
  const wanted = outputs.map((name) => read.get(name) ?? ((program.tensors[name] as Tensor).level as number));
  return Math.min(level, Math.max(...wanted) + depth);
}

/** Whether an operation gives each of its outputs at a level of its own. */
function drops({ geometry, output }: Program, { kind, outputs }: Operation): boolean {
  return kind === "linear" && geometry.layout === "long" && !outputs.includes(output);
}
