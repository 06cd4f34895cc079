/**
 * Limits of log2(QP) for 128-bit classical security. Every set of parameters and every evaluation
 * key is checked against the limit of the secret that it hides.
 *
 * Sources: uniform ternary, the smaller of the HE standard tables (Albrecht et al. 2018, as
 * OpenFHE uses them) and eprint 2024/463; sparse ternary at N = 2^16, Bossuat et al.,
 * EUROCRYPT 2021, Table 1; h = 32 for the ephemeral secret of sparse-secret encapsulation,
 * eprint 2022/024.
 */
import { AegisError } from "../base/errors.ts";

/** How the coefficients of a secret are drawn. */
export type SecretDistribution =
  | { readonly kind: "ternary" } // uniform in {-1, 0, 1}
  | { readonly kind: "sparse"; readonly weight: number }; // exactly `weight` coefficients ±1

const ternaryLimits: ReadonlyMap<number, number> = new Map([
  [10, 27],
  [11, 54],
  [12, 106],
  [13, 214],
  [14, 430],
  [15, 868],
  [16, 1747],
  [17, 3523],
]);

/** log2 N → weight → limit, ascending weights. */
const sparseLimits: ReadonlyMap<number, readonly (readonly [number, number])[]> = new Map([
  [
    16,
    [
      [32, 121],
      [64, 982],
      [128, 1396],
      [192, 1533],
    ],
  ],
]);

/** Largest log2(QP) at 128 bits; 0 where no published figure covers the secret. */
export function maximumLogQP(logN: number, secret: SecretDistribution): number {
  if (secret.kind === "ternary") return ternaryLimits.get(logN) ?? 0;
  let limit = 0;
  for (const [weight, logQP] of sparseLimits.get(logN) ?? []) if (weight <= secret.weight) limit = logQP;
  return limit;
}

/** Words for messages: `uniform ternary`, `sparse ternary h=32`. */
export function describeSecret(secret: SecretDistribution): string {
  return secret.kind === "ternary" ? "uniform ternary" : `sparse ternary h=${secret.weight}`;
}

/**
 * Throws a `security` error when a modulus of `logQP` bits is above the 128-bit limit.
 * @param what names the key or parameter set in the message
 */
export function requireSecure(what: string, logN: number, logQP: number, secret: SecretDistribution): void {
  const limit = maximumLogQP(logN, secret);
  if (logQP <= limit) return;
  throw new AegisError(
    "security",
    `${what}: log2(QP) = ${logQP.toFixed(1)} is above the 128-bit limit of ${limit} for N = 2^${logN}, ${describeSecret(secret)}`,
    { hint: "use a larger ring or fewer moduli; tests may set `insecure: true` and a name that says insecure" },
  );
}
