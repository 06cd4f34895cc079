/** A program as a person reads it: one line an operation. */
import { sequenceOf, slotsOf } from "./layout.ts";
import { describeOperation, type Program } from "./program.ts";

export function printProgram(program: Program): string {
  const { geometry } = program;
  const lines = [
    `program for ${program.length} of ${sequenceOf(geometry)} tokens, ${geometry.layout} layout: ${geometry.blocks} ${geometry.blocks === 1 ? "block" : "blocks"} of ${geometry.tokens} tokens, ${geometry.lanes} lanes a token, ${slotsOf(geometry)} slots`,
  ];
  for (const operation of program.operations) {
    const outputs = operation.outputs.map((name) => {
      const tensor = program.tensors[name];
      return tensor === undefined
        ? name
        : `${name}[${tensor.blocks > 1 ? `block ${tensor.blocks} × ` : ""}${tensor.axis} ${tensor.count}, ${tensor.content}]@${tensor.level ?? "?"}`;
    });
    const left = String(operation.id).padStart(3);
    lines.push(
      `${left}  ${describeOperation(operation).padEnd(44)} ${operation.inputs.join(", ")} → ${outputs.join(", ")}`,
    );
  }
  return lines.join("\n");
}
