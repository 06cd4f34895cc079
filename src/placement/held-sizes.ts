/** Bytes of backend memory that a device gives to what it holds: whole ciphertexts and keys, or its share of them. */
import type { Parameters } from "../ckks/index.ts";
import { limbPadding, RankShare, type ShardingName } from "../kernels/index.ts";
import { type Operation, type Program, range } from "../program/index.ts";
import { sumShape } from "../transformer/index.ts";
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

/** Sizes of the shares of one device. */
export function shareSizes(
  program: Program,
  parameters: Parameters,
  sharding: ShardingName,
  devices: number,
  device: number,
): HeldSizes {
  const share = new RankShare({ name: sharding, chain: parameters }, devices, device);
  const unit = limbBytes(parameters);
  const summed = (level: number): number =>
    share.sumLimbs(parameters.extendedModuli(level), parameters.digitsAt(level).length);
  const byLevel = range(parameters.maximumLevel + 1).map((level) => 2 * share.limbs(parameters.moduli(level)) * unit);
  return {
    ciphertext: (level) => byLevel[level] as number,
    sum: (operation, o) => {
      const { polynomials, extended, level } = sumShape(program, operation, o);
      return polynomials * unit * (extended ? summed(level) : share.limbs(parameters.moduli(level)));
    },
    // Most of it is over QP.
    workspace: (operation, bytes) => {
      const level = operation.level as number;
      return (bytes * summed(level)) / parameters.extendedModuli(level).length;
    },
    key: (level) => {
      const moduli = parameters.extendedModuli(level);
      const limbs = range(parameters.digitsAt(level).length).map((digit) => share.keyLimbs(moduli, digit));
      return 2 * unit * limbs.reduce((sum, n) => sum + n, 0);
    },
  };
}
