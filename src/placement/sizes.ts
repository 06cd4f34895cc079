/** Bytes of what a program's devices hold and send. */
import type { Parameters } from "../ckks/index.ts";
import type { Operation, Program } from "../program/index.ts";
import { sumShape } from "../transformer/index.ts";

/** What sizes depend on besides the program. */
export type RingSizes = Pick<Parameters, "degree" | "limbs" | "specialCount">;

/** Words before every ciphertext or sum on the wire: its exact scale (two words), level, slots. */
export const headerWords = 4;

/** Bytes of a ciphertext on the wire: a header and two polynomials of u32 residues. */
export function ciphertextBytes(ring: RingSizes, level: number): number {
  return 4 * headerWords + 2 * ring.limbs(level) * ring.degree * 4;
}

/** Bytes of all shares of a ciphertext when they are brought together: its words alone, all devices know the rest. */
export function shareBytes(ring: RingSizes, level: number): number {
  return 2 * ring.limbs(level) * ring.degree * 4;
}

/** Bytes of a partial sum of output `o` on the wire: a header and its polynomials. */
export function sumBytes(
  ring: RingSizes,
  program: Pick<Program, "tensors" | "geometry">,
  operation: Operation,
  o: number,
): number {
  const { polynomials, extended, level } = sumShape(program, operation, o);
  const limbs = ring.limbs(level) + (extended ? ring.specialCount : 0);
  return 4 * headerWords + polynomials * limbs * ring.degree * 4;
}
