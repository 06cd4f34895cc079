/** What the dry run says against what a real run does. */
import { beforeAll, describe, expect, test } from "vitest";
import { parties, type SmallProgram, smallProgram } from "../../test/support/run.ts";
import { Bootstrapper, bootstrappingKeys } from "../circuits/index.ts";
import {
  Decryptor,
  Encoder,
  Encryptor,
  Evaluator,
  insecureRandomness,
  KeyGenerator,
  type KeyName,
  type KeySource,
  KeyStore,
  type LoadedKey,
} from "../ckks/index.ts";
import { embed } from "../model/index.ts";
import { slotsOf } from "../program/index.ts";
import { Environment, foldWeights } from "../transformer/index.ts";
import { CountingKeys } from "./counting-keys.ts";
import { type Progress, type RunOptions, runProgram } from "./run.ts";

let small: SmallProgram;

beforeAll(async () => {
  small = await smallProgram({ shape: { hidden: 8, heads: 2, inner: 20 }, logN: 8, tokens: 4, length: 3, spread: 2 });
});

/** Notes which keys are used and the highest level of each. */
class WatchedKeys implements KeySource {
  readonly levels = new Map<KeyName, number>();
  readonly #source: KeySource;

  constructor(source: KeySource) {
    this.#source = source;
  }

  keys(names: readonly KeyName[], level: number): readonly LoadedKey[] {
    for (const name of names) this.levels.set(name, Math.max(level, this.levels.get(name) ?? 0));
    return this.#source.keys(names, level);
  }
}

/** A run put together by hand, so that its keys and memory can be watched. */
class Run {
  readonly store: KeyStore;
  readonly watched: WatchedKeys;
  readonly counting: CountingKeys;
  readonly #environment: Environment;
  readonly #decryptor: Decryptor;
  readonly #encryptor: Encryptor;

  constructor() {
    const { context, program, needed } = small;
    const generator = new KeyGenerator(context, insecureRandomness(3));
    const secret = generator.secretKey();
    this.store = new KeyStore(context);
    const bootstrapper = new Bootstrapper(context, slotsOf(program.geometry));
    const wanted = new Map(needed.keys.map(({ name, level }) => [name, level]));
    for (const key of bootstrappingKeys(context, generator, secret, []))
      if (wanted.delete(key.name)) this.store.add(key);
    for (const [name, level] of wanted) {
      const key =
        name === "relinearisation"
          ? generator.relinearisationKey(secret, level)
          : generator.galoisKey(secret, Number(name.slice(7)), level);
      this.store.add(key);
    }
    this.watched = new WatchedKeys(this.store);
    this.counting = new CountingKeys(this.watched);
    this.#environment = new Environment(
      new Evaluator(context, this.counting),
      program.geometry,
      program.length,
      bootstrapper,
    );
    this.#decryptor = new Decryptor(context, secret);
    this.#encryptor = new Encryptor(context, secret, insecureRandomness(4));
  }

  /** The logits, and the backend's memory without loaded keys before and after. */
  async run(options: RunOptions = {}): Promise<{ logit: number; before: number; after: number }> {
    const { context, program, model, backend } = small;
    const embedded = embed(model.checkpoint, model.ids(program.length));
    const { tokens, lanes, width } = program.geometry;
    const { norm, level } = program.tensors[program.input];
    const values = new Float64Array(tokens * lanes);
    for (let t = 0; t < tokens; t++)
      for (let i = 0; i < width; i++) values[t * lanes + i] = embedded[(t % program.length) * width + i] / norm;
    using plaintext = new Encoder(context).encode(values, { level: level as number });
    const free = (): number => backend.memory().used - this.store.memory().resident;
    const before = free();
    using input = this.#encryptor.encrypt(plaintext);
    const weights = (operation: Parameters<Parameters<typeof runProgram>[2]["weights"]>[0], i: number) =>
      foldWeights(operation.weights[i], model.checkpoint);
    let logit = Number.NaN;
    try {
      const { output } = await runProgram(program, this.#environment, { weights }, [input], options);
      logit = this.#decryptor.decrypt(output[0]).real[0];
      for (const a of output) a.dispose();
    } catch (error) {
      input.dispose();
      throw Object.assign(error as object, { leaked: free() - before });
    }
    input.dispose();
    return { logit, before, after: free() };
  }
}

describe("a real run", () => {
  let run: Run;

  beforeAll(() => {
    run = new Run();
  });

  test("asks for exactly the keys of the dry run, at exactly their levels", async () => {
    await run.run();
    const wanted = new Map(small.needed.keys.map(({ name, level }) => [name, level]));
    expect(new Map([...run.watched.levels].sort())).toEqual(new Map([...wanted].sort()));
    expect(small.needed.keys.length).toBeGreaterThan(10);
  });

  test("counts the same key switches, products and rotations", () => {
    const { bootstraps, ...counts } = small.needed.counts;
    expect(run.counting.uses).toEqual(counts);
    expect(bootstraps).toBeGreaterThan(3);
    expect(counts.keySwitches).toBeGreaterThan(counts.multiplications + counts.rotations);
  });

  test("takes as much memory as forecast, within a tenth", async () => {
    // All keys are resident by now, and stay so: what is on top of them is the run's.
    const { backend, needed, context, program } = small;
    const keys = run.store.memory().resident;
    const { before } = await run.run();
    expect(run.store.memory().resident).toBe(keys);
    const used = backend.memory().used;
    using again = new Bootstrapper(context, slotsOf(program.geometry));
    const transforms = backend.memory().used - used;
    expect(transforms).toBeGreaterThanOrEqual(again.bytes);
    const measured = backend.memory().peak - keys - before;
    const ratio = measured / (needed.workBytes - transforms);
    expect(ratio).toBeGreaterThan(0.9);
    expect(ratio).toBeLessThan(1.1);
  });

  test("frees all that it has taken, and can be repeated", async () => {
    const first = await run.run();
    const second = await run.run();
    expect(first.after).toBe(first.before);
    expect(second.after).toBe(second.before);
    expect(Math.abs(first.logit - second.logit)).toBeLessThan(2 ** -12);
  });

  test("says how far it is, with the time left", async () => {
    const seen: Progress[] = [];
    const forecast = small.program.operations.map(() => 0.5);
    await run.run({ onProgress: (progress) => seen.push(progress), forecast });
    const { operations } = small.program;
    // The input is there at the beginning; an operation may take several steps.
    expect([...new Set(seen.map(({ done }) => done))]).toEqual(operations.slice(1, -1).map((_, i) => i + 1));
    expect(seen.every(({ total }) => total === operations.length)).toBe(true);
    expect(seen[0].operation).toBe("layer 0 → attention → replicate");
    expect(seen[0].secondsLeft).toBe(0.5 * (operations.length - 1));
    expect(seen.at(-1)?.secondsLeft).toBeLessThan(seen[0].secondsLeft as number);
  });

  test("stops at a signal and frees its memory", async () => {
    const controller = new AbortController();
    const seen: number[] = [];
    const stopped = run.run({
      signal: controller.signal,
      onProgress: ({ done }) => {
        seen.push(done);
        if (done === 4) controller.abort(new Error("enough"));
      },
    });
    await expect(stopped).rejects.toMatchObject({ code: "aborted", leaked: 0, cause: { message: "enough" } });
    expect(seen.at(-1)).toBe(4);
  });

  test("does not start after a signal", async () => {
    const seen: number[] = [];
    await expect(
      run.run({ signal: AbortSignal.abort(), onProgress: ({ done }) => seen.push(done) }),
    ).rejects.toMatchObject({ code: "aborted", leaked: 0 });
    expect(seen).toEqual([]);
  });
});

describe("a failure", () => {
  /** Runs with one key missing. */
  async function without(
    name: KeyName,
  ): Promise<{ code: string; path: string[]; message: string; describe(): string }> {
    const { client, server } = parties(small, 7, name);
    const input = client.encrypt(small.program, small.model.ids(small.program.length));
    const error = await server.infer(input).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    for (const a of input) a.dispose();
    server.dispose();
    client.dispose();
    return error as { code: string; path: string[]; message: string; describe(): string };
  }

  test("names its place in the model: a product of the scores", async () => {
    const error = await without("relinearisation");
    expect(error).toMatchObject({ code: "key", hint: expect.stringContaining("keys that the program lists") });
    expect(error.path[0]).toBe("layer 0 → attention → scores");
    expect(error.describe()).toMatch(
      /^layer 0 → attention → scores: .*key relinearisation at level \d+ is needed, but there is none\n/,
    );
  });

  test.each(["relinearisation", "dense-to-sparse", "middle"])(
    "frees what the operation has taken: %s",
    async (which) => {
      const { keys } = small.needed;
      const name = which === "middle" ? keys[Math.floor(keys.length / 2)].name : (which as KeyName);
      await without(name); // makes the kernels' tables
      const before = small.backend.memory().used;
      await without(name);
      expect(small.backend.memory().used - before).toBe(0);
    },
  );

  test("names the bootstrapping that it is in", async () => {
    const error = await without("dense-to-sparse");
    expect(error.path).toEqual([expect.stringMatching(/^layer 0 → .* → bootstrap$/), "bootstrap"]);
  });
});
