/** The evaluation keys of bootstrapping, made by the client. */
import {
  type Context,
  conjugationElement,
  type EvaluationKey,
  type KeyGenerator,
  rotationElement,
  type SecretKey,
} from "../../ckks/index.ts";
import { ephemeralSpecialCount, type NeededRotation } from "./bootstrapper.ts";

/**
 * Yields relinearisation, conjugation, rotation keys and the two switches to and from an
 * ephemeral sparse secret, which is erased afterwards.
 */
export function* bootstrappingKeys(
  context: Context,
  generator: KeyGenerator,
  secret: SecretKey,
  rotations: readonly NeededRotation[],
): Generator<EvaluationKey> {
  const { parameters } = context;
  const weight = parameters.spec.bootstrapping?.ephemeralWeight as number;
  using ephemeral = generator.secretKey({ kind: "sparse", weight });
  yield generator.switchingKey("dense-to-sparse", secret, ephemeral, 0, ephemeralSpecialCount);
  yield generator.switchingKey("sparse-to-dense", ephemeral, secret, parameters.maximumLevel, parameters.specialCount);
  yield generator.relinearisationKey(secret);
  yield generator.galoisKey(secret, conjugationElement(parameters.degree));
  for (const { steps, level } of rotations)
    yield generator.galoisKey(secret, rotationElement(steps, parameters.degree), level);
}
