/** Bytes of what a program's devices hold and send. */
import type { Parameters } from "../ckks/index.ts";
import type { Operation, Program } from "../program/index.ts";
import { sumShape } from "../transformer/index.ts";

/** What sizes depend on besides the program. */
export type RingSizes = Pick<Parameters, "degree" | "limbs" | "specialCount">;

/** Bytes of a ciphertext on the wire: two polynomials of u32 residues. */
export function ciphertextBytes(ring: RingSizes, level: number): number {
  return 2 * ring.limbs(level) * ring.degree * 4;
}

/** Bytes of a partial sum of output `o` on the wire. */
export function sumBytes(
  ring: RingSizes,
  program: Pick<Program, "tensors" | "geometry">,
  operation: Operation,
  o: number,
): number {
  const { polynomials, extended } = sumShape(program, operation, o);
  const limbs = ring.limbs(operation.level as number) + (extended ? ring.specialCount : 0);
  return polynomials * limbs * ring.degree * 4;
}
