/**
 * Why a plan is as it is: for every operation (those of one shape once) the mode that was chosen, and by
 * how much the plan would be slower, and send more, with another mode there and everything else as it is.
 */
import { describeOperation, type Operation, type Program, shapeOf, type Tensor } from "../program/index.ts";
import { modesFor, Search, type SearchOptions } from "./search.ts";
import type { Mode } from "./strategies.ts";

export interface Explanation {
  readonly operation: string;
  /** The first of them, as an index. */
  readonly index: number;
  /** Operations of this shape. */
  readonly times: number;
  readonly chosen: Mode;
  /** Other modes: seconds that the whole would take longer, and bytes that it would send more; negative for less. */
  readonly rejected: readonly { readonly mode: Mode; readonly slowerBy: number; readonly moreBytes: number }[];
}

export function explain(program: Program, modes: readonly Mode[], options: SearchOptions): Explanation[] {
  const search = new Search(program, options.devices, options.costs.paces);
  const unit = { feedForward: 1, selfAttention: 1, other: 1 };
  /** What the search itself takes modes to cost: seconds, and what the price of a byte adds. */
  const weigh = (chosen: readonly Mode[]): { seconds: number; bytes: number } => {
    const forced = new Map(chosen.entries());
    const seconds = search.run({ ...options, forced }).cost;
    return { seconds, bytes: search.run({ ...options, forced, prices: unit }).cost - seconds };
  };
  const plan = weigh(modes);
  const seen = new Map<string, { index: number; times: number }>();
  for (const [index, operation] of program.operations.entries()) {
    if (operation.kind === "input" || operation.kind === "output") continue;
    const key = `${shapeOf(program, operation)} @${operation.level} ${modes[index]}`;
    const known = seen.get(key);
    if (known === undefined) seen.set(key, { index, times: 1 });
    else known.times++;
  }
  return [...seen.values()].map(({ index, times }) => {
    const operation = program.operations[index] as Operation;
    const chosen = modes[index] as Mode;
    const others = modesFor(program, operation, options).filter((mode) => mode !== chosen);
    const rejected = others
      .map((mode) => {
        const { seconds, bytes } = weigh(modes.with(index, mode));
        return { mode, slowerBy: seconds - plan.seconds, moreBytes: Math.round(bytes - plan.bytes) };
      })
      .sort((a, b) => a.slowerBy - b.slowerBy);
    return { operation: describeOperation(operation), index, times, chosen, rejected };
  });
}

/** What a mode means for an operation, in words. */
export function describeMode(program: Program, operation: Operation, mode: Mode): string {
  const output = program.tensors[operation.outputs[0] as string] as Tensor;
  const input = program.tensors[(operation.inputs[0] ?? "") as string];
  switch (mode) {
    case "replicated":
      return "everything on every device";
    case "limb":
    case "limb-ib":
    case "limb-oa":
    case "coefficient":
      return `every polynomial cut over all devices (${mode})`;
    case "single":
      return "on one device";
    case "outputs":
      return "a result on each device in turn";
    case "axis":
      return `${output.axis}s shared out (${output.count})`;
    case "block":
      return `token blocks shared out (${output.blocks})`;
    case "summed-axis":
      return `sums over the ${input?.axis ?? "axis"} where its ciphertexts are, results shared out (${output.count})`;
    case "summed-block":
      return `sums over the ${input?.axis ?? "axis"} where its ciphertexts are, results by token block`;
    case "summed-single":
      return `sums over the ${input?.axis ?? "axis"} where its ciphertexts are, the result on one device`;
  }
}
