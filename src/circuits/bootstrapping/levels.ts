/** Levels of bootstrapping, from the parameters alone. */
import { AegisError } from "../../base/errors.ts";
import type { Parameters } from "../../ckks/index.ts";
import { sineDepth } from "./eval-mod.ts";

/** Lowest level that bootstrapping takes, level below the sine, level that it gives. */
export interface BootstrapLevels {
  readonly input: number;
  readonly reduced: number;
  readonly output: number;
}

/** Throws `parameters` when there is no bootstrapping part, or no level left. */
export function bootstrapLevels(parameters: Parameters): BootstrapLevels {
  const spec = parameters.spec.bootstrapping;
  if (spec === undefined) {
    throw new AegisError("parameters", `parameters ${parameters.name} have no bootstrapping part`, {
      hint: "use a preset with bootstrapping",
    });
  }
  const input = spec.slotsToCoefficients;
  const reduced = parameters.maximumLevel - spec.coefficientsToSlots - sineDepth(spec.cosineDegree, spec.doubleAngles);
  const output = reduced - 1; // one level unpacks
  if (output <= input) {
    throw new AegisError(
      "parameters",
      `parameters ${parameters.name}: bootstrapping takes all of the ${parameters.maximumLevel} levels`,
      { hint: "add levels" },
    );
  }
  return { input, reduced, output };
}
