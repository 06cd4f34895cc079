/**
 * The client's randomness of a run that may be taken up again: a seed from the platform's generator,
 * kept in the checkpoint folder for the client alone, expanded by ChaCha20. Whoever reads the file can
 * decrypt; it is removed when the run is over.
 */
import { createHash, randomBytes } from "node:crypto";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AegisError } from "../base/errors.ts";
import { type Randomness, seededRandomness } from "../ckks/index.ts";

const secretFile = "client-secret";
const seedLength = 32;
const hint = "delete the folder to begin anew, or give another one";

/** What the seed of a run is for. */
export interface ResumableRun {
  /** The checkpoint folder; it exists. */
  readonly directory: string;
  /** Whether it holds a state to go on from. */
  readonly begun: boolean;
  /** Tokens of the text. */
  readonly ids: readonly number[];
  /** SHA-256 of program, plan and parameters: what decides which keys are drawn, in which order. */
  readonly run: string;
}

/**
 * The seed serves one text, and by deriving from it one plan: noise must not come again beside other keys.
 *
 * @throws `format` for a damaged file or one that is missing, `plan` for a checkpoint of another text, `io`
 */
export async function resumableRandomness({ directory, begun, ids, run }: ResumableRun): Promise<Randomness> {
  const path = join(directory, secretFile);
  const secret = (await read(path)) ?? (await make(path, directory, begun, ids));
  const seed = secret.subarray(0, seedLength);
  if (secret.length !== 2 * seedLength) throw new AegisError("format", `${path}: damaged`, { hint });
  if (!bind(seed, ids).equals(secret.subarray(seedLength)))
    throw new AegisError("plan", `${path}: the checkpoint is of another text, or damaged`, { hint });
  return seededRandomness(createHash("sha256").update(seed).update(run).digest());
}

async function read(path: string): Promise<Buffer | undefined> {
  try {
    // No more than it takes to see that a file is too long.
    if ((await stat(path)).size > 2 * seedLength) return Buffer.alloc(0);
    return await readFile(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new AegisError("io", `${path}: cannot be read`, { hint, cause });
  }
}

async function make(path: string, directory: string, begun: boolean, ids: readonly number[]): Promise<Buffer> {
  if (begun)
    throw new AegisError("format", `${path}: missing, so that what was saved cannot be decrypted`, {
      hint: `give the --insecure-seed that the run was begun with, if there was one; ${hint}`,
    });
  const seed = randomBytes(seedLength);
  const secret = Buffer.concat([seed, bind(seed, ids)]);
  try {
    await writeFile(path, secret, { mode: 0o600, flag: "wx" });
  } catch (cause) {
    throw new AegisError("io", `${directory}: cannot be written`, {
      hint: "check the path given with --checkpoint",
      cause,
    });
  }
  return secret;
}

function bind(seed: Uint8Array, ids: readonly number[]): Buffer {
  return createHash("sha256").update(seed).update(JSON.stringify(ids)).digest();
}

/** Removes the seed: the run is over. */
export async function forgetRandomness(directory: string): Promise<void> {
  await rm(join(directory, secretFile), { force: true });
}
