/** Bootstrapping fixtures: keys for a slot count, and precision of what comes back. */
import { Bootstrapper, bootstrappingKeys } from "../../src/circuits/index.ts";
import type { Ciphertext, ComplexVector, ParametersSpec } from "../../src/ckks/index.ts";
import { Fixture, type Precision, precision } from "./ckks.ts";

export interface Boot {
  readonly fixture: Fixture;
  readonly bootstrapper: Bootstrapper;
  /** The evaluation keys and no others. */
  readonly keys: string[];
}

/** A fixture with the keys that bootstrapping of `slots` slots lists. */
export async function makeBoot(spec: ParametersSpec, slots: number, seed: number): Promise<Boot> {
  const fixture = await Fixture.make(spec, seed);
  const { context, generator, secret, keys } = fixture;
  const bootstrapper = new Bootstrapper(context, slots);
  for (const key of bootstrappingKeys(context, generator, secret, bootstrapper.rotations())) keys.add(key);
  return { fixture, bootstrapper, keys: keys.list().map(({ name }) => name) };
}

/** Precision of the real parts alone: imaginary parts count as errors too. */
export function realPrecision(fixture: Fixture, ciphertext: Ciphertext, expected: Float64Array): Precision {
  const wanted: ComplexVector = { real: expected, imaginary: new Float64Array(expected.length) };
  using spent = ciphertext;
  return precision(wanted, fixture.decryptor.decrypt(spent));
}
