/** Linear transforms, polynomial evaluation, bootstrapping. */
export { Bootstrapper, type NeededRotation } from "./bootstrapping/bootstrapper.ts";
export { bootstrapLevels, type BootstrapLevels } from "./bootstrapping/levels.ts";
export { bootstrappingKeys } from "./bootstrapping/keys.ts";
export { HoistedRotations } from "./hoisted-rotations.ts";
export { type DiagonalMatrix, LinearTransform, splitDiagonals, transformRotations } from "./linear-transform.ts";
export { ChebyshevBasis, evaluateChebyshev, evaluateInBasis, polynomialDepth } from "./polynomial.ts";
