/** Bytes that arrive in chunks of any size: files, HTTP bodies, arrays. */
import { AegisError, throwIfAborted } from "../../base/errors.ts";

/** What a stream of bytes may be: a web stream, a Node stream, chunks, or all bytes at once. */
export type ByteStream = ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> | Iterable<Uint8Array> | Uint8Array;

export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  readonly #signal: AbortSignal | undefined;
  #rest: Uint8Array = new Uint8Array(0);
  #ended = false;
  /** Bytes handed out so far. */
  consumed = 0;

  constructor(stream: ByteStream, signal?: AbortSignal) {
    this.#chunks = iteratorOf(stream);
    this.#signal = signal;
  }

  /** Fills `into`; returns the bytes that were there, fewer only at the end of the stream. */
  async read(into: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < into.length && (await this.#more())) {
      const take = Math.min(this.#rest.length, into.length - filled);
      into.set(this.#rest.subarray(0, take), filled);
      this.#rest = this.#rest.subarray(take);
      filled += take;
    }
    this.consumed += filled;
    return filled;
  }

  /** Whether nothing is left. */
  async atEnd(): Promise<boolean> {
    return !(await this.#more());
  }

  /** Tells the producer that no more is wanted. */
  async cancel(): Promise<void> {
    if (!this.#ended) await this.#chunks.return?.();
    this.#ended = true;
  }

  async #more(): Promise<boolean> {
    while (this.#rest.length === 0 && !this.#ended) {
      throwIfAborted(this.#signal);
      const { value, done } = await this.#chunks.next();
      if (done === true) this.#ended = true;
      else if (value instanceof Uint8Array) this.#rest = value;
      else
        throw new AegisError("argument", "key set: expected a stream of Uint8Array chunks", {
          operation: "deserialize",
        });
    }
    return this.#rest.length > 0;
  }
}

function iteratorOf(stream: ByteStream): AsyncIterator<Uint8Array> | Iterator<Uint8Array> {
  if (stream instanceof Uint8Array) return [stream][Symbol.iterator]();
  if (Symbol.asyncIterator in stream) return stream[Symbol.asyncIterator]();
  if (Symbol.iterator in stream) return stream[Symbol.iterator]();
  // Browsers whose ReadableStream is not iterable.
  const reader = (stream as ReadableStream<Uint8Array>).getReader();
  return {
    next: async () => {
      const { value, done } = await reader.read();
      return done ? { value: undefined, done: true } : { value, done: false };
    },
    return: async () => {
      await reader.cancel();
      return { value: undefined, done: true };
    },
  };
}
