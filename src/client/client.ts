/**
 * The client: tokenises, embeds, encrypts, makes evaluation keys, decrypts. The only place where the
 * secret key is.
 */
import { AegisError } from "../base/errors.ts";
import { bootstrappingKeys } from "../circuits/index.ts";
import {
  type Ciphertext,
  type Context,
  Decryptor,
  Encoder,
  Encryptor,
  type EvaluationKey,
  KeyGenerator,
  type KeyGeneratorOptions,
  type Randomness,
  type SecretKey,
  secureRandomness,
} from "../ckks/index.ts";
import {
  type Checkpoint,
  type EmbeddingModel,
  embed,
  type Prediction,
  prediction,
  type TextTokenizer,
} from "../model/index.ts";
import { ciphertextsOf, type Program, range, slotsOf, type Tensor } from "../program/index.ts";
import type { NeededKey } from "../runtime/index.ts";

/** The public part of a model that a client needs. */
export type ClientModel = EmbeddingModel & { readonly tokenizer: TextTokenizer };

/** What decryption says beside the prediction. */
export interface Decrypted extends Prediction {
  /** Largest imaginary part among all slots, in units of the logits: noise, where all went well. */
  readonly noise: number;
}

/** Logits beyond this multiple of the calibrated bound mean that an approximation left its range. */
const guardFactor = 3;
/** Noise above this share of the logits' bound means the same. */
const guardNoise = 2 ** -6;

export class Client implements Disposable {
  readonly #context: Context;
  readonly #model: ClientModel;
  readonly #secret: SecretKey;
  readonly #generator: KeyGenerator;
  readonly #randomness: Randomness;

  /** Makes a fresh secret key. */
  constructor(
    context: Context,
    model: ClientModel | Checkpoint,
    randomness: Randomness = secureRandomness(),
    options: KeyGeneratorOptions = {},
  ) {
    this.#context = context;
    this.#model = model;
    this.#randomness = randomness;
    this.#generator = new KeyGenerator(context, randomness, options);
    this.#secret = this.#generator.secretKey();
  }

  /** Evaluation keys for the server, one at a time. */
  *keys(needed: readonly NeededKey[]): Generator<EvaluationKey> {
    const { parameters } = this.#context;
    const names = new Set(needed.map((key) => key.name));
    const levelOf = (name: string): number => needed.find((key) => key.name === name)?.level as number;
    if (names.has("dense-to-sparse")) {
      for (const key of bootstrappingKeys(this.#context, this.#generator, this.#secret, [])) {
        if (names.has(key.name)) {
          names.delete(key.name);
          yield key;
        }
      }
    }
    for (const name of names) {
      if (name === "relinearisation") yield this.#generator.relinearisationKey(this.#secret, levelOf(name));
      else if (name.startsWith("galois-"))
        yield this.#generator.galoisKey(this.#secret, Number(name.slice(7)), levelOf(name));
      else
        throw new AegisError("key", `no way to make a key named ${name}`, {
          hint: `parameters ${parameters.name} may be of another version`,
        });
    }
  }

  /**
   * Token ids of a text. Throws `input` for an empty text and for one that is too long (unless
   * `truncate` is set).
   */
  tokenise(text: string, options: { truncate?: boolean } = {}): number[] {
    return this.#model.tokenizer.encode(text, options);
  }

  /** The encrypted embedding of a text of exactly `program.length` tokens. */
  encrypt(program: Program, ids: readonly number[]): Ciphertext[] {
    if (ids.length !== program.length) {
      throw new AegisError(
        "input",
        `the program is compiled for ${program.length} tokens, the text has ${ids.length}`,
        { hint: "compile for this length" },
      );
    }
    const tensor = program.tensors[program.input] as Tensor;
    const { tokens, lanes } = program.geometry;
    const hidden = this.#model.config.hiddenSize;
    const embedded = embed(this.#model, ids);
    const encoder = new Encoder(this.#context);
    using encryptor = new Encryptor(this.#context, this.#secret, this.#randomness);
    return range(ciphertextsOf(tensor)).map((index) => {
      const first = Math.floor(index / tensor.count) * tokens;
      const feature = (index % tensor.count) * lanes;
      const values = new Float64Array(slotsOf(program.geometry));
      // Rows beyond the text repeat it: they stay within the calibrated ranges, and attention masks their keys.
      for (let token = 0; token < tokens; token++) {
        const row = ((first + token) % ids.length) * hidden;
        for (let lane = 0; lane < lanes && feature + lane < hidden; lane++)
          values[token * lanes + lane] = (embedded[row + feature + lane] as number) / tensor.norm;
      }
      using plaintext = encoder.encode(values, { level: tensor.level as number });
      return encryptor.encrypt(plaintext);
    });
  }

  /**
   * The logits. Throws `input` when the result shows that a value left the range that the
   * approximations are made for. For the client's eyes only: see {@link Decryptor}.
   */
  decrypt(program: Program, output: readonly Ciphertext[]): Decrypted {
    const norm = program.tensors[program.output]?.norm as number;
    const { real, imaginary } = new Decryptor(this.#context, this.#secret).decrypt(output[0] as Ciphertext);
    const logits = real.slice(0, program.classes).map((value) => value * norm);
    const noise = imaginary.reduce((most, value) => Math.max(most, Math.abs(value)), 0) * norm;
    const largest = logits.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    if (!(largest <= guardFactor * norm) || !(noise <= guardNoise * norm)) {
      throw new AegisError(
        "input",
        `the decrypted result is not to be trusted: logits up to ${largest.toPrecision(3)} (calibrated: ${norm.toPrecision(3)}), noise ${noise.toPrecision(3)}`,
        {
          hint: "a value left its calibrated range: calibrate on texts like this one (aegis calibrate --texts FILE)",
        },
      );
    }
    return { ...prediction(logits, this.#model.config.labels), noise };
  }

  /** Erases the secret key. */
  dispose(): void {
    this.#secret.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
