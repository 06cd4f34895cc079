/**
 * The client's randomness of a run that may be taken up again: a seed from the platform's generator,
 * kept in the checkpoint folder for the client alone, expanded by ChaCha20. Whoever reads the file can
 * decrypt; it is removed when the run is over.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AegisError } from "../base/errors.ts";
import { type Randomness, seededRandomness } from "../ckks/index.ts";

const secretFile = "client-secret";
const seedLength = 32;

/**
 * @param ids tokens of the text: the seed serves this text only
 * @throws `format` for a damaged file, `plan` for a checkpoint of another text
 */
export async function resumableRandomness(directory: string, ids: readonly number[]): Promise<Randomness> {
  const path = join(directory, secretFile);
  const hint = "delete the folder to begin anew, or give another one";
  let secret: Uint8Array;
  try {
    secret = await readFile(path);
  } catch {
    const seed = randomBytes(seedLength);
    secret = Buffer.concat([seed, bind(seed, ids)]);
    try {
      await mkdir(directory, { recursive: true });
      await writeFile(path, secret, { mode: 0o600, flag: "wx" });
    } catch (cause) {
      throw new AegisError("io", `${directory}: cannot be written`, {
        hint: "check the path given with --checkpoint",
        cause,
      });
    }
  }
  const seed = secret.subarray(0, seedLength);
  if (secret.length !== 2 * seedLength) throw new AegisError("format", `${path}: damaged`, { hint });
  if (!bind(seed, ids).equals(secret.subarray(seedLength)))
    throw new AegisError("plan", `${path}: the checkpoint is of another text, or damaged`, { hint });
  return seededRandomness(seed);
}

function bind(seed: Uint8Array, ids: readonly number[]): Buffer {
  return createHash("sha256").update(seed).update(JSON.stringify(ids)).digest();
}

/** Removes the seed: the run is over. */
export async function forgetRandomness(directory: string): Promise<void> {
  await rm(join(directory, secretFile), { force: true });
}
