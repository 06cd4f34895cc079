/** The wire format: containers that are checked before anything in them is trusted. */
export type { ByteStream } from "./byte-source.ts";
export { type CiphertextOptions, deserializeCiphertext, serializeCiphertext, wireBytes } from "./ciphertext.ts";
export { deserializeEvaluationKey, serializeEvaluationKey } from "./evaluation-key.ts";
export { headerBytes, keyIdBytes, type ReadOptions, randomKeyId, wireVersion } from "./header.ts";
export { type KeySetOptions, keySetId, maximumKeySetBytes, readKeySet, writeKeySet } from "./key-set.ts";
export { deserializeParameters, maximumParametersBytes, serializeParameters } from "./parameters.ts";
export { deserializePublicKey, serializePublicKey } from "./public-key.ts";
