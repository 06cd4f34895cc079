/** Refreshing tensors: real ciphertexts travel in pairs, formed within a token block. */
import { AegisError } from "../../base/errors.ts";
import type { Bootstrapper } from "../../circuits/index.ts";
import type { Ciphertext, Evaluator } from "../../ckks/index.ts";
import {
  type BootstrapMember,
  type BootstrapOperation,
  bootstrapPairs,
  type Part,
  type Program,
  type Tensor,
} from "../../program/index.ts";
import type { Environment } from "./environment.ts";
import type { Shard } from "./execute.ts";

/** The refreshed ciphertexts of a part; it reads the partners of its ciphertexts as well. */
export function bootstrap(
  environment: Environment,
  program: Pick<Program, "tensors">,
  operation: BootstrapOperation,
  inputs: readonly Shard[],
  part: Part,
): Ciphertext[][] {
  const { bootstrapper, evaluator } = environment;
  if (bootstrapper === undefined) throw new AegisError("program", "bootstrap: the parameters cannot bootstrap");
  const wanted = part.outputs.map((indices) => new Set(indices));
  const fresh = part.outputs.map(() => new Map<number, Ciphertext>());
  for (const pair of bootstrapPairs(operation.inputs.map((name) => program.tensors[name] as Tensor))) {
    const [a, b] = pair as [BootstrapMember, BootstrapMember | undefined];
    if (!pair.some(({ tensor, index }) => wanted[tensor]?.has(index))) continue;
    const of = ({ tensor, index }: BootstrapMember): Ciphertext => inputs[tensor]?.[index] as Ciphertext;
    const results = refresh(bootstrapper, evaluator, of(a), b && of(b));
    for (const [k, result] of results.entries()) {
      using high = result;
      const { tensor, index } = pair[k] as BootstrapMember;
      if (wanted[tensor]?.has(index)) fresh[tensor]?.set(index, evaluator.dropLevel(high, operation.target));
    }
  }
  return part.outputs.map((indices, o) => indices.map((index) => fresh[o]?.get(index) as Ciphertext));
}

/** One bootstrapping of one ciphertext with real values, or of two. */
export function refresh(
  bootstrapper: Bootstrapper,
  evaluator: Evaluator,
  a: Ciphertext,
  b: Ciphertext | undefined,
): Ciphertext[] {
  return b === undefined ? [bootstrapper.bootstrapReal(evaluator, a)] : bootstrapper.bootstrapPair(evaluator, a, b);
}
