/** Codes and layout of the mailbox through which kernels are asked for; `addon/commands.hpp` has the same. */

export const code = {
  forwardTransform: 0,
  inverseTransform: 1,
  copy: 2,
  zero: 3,
  add: 4,
  subtract: 5,
  negate: 6,
  multiply: 7,
  multiplyScalar: 8,
  multiplyScalarAdd: 9,
  addScalar: 10,
  subtractMultiplyScalar: 11,
  sums: 12,
  expand: 13,
  permute: 14,
  convert: 15,
  uniform: 16,
  keyProducts: 17,
  subtractTransformed: 18,
} as const;

/** Code, log2 of the degree, limbs; then operands; then for each limb its prime; then a number for each limb. */
export const operandsAt = 3;
export const limbsAt = operandsAt + 5;
/** Most limbs of a polynomial in one command. */
export const maximumLimbs = 512;
export const perLimbAt = limbsAt + maximumLimbs;
export const listAt = limbsAt + 2 * maximumLimbs;
export const mailboxLength = 2 ** 16;
