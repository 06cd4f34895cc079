/** Checks of what a ring is made from, the same for all backends. */
import { integerIn } from "../base/validate.ts";
import { maximumPrime, minimumPrime } from "./backend.ts";

/** Throws a RangeError unless logN and the moduli are what {@link Backend.ring} asks for; primality is trusted. */
export function checkRing(logN: number, moduli: readonly number[]): void {
  integerIn("logN", logN, 2, 17);
  for (const q of moduli) {
    integerIn("modulus", q, minimumPrime + 1, maximumPrime - 1);
    if (q % 2 ** (logN + 1) !== 1) {
      throw new RangeError(`modulus: expected a prime that is 1 modulo ${2 ** (logN + 1)}, got ${q}`);
    }
  }
  if (new Set(moduli).size !== moduli.length) throw new RangeError("moduli: expected distinct primes");
}
