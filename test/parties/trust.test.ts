/** What a server can know, and what a client believes. */
import { readdirSync, readFileSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { Context, type EvaluationKey, insecureRandomness, KeyGenerator, type SecretKey } from "../../src/ckks/index.ts";
import { Client } from "../../src/client/index.ts";
import { type Backend, createBackend } from "../../src/kernels/index.ts";
import { Server } from "../../src/server/index.ts";
import { parties, type SmallProgram, smallProgram } from "../support/run.ts";

let small: SmallProgram;
const text = (): number[] => small.model.ids(small.program.length);

beforeAll(async () => {
  small = await smallProgram({ shape: { hidden: 8, heads: 2, inner: 20 }, logN: 8, tokens: 4, length: 3, spread: 2 });
});

describe("the server's code", () => {
  const folders = ["server", "runtime", "transformer", "program"];
  const files = folders.flatMap((folder) =>
    readdirSync(new URL(`../../src/${folder}/`, import.meta.url), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
      .map(
        (name) =>
          [`${folder}/${name}`, readFileSync(new URL(`../../src/${folder}/${name}`, import.meta.url), "utf8")] as const,
      ),
  );

  test.each(files)("%s has no word for a secret key", (_, source) => {
    const imports = [...source.matchAll(/^(?:import|export)[^;]*?from "[^"]+";/gms)]
      .map(([statement]) => statement)
      .join("\n");
    expect(imports).not.toMatch(/\b(SecretKey|KeyGenerator|Decryptor|Encryptor|bootstrappingKeys)\b/);
    expect(imports).not.toMatch(/\/client\//);
  });

  test("the search sees what it looks for: the client's imports", () => {
    const source = readFileSync(new URL("../../src/client/client.ts", import.meta.url), "utf8");
    expect(source).toMatch(/import \{[^;]*SecretKey[^;]*\} from/s);
  });
});

describe("the server's memory", () => {
  /** All words of a backend, ring by ring limb. */
  function wordsOf(backend: Backend, context: Context): Uint32Array {
    const { degree } = context.parameters;
    const all = new Uint32Array(Math.floor(backend.memory().peak / 4 / degree) * degree);
    for (let from = 0; from < all.length; from += degree) {
      context.ring.kernels.read({ address: 4 * from, moduli: [0] }, 0, all.subarray(from, from + degree));
    }
    return all;
  }

  /** Whether `needle` stands anywhere in `haystack`, looked for by 16 of its words. */
  function contains(haystack: Uint32Array, needle: Uint32Array): boolean {
    const part = needle.subarray(0, 16);
    const first = part[0];
    for (let at = haystack.indexOf(first); at >= 0; at = haystack.indexOf(first, at + 1)) {
      if (part.every((word, i) => haystack[at + i] === word)) return true;
    }
    return false;
  }

  /** The secret as it would lie in memory: residues of each prime, and plain coefficients. */
  function traces(secret: SecretKey): Uint32Array[] {
    const { degree } = secret.context.parameters;
    const limbs = secret.poly.moduli.map((_, limb) => {
      const words = new Uint32Array(degree);
      secret.context.ring.kernels.read(secret.poly, limb, words);
      return words;
    });
    return [...limbs, new Uint32Array(Int32Array.from(secret.coefficients).buffer)];
  }

  test("holds no secret coefficients, and neither do the keys that it was given", async () => {
    const { context, model, program, needed } = small;
    const backend = await createBackend("wasm");
    const apart = new Context(context.parameters, backend);
    const client = new Client(context, model.checkpoint, insecureRandomness(21));
    // The same randomness gives the same secret.
    const secret = new KeyGenerator(context, insecureRandomness(21)).secretKey();
    const server = new Server(apart, model.checkpoint, program);
    const keys: EvaluationKey[] = [];
    for (const key of client.keys(needed.keys)) {
      keys.push(key);
      server.addKey(key);
    }
    const { ring } = apart;
    const input = client.encrypt(program, text()).map((a) => {
      const parts = a.parts.map((part) => {
        const copy = ring.poly(part.moduli, "ntt");
        const words = new Uint32Array(ring.degree);
        for (let i = 0; i < part.moduli.length; i++) {
          part.ring.kernels.read(part, i, words);
          ring.kernels.write(copy, i, words);
        }
        return copy;
      });
      return new (a.constructor as typeof import("../../src/ckks/index.ts").Ciphertext)(
        parts,
        a.level,
        a.scale,
        a.slots,
      );
    });
    await server.infer(input);
    const held = wordsOf(backend, apart);
    const mine = wordsOf(small.backend, context);
    const marks = traces(secret);
    expect(marks.slice(0, -1).some((mark) => contains(mine, mark))).toBe(true); // the search finds it where it is
    for (const mark of marks) {
      expect(contains(held, mark)).toBe(false);
      for (const key of keys) for (const half of key.b) expect(contains(half, mark)).toBe(false);
    }
    server.dispose();
    client.dispose();
    backend.dispose();
  });
});

describe("a client", () => {
  test("takes texts of the program's length only", () => {
    const client = new Client(small.context, small.model.checkpoint);
    for (const ids of [[], [2, 3], [2, 5, 6, 3]]) {
      expect(() => client.encrypt(small.program, ids)).toThrow(
        `the program is compiled for 3 tokens, the text has ${ids.length}`,
      );
    }
    client.dispose();
  });

  test("tokenises, and refuses what is empty or too long", () => {
    const client = new Client(small.context, small.model.checkpoint);
    expect(client.tokenise("good film")).toEqual([2, 6, 9, 3]);
    expect(() => client.tokenise(" ")).toThrow(/empty/);
    expect(() => client.tokenise("good ".repeat(40))).toThrow(/42 tokens/);
    expect(client.tokenise("good ".repeat(40), { truncate: true })).toHaveLength(16);
    client.dispose();
  });

  test("does not trust what another client's keys have made", async () => {
    const { program } = small;
    const mine = parties(small, 31);
    const other = parties(small, 32);
    const { output } = await mine.server.infer(mine.client.encrypt(program, text()));
    expect(() => mine.client.decrypt(program, output)).not.toThrow();
    expect(() => other.client.decrypt(program, output)).toThrow(/not to be trusted/);
    const crossed = await other.server.infer(mine.client.encrypt(program, text()));
    expect(() => mine.client.decrypt(program, crossed.output)).toThrow(/not to be trusted/);
    expect(() => other.client.decrypt(program, crossed.output)).toThrow(/not to be trusted/);
    for (const { client, server } of [mine, other]) {
      client.dispose();
      server.dispose();
    }
  });

  test("two clients of the same text send different ciphertexts and keys", () => {
    const { context, model, program, needed } = small;
    const [a, b] = [new Client(context, model.checkpoint), new Client(context, model.checkpoint)];
    const first = (client: Client): Uint32Array => {
      const words = new Uint32Array(context.ring.degree);
      context.ring.kernels.read(client.encrypt(program, text())[0].parts[0], 0, words);
      return words;
    };
    expect(first(a)).not.toEqual(first(b));
    expect(first(a)).not.toEqual(first(a));
    const keys = (client: Client): EvaluationKey => client.keys(needed.keys).next().value as EvaluationKey;
    expect(keys(a).seed).not.toEqual(keys(b).seed);
    expect(keys(a).b[0]).not.toEqual(keys(b).b[0]);
    a.dispose();
    b.dispose();
  });

  test("reports a value that left its calibrated range instead of a label", async () => {
    const { program } = small;
    const { client, server } = parties(small);
    // As if the embeddings were calibrated to a hundredth of what they are.
    const tensors = {
      ...program.tensors,
      [program.input]: { ...program.tensors[program.input], norm: program.tensors[program.input].norm / 100 },
    };
    const { output } = await server.infer(client.encrypt({ ...program, tensors }, text()));
    const failure = (): unknown => {
      try {
        return client.decrypt(program, output);
      } catch (error) {
        return error;
      }
    };
    expect(failure()).toMatchObject({
      code: "input",
      message: expect.stringMatching(/not to be trusted/),
      hint: expect.stringContaining("calibrat"),
    });
    client.dispose();
    server.dispose();
  });
});
