/** What presets state, from the formulas behind it. */
import { describe, expect, it } from "vitest";
import { Parameters } from "./parameters.ts";
import { type Preset, presets } from "./presets.ts";
import { maximumLogQP } from "./security.ts";

/**
 * log2 of the probability that some coefficient leaves [−K, K] after ModRaise: each is a sum of
 * h + 1 uniform values in [−1/2, 1/2] up to the message, so near its extreme (h + 1)/2 the tail is
 * ((h + 1)/2 − K)^(h+1)/(h + 1)! (Irwin–Hall); two tails, 2^logN coefficients (eprint 2022/024, §3).
 */
function logFailure(logN: number, weight: number, range: number): number {
  const terms = weight + 1;
  const rest = terms / 2 - range;
  expect(rest).toBeLessThanOrEqual(1); // where the formula is exact
  let log = 1 + logN + terms * Math.log2(rest);
  for (let k = 2; k <= terms; k++) log -= Math.log2(k);
  return log;
}

const named = Object.entries(presets as Record<string, Preset>);

describe.each(named)("%s", (name, preset) => {
  const parameters = new Parameters(preset.spec);

  it("is 128-bit secure, or says that it is not", () => {
    const secure = parameters.logQP <= maximumLogQP(parameters.logN, preset.spec.secret);
    expect(secure).toBe(!name.includes("insecure"));
    expect(parameters.securityBits).toBe(secure ? 128 : 0);
  });

  it("states its failure probability", () => {
    const spec = preset.spec.bootstrapping;
    if (preset.logFailure === undefined) return;
    const log = logFailure(preset.spec.logN, spec?.ephemeralWeight as number, spec?.range as number);
    expect(log).toBeCloseTo(preset.logFailure, 1);
    expect(log).toBeLessThanOrEqual(-128);
  });
});
