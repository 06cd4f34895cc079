/**
 * The folder of a run that can be put down and taken up: a manifest that names the last step all
 * devices have saved, with the digests of their files. The manifest changes at once and last, so that
 * whatever happens there is one whole state or none. It is there from the beginning (step 0, no files): a
 * folder of states without one has lost it, and is left as it is.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { AegisError } from "../base/errors.ts";
import {
  damagedManifest,
  type Identity,
  type Manifest,
  manifestName,
  type RunIdentity,
  readManifest,
  refuseOther,
  startAnew,
} from "./checkpoint-manifest.ts";
import type { CheckpointMessage } from "./device/messages.ts";

/** Where a run goes on. */
export interface Resume {
  readonly step: number;
  /** File of each device. */
  readonly paths: readonly string[];
}

export class CheckpointFolder {
  readonly directory: string;
  readonly resume: Resume | undefined;
  readonly #identity: Identity;
  readonly #saved = new Map<number, (CheckpointMessage | undefined)[]>();
  readonly #onFailure: (error: AegisError) => void;
  #writing: Promise<void> = Promise.resolve();
  #failed = false;
  #kept: boolean;

  private constructor(
    directory: string,
    identity: Identity,
    resume: Resume | undefined,
    onFailure: (error: AegisError) => void,
  ) {
    this.directory = directory;
    this.resume = resume;
    this.#identity = identity;
    this.#onFailure = onFailure;
    this.#kept = resume !== undefined;
  }

  /**
   * Makes the folder, or finds in it where to go on.
   *
   * @param onFailure called once when a manifest cannot be written
   * @throws `format` for a damaged checkpoint, `plan` for one of another run, `io`
   */
  static async open(
    directory: string,
    identity: Identity,
    onFailure: (error: AegisError) => void = () => undefined,
  ): Promise<CheckpointFolder> {
    await makeFolder(directory);
    const manifest = await findManifest(directory, identity);
    const resume = manifest === undefined ? undefined : await resumeFrom(directory, manifest);
    const folder = new CheckpointFolder(directory, identity, resume, onFailure);
    if (resume === undefined) await folder.#begin();
    return folder;
  }

  /** Whether there is something to go on from. */
  get kept(): boolean {
    return this.#kept;
  }

  /** A device has saved its part; when all have, the manifest follows and older files go. */
  saved(rank: number, message: CheckpointMessage): void {
    const { devices } = this.#identity;
    const parts = this.#saved.get(message.index) ?? new Array<CheckpointMessage | undefined>(devices).fill(undefined);
    parts[rank] = message;
    this.#saved.set(message.index, parts);
    if (parts.some((part) => part === undefined)) return;
    this.#saved.delete(message.index);
    const files = parts.map((part) => ({ file: part?.file as string, digest: part?.digest as string }));
    this.#writing = this.#writing
      .then(() => this.#commit(message.index, files))
      .catch((cause: unknown) => this.#fail(cause));
  }

  /** Waits until what devices have saved is in the manifest. */
  async settle(): Promise<void> {
    await this.#writing;
  }

  /** The run is over: nothing is left to go on from. */
  async finish(): Promise<void> {
    await this.#writing;
    // First the manifest that names no files, so that none is named when it is gone.
    await this.#begin();
    await rm(join(this.directory, manifestName), { force: true });
  }

  async #begin(): Promise<void> {
    try {
      await this.#write({ format: 1, ...this.#identity, step: 0, files: [] });
      await this.#sweep(Number.POSITIVE_INFINITY);
    } catch (cause) {
      throw notWritten(this.directory, cause);
    }
  }

  async #commit(step: number, files: Manifest["files"]): Promise<void> {
    await this.#write({ format: 1, ...this.#identity, step, files });
    this.#kept = true;
    await this.#sweep(step);
  }

  async #write(manifest: Manifest): Promise<void> {
    const path = join(this.directory, manifestName);
    const handle = await open(`${path}.tmp`, "w", 0o600);
    try {
      await handle.writeFile(`${JSON.stringify(manifest, null, 1)}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(`${path}.tmp`, path);
  }

  #fail(cause: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#onFailure(notWritten(this.directory, cause));
  }

  /** Removes state files of earlier steps. Those of later ones may be about to be told of. */
  async #sweep(step: number): Promise<void> {
    for (const name of await readdir(this.directory)) {
      const index = stepOf(name);
      if (index !== undefined && index < step) await rm(join(this.directory, name), { force: true });
    }
  }
}

/**
 * Looks whether a run can go on in a folder, before the work of a run begins; makes the folder. What needs the
 * input or the whole state files is left to the run.
 *
 * @returns whether there is a state to go on from
 * @throws `format` for a damaged checkpoint, `plan` for one of another run, `io`
 */
export async function checkCheckpoint(directory: string, identity: RunIdentity): Promise<boolean> {
  await makeFolder(directory);
  return (await findManifest(directory, identity)) !== undefined;
}

async function makeFolder(directory: string): Promise<void> {
  try {
    await makeAll(resolve(directory));
  } catch (cause) {
    const hint = "check the path given with --checkpoint";
    const what = (cause as NodeJS.ErrnoException).code === "EEXIST" ? "is not a folder" : "cannot be made a folder";
    throw new AegisError("io", `${directory}: ${what}`, { hint, cause });
  }
}

/** Folder by folder: Node's recursive mkdir never returns where a file system refuses new folders as "not found". */
async function makeAll(directory: string): Promise<void> {
  try {
    if ((await stat(directory)).isDirectory()) return;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT" || dirname(directory) === directory) throw cause;
    await makeAll(dirname(directory));
  }
  await mkdir(directory);
}

/** The manifest of a state to go on from; undefined where nothing was saved yet. */
async function findManifest(
  directory: string,
  identity: RunIdentity & { readonly input?: string },
): Promise<Manifest | undefined> {
  const path = join(directory, manifestName);
  const manifest = await readManifest(path);
  if (manifest === undefined) {
    const states = (await readdir(directory)).filter((name) => stepOf(name) !== undefined && !name.endsWith(".tmp"));
    if (states.length === 0) return undefined;
    throw new AegisError("format", `${path}: missing, beside ${states.length} saved states`, { hint: startAnew });
  }
  if (manifest.files.length === 0) return undefined;
  refuseOther(path, manifest, identity);
  return manifest;
}

async function resumeFrom(directory: string, { step, files }: Manifest): Promise<Resume> {
  const manifest = join(directory, manifestName);
  const paths = files.map(({ file }) => join(directory, file));
  for (const [i, file] of paths.entries()) {
    const hash = createHash("sha256");
    try {
      await pipeline(createReadStream(file), hash);
    } catch (cause) {
      const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
      throw damagedManifest(manifest, `${files[i]?.file} ${missing ? "is missing" : "cannot be read"}`, cause);
    }
    if (hash.digest("hex") !== files[i]?.digest)
      throw damagedManifest(manifest, `${files[i]?.file} is damaged: it is not what was saved`);
  }
  return { step, paths };
}

/** Step of a state file by its name; undefined for other files. */
function stepOf(name: string): number | undefined {
  const [, index] = /^step-(\d+)-device-\d+\.bin(?:\.tmp)?$/.exec(name) ?? [];
  return index === undefined ? undefined : Number(index);
}

function notWritten(directory: string, cause: unknown): AegisError {
  return new AegisError("io", `${directory}: the checkpoint cannot be written`, {
    hint: "make room on the disk and run again: the run goes on from its last whole checkpoint",
    cause,
  });
}
