/** Primes, RNS polynomials, base conversion, sampling. */
export { conversionTable } from "./conversion.ts";
export { bigModulo, invertModulo, multiplyModulo, powerModulo, productModulo } from "./modular.ts";
export { type Domain, Poly } from "./poly.ts";
export { isPrime, nttPrimes, PrimeSupply } from "./primes.ts";
export {
  expansionState,
  expansionVersion,
  fillRandom,
  randomSeed,
  SecureWords,
  SeededWords,
  seedBytes,
  type WordSource,
} from "./random.ts";
export { Ring } from "./ring.ts";
export { errorDeviation, sampleGaussian, sampleSparseTernary, sampleTernary } from "./sampling.ts";
