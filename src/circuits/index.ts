/** Linear transforms, polynomial evaluation, bootstrapping. */
export { Bootstrapper, ephemeralSpecialCount, type NeededRotation } from "./bootstrapping/bootstrapper.ts";
export { bootstrappingKeys } from "./bootstrapping/keys.ts";
export { type BootstrapLevels, bootstrapLevels } from "./bootstrapping/levels.ts";
export { HoistedRotations } from "./hoisted-rotations.ts";
export { type DiagonalMatrix, LinearTransform, splitDiagonals, transformRotations } from "./linear-transform.ts";
export { ChebyshevBasis, evaluateChebyshev, evaluateInBasis, evaluateTogether, polynomialDepth } from "./polynomial.ts";
export { RotationChain, Turn } from "./rotation-chain.ts";
