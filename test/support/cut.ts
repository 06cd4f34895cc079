/** The first part of small programs, with a bootstrapping in it, for plans on ciphertexts that are cut. */
import type { Operation, OperationKind, Program, Tensor } from "../../src/program/index.ts";
import { requirements } from "../../src/runtime/index.ts";
import type { SmallCase, SmallProgram } from "./run.ts";
import { smallProgram } from "./run.ts";

export const cutCases: readonly (SmallCase & { readonly title: string })[] = [
  {
    title: "long layout",
    shape: { hidden: 4, heads: 2, inner: 8, tokens: 8 },
    logN: 7,
    tokens: 8,
    length: 7,
    spread: 1,
    long: { lanes: 4, blocks: 1, babySteps: 2 },
  },
  { title: "short layout", shape: { hidden: 4, heads: 2, inner: 8 }, logN: 7, tokens: 4, length: 3, spread: 1 },
];

/** A program up to the first operation of a kind. */
export async function firstPart(one: SmallCase, end: OperationKind = "bootstrap"): Promise<SmallProgram> {
  const small = await smallProgram(one);
  const { operations } = small.program;
  const last = operations.findIndex(({ kind }) => kind === end);
  const output = (operations[last] as Operation).outputs[0] as string;
  const { level } = small.program.tensors[output] as Tensor;
  const closing = { ...(operations.at(-1) as Operation), id: last + 1, inputs: [output], level } as Operation;
  const program: Program = { ...small.program, operations: [...operations.slice(0, last + 1), closing], output };
  return { ...small, program, needed: await requirements(program, small.context.parameters) };
}
