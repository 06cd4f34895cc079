/** What graphs are built with: tensors and operations, one after another. */
import { polynomialDepth } from "../../circuits/index.ts";
import type { ModelConfig } from "../../model/index.ts";
import type {
  Axis,
  Content,
  Geometry,
  Mask,
  Operation,
  Program,
  Tensor,
  WeightExpression,
} from "../../program/index.ts";
import type { Calibration, FittedFunction } from "../calibration.ts";

type Fields<K extends Operation["kind"]> = Omit<Extract<Operation, { kind: K }>, "id" | "path" | "level">;

/** A program without levels. */
export type UnscheduledProgram = Omit<Program, "preset">;

/** What the ciphertexts of a tensor hold, where it is not `single`. */
export interface TensorOptions {
  readonly content?: Content;
  readonly axis?: Axis;
  readonly blocks?: number;
  readonly count?: number;
  readonly features?: number;
  readonly offset?: number;
  readonly magnitude?: number;
}

/** A layer of a linear operation and its result. */
export interface Layer extends TensorOptions {
  readonly parameter: string;
  readonly output: string;
  readonly norm: number;
  readonly centre?: boolean;
}

export class GraphBuilder {
  readonly config: ModelConfig;
  readonly calibration: Calibration;
  readonly geometry: Geometry;
  readonly length: number;
  readonly tensors: Record<string, Tensor> = {};
  readonly operations: Operation[] = [];

  constructor(config: ModelConfig, calibration: Calibration, geometry: Geometry, length: number) {
    this.config = config;
    this.calibration = calibration;
    this.geometry = geometry;
    this.length = length;
  }

  get isLong(): boolean {
    return this.geometry.layout === "long";
  }

  /** Declares a tensor; blocks as many as the program has unless said otherwise. */
  tensor(name: string, norm: number, options: TensorOptions = {}): Tensor {
    const tensor: Tensor = {
      name,
      axis: options.axis ?? "feature",
      blocks: options.blocks ?? this.geometry.blocks,
      count: options.count ?? 1,
      content: options.content ?? "single",
      magnitude: options.magnitude ?? 1,
      norm,
      offset: options.offset ?? 0,
      ...(options.features === undefined ? {} : { features: options.features }),
    };
    this.tensors[name] = tensor;
    return tensor;
  }

  push<K extends Operation["kind"]>(path: readonly string[], fields: Fields<K> & { kind: K }): void {
    this.operations.push({ id: this.operations.length, path, ...fields } as unknown as Operation);
  }

  /** Hidden vectors as the layout holds them between operators. */
  hidden(): TensorOptions {
    return this.isLong ? this.wide(this.config.hiddenSize) : {};
  }

  /** Features over all lanes of as many ciphertexts as they take. */
  wide(features: number): TensorOptions {
    return { content: "wide", count: Math.ceil(features / this.geometry.lanes), features };
  }

  /** Hidden vectors as linear layers read them: in all groups of lanes. */
  copies(path: readonly string[], input: Tensor, output: string): Tensor {
    if (this.isLong) return input;
    const copies = this.tensor(output, input.norm, { content: "replicated", magnitude: input.magnitude });
    this.push(path, { kind: "replicate", inputs: [input.name], outputs: [copies.name], depth: 0 });
    return copies;
  }

  linear(path: readonly string[], input: Tensor, inputNorm: string | null, layers: readonly Layer[]): Tensor[] {
    const weights = layers.map(
      (layer): WeightExpression => ({
        parameter: layer.parameter,
        inputNorm,
        centre: layer.centre ?? false,
        inputScale: input.norm,
        outputNorm: layer.norm,
        outputOffset: layer.offset ?? 0,
      }),
    );
    const outputs = layers.map((layer) => this.tensor(layer.output, layer.norm, { magnitude: 1.2, ...layer }));
    // Partial sums over groups of lanes need a mask in the short layout: one level more.
    const masked = !this.isLong && input.content === "wide" && this.geometry.lanes > this.geometry.width;
    this.push(path, {
      kind: "linear",
      inputs: [input.name],
      outputs: outputs.map((tensor) => tensor.name),
      depth: masked ? 2 : 1,
      weights,
    });
    return outputs;
  }

  polynomial(
    path: readonly string[],
    input: Tensor,
    output: string,
    label: string,
    fitted: FittedFunction,
    norm: number,
    mask: Mask,
    magnitude = 1.2,
  ): Tensor {
    const result = this.tensor(output, norm, {
      ...likeTensor(input),
      content: this.isLong || mask === "none" ? input.content : "single",
      magnitude,
    });
    this.push(path, {
      kind: "polynomial",
      function: label,
      inputs: [input.name],
      outputs: [result.name],
      depth: polynomialDepth(fitted.coefficients.length - 1) + (mask === "none" ? 0 : 1),
      coefficients: fitted.coefficients.map((c) => c / norm),
      mask,
    });
    return result;
  }

  /** a·b in the layout of `like`. */
  multiply(
    path: readonly string[],
    a: Tensor,
    b: Tensor,
    output: string,
    norm: number,
    magnitude: number,
    like: TensorOptions,
  ): Tensor {
    const result = this.tensor(output, norm, { ...like, magnitude });
    this.push(path, { kind: "multiply", inputs: [a.name, b.name], outputs: [result.name], depth: 1 });
    return result;
  }
}

/** The layout of a tensor, for another one. */
export function likeTensor({ content, axis, blocks, count, features }: Tensor): TensorOptions {
  return { content, axis, blocks, count, ...(features === undefined ? {} : { features }) };
}

/** Half the width and the middle of a function's interval. */
export function halfWidth(fitted: FittedFunction): { half: number; middle: number } {
  const [low, high] = fitted.interval;
  return { half: (high - low) / 2, middle: (high + low) / 2 };
}
