/** Galois elements of the slot permutations: 5^k rotates by k, −1 conjugates. */

/** Element of a rotation of the slots to the left by `steps` (any integer) in a ring of degree N. */
export function rotationElement(steps: number, degree: number): number {
  const slots = degree / 2;
  let exponent = ((steps % slots) + slots) % slots;
  let element = 1;
  let square = 5;
  const mask = 2 * degree - 1; // products stay below 2^36, exact in doubles
  while (exponent > 0) {
    if (exponent & 1) element = (element * square) % (mask + 1);
    square = (square * square) % (mask + 1);
    exponent >>>= 1;
  }
  return element;
}

/** Steps of a rotation of so many slots, from 0 to slots − 1. */
export function reducedSteps(steps: number, slots: number): number {
  return ((steps % slots) + slots) % slots;
}

/** Element of complex conjugation. */
export function conjugationElement(degree: number): number {
  return 2 * degree - 1;
}
