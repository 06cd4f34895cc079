/** Runs one operation of a program on ciphertexts: real ones, or those of the null backend. */
import { AegisError } from "../../base/errors.ts";
import type { Ciphertext } from "../../ckks/index.ts";
import type { BootstrapOperation, Operation, Program } from "../../program/index.ts";
import type { FoldedWeights } from "../weights.ts";
import { context, denominators, expand, replicate, scores } from "./attention.ts";
import type { Environment } from "./environment.ts";
import { linear } from "./linear.ts";
import { multiply, polynomial, squareSum } from "./pointwise.ts";

/** What an operation may ask for besides its inputs. */
export interface Constants {
  /** Weights of layer `index` of a linear operation. */
  weights(operation: Extract<Operation, { kind: "linear" }>, index: number): FoldedWeights;
}

/**
 * Results in the order of `operation.outputs`, each a list of ciphertexts; the caller disposes of
 * them. Inputs are left unchanged.
 */
export function executeOperation(
  environment: Environment,
  program: Pick<Program, "tensors">,
  operation: Operation,
  inputs: readonly (readonly Ciphertext[])[],
  constants: Constants,
): Ciphertext[][] {
  const level = operation.level as number;
  const one = (index: number): Ciphertext => inputs[index]?.[0] as Ciphertext;
  switch (operation.kind) {
    case "input":
    case "output":
      return [];
    case "replicate": {
      using at = environment.at(one(0), level);
      return [[replicate(environment, at)]];
    }
    case "linear":
      return linear(environment, program, operation, inputs[0] as readonly Ciphertext[], (index) =>
        constants.weights(operation, index),
      );
    case "add":
      return [[environment.evaluator.add(one(0), one(1))]];
    case "scores":
      return [scores(environment, operation, one(0), one(1))];
    case "polynomial":
      return [polynomial(environment, operation, inputs[0] as readonly Ciphertext[])];
    case "expand":
      return [expand(environment, operation, inputs[0] as readonly Ciphertext[])];
    case "denominators":
      return [[denominators(environment, operation, inputs[0] as readonly Ciphertext[])]];
    case "context":
      return [[context(environment, level, inputs[0] as readonly Ciphertext[], one(1))]];
    case "multiply":
      return [[multiply(environment, level, one(0), one(1))]];
    case "square-sum":
      return [[squareSum(environment, operation, one(0))]];
    case "bootstrap":
      return bootstrap(environment, operation, inputs);
  }
}

/** All ciphertexts of all inputs, two at a time. */
function bootstrap(
  environment: Environment,
  operation: BootstrapOperation,
  inputs: readonly (readonly Ciphertext[])[],
): Ciphertext[][] {
  const { bootstrapper, evaluator } = environment;
  if (bootstrapper === undefined) throw new AegisError("program", "bootstrap: the parameters cannot bootstrap");
  const flat = inputs.flat();
  const fresh: Ciphertext[] = [];
  const lower = (a: Ciphertext): Ciphertext => {
    using high = a;
    return evaluator.dropLevel(high, operation.target);
  };
  for (let i = 0; i < flat.length; i += 2) {
    const a = flat[i] as Ciphertext;
    const b = flat[i + 1];
    if (b === undefined) fresh.push(lower(bootstrapper.bootstrap(evaluator, a)));
    else fresh.push(...bootstrapper.bootstrapPair(evaluator, a, b).map(lower));
  }
  let next = 0;
  return inputs.map((list) => list.map(() => fresh[next++] as Ciphertext));
}
