/**
 * The plaintext twin: a program's operations in double precision, with its polynomials and
 * scalings, on plain arrays instead of slots. It tells the accuracy of the approximations without
 * encryption, and encrypted runs must agree with it to the noise. Rows beyond the real tokens are
 * copies in the encrypted run and left out here.
 */
import { AegisError } from "../base/errors.ts";
import type { Checkpoint } from "../model/index.ts";
import { describeOperation, type Operation, type Program } from "../program/index.ts";
import { type DenseWeights, foldWeights } from "./weights.ts";

/** Stored values of a tensor: hidden vectors [length × columns], or scores [heads × length × length]. */
interface Values {
  readonly data: Float64Array;
  readonly columns: number;
}

export interface TwinResult {
  readonly logits: Float64Array;
  /** How far arguments of polynomials left [−1, 1], by operation; empty when none did. */
  readonly excursions: readonly { operation: string; by: number }[];
}

/** Runs programs of one checkpoint; folded weights are kept between runs. */
export class Twin {
  readonly #checkpoint: Checkpoint;
  readonly #folded = new Map<string, DenseWeights>();

  constructor(checkpoint: Checkpoint) {
    this.#checkpoint = checkpoint;
  }

  /** @param embeddings true values after the embedding's layer norm, [length × hidden] */
  run(
    program: Pick<Program, "operations" | "tensors" | "length" | "geometry" | "output" | "classes">,
    embeddings: Float64Array,
  ): TwinResult {
    const { length } = program;
    const heads = program.geometry.heads;
    const values = new Map<string, Values>();
    const excursions: { operation: string; by: number }[] = [];
    const get = (name: string | undefined): Values => {
      const found = values.get(name as string);
      if (found === undefined) throw new AegisError("program", `twin: ${name} is read before it is made`);
      return found;
    };
    for (const operation of program.operations) {
      const a = operation.inputs[0];
      const b = operation.inputs[1];
      const out = (result: Values, index = 0): void => void values.set(operation.outputs[index] as string, result);
      switch (operation.kind) {
        case "input": {
          const norm = program.tensors[operation.outputs[0] as string]?.norm as number;
          out({ data: embeddings.map((x) => x / norm), columns: embeddings.length / length });
          break;
        }
        case "replicate":
        case "offset":
          out(get(a));
          break;
        case "bootstrap":
          for (const [i, name] of operation.inputs.entries()) out(get(name), i);
          break;
        case "linear":
          for (const [i, weights] of operation.weights.entries())
            out(applyLinear(get(a), length, this.#fold(weights)), i);
          break;
        case "add":
          out(zip(get(a), get(b), (x, y) => x + y));
          break;
        case "multiply":
          out(zip(get(a), get(b), (x, y) => x * y));
          break;
        case "scores":
          out(scores(get(a), get(b), length, heads, operation.constant));
          break;
        case "polynomial": {
          const input = get(a);
          const by = excursion(input.data);
          if (by > 0) excursions.push({ operation: describeOperation(operation), by });
          out(polynomial(input, operation, heads));
          break;
        }
        case "mask":
          out(byHead(get(a), heads, operation.headFactors));
          break;
        case "expand":
          out(zip(get(a), get(a), (x) => x * operation.factor));
          break;
        case "denominators":
          out(
            denominators(
              get(a),
              length,
              heads,
              operation.headFactors?.map((factor) => factor * operation.factor) ??
                new Array<number>(heads).fill(operation.factor),
              operation.constant,
              this.#checkpoint.config.hiddenSize,
            ),
          );
          break;
        case "context":
          out(context(get(a), get(b), length, heads));
          break;
        case "square-sum":
          out(squareSum(get(a), length, operation.constant));
          break;
        case "output":
          break;
      }
    }
    const output = get(program.output);
    const norm = program.tensors[program.output]?.norm as number;
    return { logits: output.data.slice(0, program.classes).map((x) => x * norm), excursions };
  }

  #fold(weights: Parameters<typeof foldWeights>[0]): DenseWeights {
    const key = JSON.stringify(weights);
    let folded = this.#folded.get(key);
    if (folded === undefined) {
      folded = foldWeights(weights, this.#checkpoint);
      this.#folded.set(key, folded);
    }
    return folded;
  }
}

function applyLinear(input: Values, length: number, { rows, columns, matrix, bias }: DenseWeights): Values {
  const data = new Float64Array(length * rows);
  for (let t = 0; t < length; t++) {
    const row = input.data.subarray(t * input.columns, t * input.columns + columns);
    for (let o = 0; o < rows; o++) {
      let sum = bias[o] as number;
      const offset = o * columns;
      for (let i = 0; i < columns; i++) sum += (matrix[offset + i] as number) * (row[i] as number);
      data[t * rows + o] = sum;
    }
  }
  return { data, columns: rows };
}

function zip(a: Values, b: Values, f: (x: number, y: number) => number): Values {
  return { data: a.data.map((x, i) => f(x, b.data[i] as number)), columns: a.columns };
}

/** Hidden vectors times a factor for each head. */
function byHead(input: Values, heads: number, factors: readonly number[]): Values {
  const size = input.columns / heads;
  return {
    data: input.data.map((x, i) => x * (factors[Math.floor((i % input.columns) / size)] as number)),
    columns: input.columns,
  };
}

function scores(query: Values, key: Values, length: number, heads: number, constant: number): Values {
  const size = query.columns / heads;
  const data = new Float64Array(heads * length * length);
  for (let h = 0; h < heads; h++) {
    for (let i = 0; i < length; i++) {
      for (let j = 0; j < length; j++) {
        let sum = constant;
        for (let d = h * size; d < (h + 1) * size; d++) {
          sum += (query.data[i * query.columns + d] as number) * (key.data[j * key.columns + d] as number);
        }
        data[(h * length + i) * length + j] = sum;
      }
    }
  }
  return { data, columns: length };
}

function polynomial(input: Values, operation: Extract<Operation, { kind: "polynomial" }>, heads: number): Values {
  const data = input.data.map((u) => chebyshev(operation.coefficients, u));
  if (operation.mask === "first-token") data.fill(0, input.columns);
  const factors = operation.headFactors;
  if (factors !== undefined) {
    const perHead = data.length / heads;
    for (let i = 0; i < data.length; i++) data[i] = (data[i] as number) * (factors[Math.floor(i / perHead)] as number);
  }
  return { data, columns: input.columns };
}

/** Clenshaw's recurrence. */
function chebyshev(coefficients: readonly number[], u: number): number {
  let next = 0;
  let afterNext = 0;
  for (let k = coefficients.length - 1; k > 0; k--) {
    const current = (coefficients[k] as number) + 2 * u * next - afterNext;
    afterNext = next;
    next = current;
  }
  return (coefficients[0] as number) + u * next - afterNext;
}

function excursion(data: Float64Array): number {
  let most = 0;
  for (const u of data) most = Math.max(most, Math.abs(u) - 1);
  return most;
}

function denominators(
  expanded: Values,
  length: number,
  heads: number,
  factors: readonly number[],
  constant: number,
  hidden: number,
): Values {
  const data = new Float64Array(length * hidden);
  const size = hidden / heads;
  for (let h = 0; h < heads; h++) {
    for (let i = 0; i < length; i++) {
      let sum = 0;
      for (let j = 0; j < length; j++) sum += expanded.data[(h * length + i) * length + j] as number;
      data.fill((factors[h] as number) * sum + constant, i * hidden + h * size, i * hidden + (h + 1) * size);
    }
  }
  return { data, columns: hidden };
}

function context(expanded: Values, value: Values, length: number, heads: number): Values {
  const { columns } = value;
  const size = columns / heads;
  const data = new Float64Array(length * columns);
  for (let h = 0; h < heads; h++) {
    for (let i = 0; i < length; i++) {
      for (let j = 0; j < length; j++) {
        const p = expanded.data[(h * length + i) * length + j] as number;
        for (let d = h * size; d < (h + 1) * size; d++) {
          data[i * columns + d] = (data[i * columns + d] as number) + p * (value.data[j * columns + d] as number);
        }
      }
    }
  }
  return { data, columns };
}

function squareSum(input: Values, length: number, constant: number): Values {
  const { columns } = input;
  const data = new Float64Array(length * columns);
  for (let t = 0; t < length; t++) {
    let sum = constant;
    for (let i = t * columns; i < (t + 1) * columns; i++) sum += (input.data[i] as number) ** 2;
    data.fill(sum, t * columns, (t + 1) * columns);
  }
  return { data, columns };
}
