/**
 * The folder of a run that can be put down and taken up: a manifest that names the last step all
 * devices have saved, with the digests of their files. The manifest changes at once and last, so that
 * whatever happens there is one whole state or none.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { AegisError } from "../base/errors.ts";
import type { Plan } from "../placement/index.ts";
import type { Program } from "../program/index.ts";
import type { CheckpointMessage } from "./device/messages.ts";
import { digestOf } from "./digest.ts";

const manifestName = "manifest.json";

const schema = z.strictObject({
  format: z.literal(1),
  program: z.string(),
  plan: z.string(),
  step: z.int().min(0),
  files: z.array(z.strictObject({ file: z.string().regex(/^[\w.-]+$/), digest: z.string().length(64) })),
});

type Manifest = z.infer<typeof schema>;

/** Where a run goes on. */
export interface Resume {
  readonly step: number;
  /** File of each device. */
  readonly paths: readonly string[];
}

export class CheckpointFolder {
  readonly directory: string;
  readonly resume: Resume | undefined;
  readonly #identity: { readonly program: string; readonly plan: string };
  readonly #devices: number;
  readonly #saved = new Map<number, (CheckpointMessage | undefined)[]>();
  readonly #onFailure: (error: AegisError) => void;
  #writing: Promise<void> = Promise.resolve();
  #failed = false;

  private constructor(
    directory: string,
    identity: { program: string; plan: string },
    devices: number,
    resume: Resume | undefined,
    onFailure: (error: AegisError) => void,
  ) {
    this.directory = directory;
    this.resume = resume;
    this.#identity = identity;
    this.#devices = devices;
    this.#onFailure = onFailure;
  }

  /**
   * Makes the folder, or finds in it where to go on.
   *
   * @param onFailure called once when a manifest cannot be written
   * @throws `format` for a damaged checkpoint, `plan` for one of another run, `io`
   */
  static async open(
    directory: string,
    program: Program,
    plan: Plan,
    onFailure: (error: AegisError) => void = () => undefined,
  ): Promise<CheckpointFolder> {
    const identity = { program: digestOf(program), plan: digestOf(plan) };
    try {
      await mkdir(directory, { recursive: true });
    } catch (cause) {
      throw new AegisError("io", `${directory}: cannot be made a folder`, {
        hint: "check the path given with --checkpoint",
        cause,
      });
    }
    const state = await findState(directory, identity, plan.devices);
    return new CheckpointFolder(directory, identity, plan.devices, state, onFailure);
  }

  /** A device has saved its part; when all have, the manifest follows and older files go. */
  saved(rank: number, message: CheckpointMessage): void {
    const parts =
      this.#saved.get(message.index) ?? new Array<CheckpointMessage | undefined>(this.#devices).fill(undefined);
    parts[rank] = message;
    this.#saved.set(message.index, parts);
    if (parts.some((part) => part === undefined)) return;
    this.#saved.delete(message.index);
    const files = parts.map((part) => ({ file: part?.file as string, digest: part?.digest as string }));
    this.#writing = this.#writing
      .then(() => this.#commit({ format: 1, ...this.#identity, step: message.index, files }))
      .catch((cause: unknown) => this.#fail(cause));
  }

  /** The run is over: nothing is left to go on from. */
  async finish(): Promise<void> {
    await this.#writing;
    await rm(join(this.directory, manifestName), { force: true });
    await this.#sweep(Number.POSITIVE_INFINITY);
  }

  async #commit(manifest: Manifest): Promise<void> {
    const path = join(this.directory, manifestName);
    await writeFile(`${path}.tmp`, `${JSON.stringify(manifest, null, 1)}\n`);
    await rename(`${path}.tmp`, path);
    await this.#sweep(manifest.step);
  }

  #fail(cause: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#onFailure(
      new AegisError("io", `${this.directory}: the checkpoint cannot be written`, {
        hint: "make room on the disk and run again: the run goes on from its last whole checkpoint",
        cause,
      }),
    );
  }

  /** Removes state files of earlier steps. Those of later ones may be about to be told of. */
  async #sweep(step: number): Promise<void> {
    for (const name of await readdir(this.directory)) {
      const [, index] = /^step-(\d+)-device-\d+\.bin(?:\.tmp)?$/.exec(name) ?? [];
      if (index !== undefined && Number(index) < step) await rm(join(this.directory, name), { force: true });
    }
  }
}

async function findState(
  directory: string,
  identity: { program: string; plan: string },
  devices: number,
): Promise<Resume | undefined> {
  const path = join(directory, manifestName);
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch {
    return undefined;
  }
  const hint = "delete the folder to begin anew, or give another one";
  const damaged = (message: string, cause?: unknown): AegisError =>
    new AegisError("format", `${path}: ${message}`, { hint, ...(cause === undefined ? {} : { cause }) });
  let manifest: Manifest;
  try {
    manifest = schema.parse(JSON.parse(text));
  } catch (cause) {
    throw damaged("damaged", cause);
  }
  if (manifest.program !== identity.program)
    throw new AegisError("plan", `${path}: the checkpoint is of another program`, { hint });
  if (manifest.plan !== identity.plan || manifest.files.length !== devices)
    throw new AegisError("plan", `${path}: the checkpoint is of another plan`, {
      hint: `${hint}, or use the same devices and strategy`,
    });
  const paths = manifest.files.map(({ file }) => join(directory, file));
  for (const [i, file] of paths.entries()) {
    const hash = createHash("sha256");
    try {
      await pipeline(createReadStream(file), hash);
    } catch (cause) {
      throw damaged(`${manifest.files[i]?.file} cannot be read`, cause);
    }
    if (hash.digest("hex") !== manifest.files[i]?.digest) throw damaged(`${manifest.files[i]?.file} is damaged`);
  }
  return { step: manifest.step, paths };
}
