/** Bytes of backend memory that a device gives to what it holds: whole ciphertexts and keys, or its share of them. */
import type { Parameters } from "../ckks/index.ts";
import { limbPadding, RankShare } from "../kernels/index.ts";
import { type Operation, type Program, range } from "../program/index.ts";
import { sumShape } from "../transformer/index.ts";
import type { CutStep, Plan } from "./plan.ts";
import { sumBytes } from "./sizes.ts";

export interface HeldSizes {
  ciphertext(level: number): number;
  /** A partial sum of output `o`. */
  sum(operation: Operation, o: number): number;
  /** Of what one device alone would take beside operands and sums. */
  workspace(operation: Operation, bytes: number): number;
  /** An evaluation key, up to a level. */
  key(level: number): number;
}

/** Bytes of a limb in backend memory. */
function limbBytes({ degree }: Pick<Parameters, "degree">): number {
  return 4 * degree + limbPadding;
}

/** Bytes of a whole ciphertext in backend memory. */
export function residentBytes(parameters: Pick<Parameters, "limbs" | "degree">, level: number): number {
  return 2 * parameters.limbs(level) * limbBytes(parameters);
}

export function wholeSizes(program: Program, parameters: Parameters): HeldSizes {
  return {
    ciphertext: (level) => residentBytes(parameters, level),
    sum: (operation, o) => sumBytes(parameters, program, operation, o),
    workspace: (_, bytes) => bytes,
    key: (level) => parameters.keyBytes(level).expanded,
  };
}

/** Sizes on one device of a plan on ciphertexts that are cut; undefined for other plans. */
export function cutSizes(program: Program, plan: Plan, parameters: Parameters, device: number): HeldSizes | undefined {
  const steps = plan.steps.filter((step): step is CutStep => step.kind === "cut");
  if (steps.length === 0) return undefined;
  const shares = new Map(
    steps.map(({ sharding }) => [sharding, new RankShare({ name: sharding, chain: parameters }, plan.devices, device)]),
  );
  const byOperation = new Map(
    steps.map(({ operation, sharding }) => [program.operations[operation], shares.get(sharding)]),
  );
  // Where operations differ in it, ciphertexts and keys are as the first one has them.
  const [first] = shares.values() as Iterable<RankShare>;
  const share = first as RankShare;
  const of = (operation: Operation): RankShare => byOperation.get(operation) ?? share;
  const unit = limbBytes(parameters);
  const summed = (at: RankShare, level: number): number =>
    at.sumLimbs(parameters.extendedModuli(level), parameters.digitsAt(level).length);
  const byLevel = range(parameters.maximumLevel + 1).map((level) => 2 * share.limbs(parameters.moduli(level)) * unit);
  return {
    ciphertext: (level) => byLevel[level] as number,
    sum: (operation, o) => {
      const { polynomials, extended } = sumShape(program, operation, o);
      const level = operation.level as number;
      const at = of(operation);
      return polynomials * unit * (extended ? summed(at, level) : at.limbs(parameters.moduli(level)));
    },
    // Most of it is over QP.
    workspace: (operation, bytes) => {
      const level = operation.level as number;
      return (bytes * summed(of(operation), level)) / parameters.extendedModuli(level).length;
    },
    key: (level) => {
      const moduli = parameters.extendedModuli(level);
      const limbs = range(parameters.digitsAt(level).length).map((digit) => share.keyLimbs(moduli, digit));
      return 2 * unit * limbs.reduce((sum, n) => sum + n, 0);
    },
  };
}
