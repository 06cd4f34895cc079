/**
 * The graph of an encrypted BERT classifier: which operations, with what folded into them. Levels
 * and bootstraps come later (schedule.ts).
 *
 * Normalisation: every linear layer produces the argument of the polynomial that follows it in
 * [−1, 1] already. Layer norm: the linear layers before it subtract the mean (centre) and scale, so
 * that Σ x² over the features is the variance mapped to the interval of the 1/√x polynomial; γ and β
 * go into the layers that read the result.
 */
import { polynomialDepth } from "../circuits/index.ts";
import type { ModelConfig } from "../model/index.ts";
import type { Axis, Content, Geometry, Mask, Operation, Program, Tensor, WeightExpression } from "../program/index.ts";
import { expandedCount, scoreCount } from "../program/index.ts";
import type { Calibration, FittedFunction, LayerCalibration } from "./calibration.ts";

/** Norm of layer norms' results: their magnitude is at most √hidden, in practice about 6. */
const normalisedNorm = 8;

type Fields<K extends Operation["kind"]> = Omit<Extract<Operation, { kind: K }>, "id" | "path" | "level">;

/** A program without levels. */
export type UnscheduledProgram = Omit<Program, "preset">;

/** Builds the graph. `length` tokens are real, 1 ≤ length ≤ geometry.tokens. */
export function buildGraph(
  config: ModelConfig,
  calibration: Calibration,
  geometry: Geometry,
  length: number,
): UnscheduledProgram {
  return new GraphBuilder(config, calibration, geometry, length).build();
}

class GraphBuilder {
  readonly #config: ModelConfig;
  readonly #calibration: Calibration;
  readonly #geometry: Geometry;
  readonly #length: number;
  readonly #tensors: Record<string, Tensor> = {};
  readonly #operations: Operation[] = [];

  constructor(config: ModelConfig, calibration: Calibration, geometry: Geometry, length: number) {
    this.#config = config;
    this.#calibration = calibration;
    this.#geometry = geometry;
    this.#length = length;
  }

  build(): UnscheduledProgram {
    const { layers } = this.#config;
    let state = this.#tensor("embeddings", "single", 1, this.#calibration.embeddings);
    this.#push(["client"], { kind: "input", inputs: [], outputs: [state.name], depth: 0 });
    let inputNorm: string | null = null;
    for (let l = 0; l < layers; l++) {
      state = this.#layer(l, state, inputNorm, l === layers - 1);
      inputNorm = `layers.${l}.outputLayerNorm`;
    }
    const output = this.#head(state, inputNorm);
    return {
      format: 1,
      checkpoint: this.#calibration.checkpoint,
      geometry: this.#geometry,
      length: this.#length,
      classes: this.#config.labels.length,
      tensors: this.#tensors,
      operations: this.#operations,
      input: "embeddings",
      output: output.name,
    };
  }

  #layer(l: number, state: Tensor, inputNorm: string | null, last: boolean): Tensor {
    const calibration = this.#calibration.layers[l] as LayerCalibration;
    const path = [`layer ${l}`, "attention"];
    const name = (suffix: string): string => `layer${l}.${suffix}`;
    const parameter = (suffix: string): string => `layers.${l}.${suffix}`;
    const copies = this.#replicate(path, state, name("input"));

    // Scores arrive in the interval of exp: the queries' norm makes up for the interval and 1/√d.
    const logits = halfWidth(calibration.exp);
    const queryNorm = (logits.half * Math.sqrt(this.#config.headSize)) / calibration.key;
    const residualNorm = this.#centredNorm(calibration.attentionNorm);
    const [query, key, value, residual] = this.#linear(path, copies, inputNorm, [
      {
        parameter: parameter("query"),
        output: name("query"),
        norm: queryNorm,
        magnitude: calibration.query / queryNorm,
      },
      { parameter: parameter("key"), output: name("key"), norm: calibration.key },
      { parameter: parameter("value"), output: name("value"), norm: calibration.value },
      { parameter: "identity", output: name("attention.residual"), norm: residualNorm, centre: true },
    ]) as [Tensor, Tensor, Tensor, Tensor];
    const context = this.#attention(l, query, key, value, calibration);
    const contextCopies = this.#replicate(path, context, name("context.copies"));
    const [projected] = this.#linear(path, contextCopies, null, [
      {
        parameter: parameter("attentionOutput"),
        output: name("attention.projected"),
        norm: residualNorm,
        centre: true,
      },
    ]) as [Tensor];
    const attention = this.#normalise(
      [`layer ${l}`, "attention norm"],
      name("attention"),
      projected,
      residual,
      calibration.attentionNorm,
      "none",
    );

    const forward = [`layer ${l}`, "feed-forward"];
    const attentionNorm = parameter("attentionLayerNorm");
    const attentionCopies = this.#replicate(forward, attention, name("attention.copies"));
    const argument = halfWidth(calibration.activation);
    const wide = Math.ceil(this.#config.intermediateSize / this.#geometry.lanes);
    const outputNorm = this.#centredNorm(calibration.outputNorm);
    const [inner, innerResidual] = this.#linear(forward, attentionCopies, attentionNorm, [
      {
        parameter: parameter("intermediate"),
        output: name("inner"),
        norm: argument.half,
        offset: argument.middle,
        content: "wide",
        count: wide,
        features: this.#config.intermediateSize,
      },
      { parameter: "identity", output: name("output.residual"), norm: outputNorm, centre: true },
    ]) as [Tensor, Tensor];
    const activated = this.#polynomial(
      forward,
      inner,
      name("activated"),
      this.#config.activation,
      calibration.activation,
      argument.half,
      "none",
    );
    const [output] = this.#linear(forward, activated, null, [
      { parameter: parameter("output"), output: name("output.projected"), norm: outputNorm, centre: true },
    ]) as [Tensor];
    return this.#normalise(
      [`layer ${l}`, "output norm"],
      name("output"),
      output,
      innerResidual,
      calibration.outputNorm,
      last ? "first-token" : "none",
    );
  }

  #attention(l: number, query: Tensor, key: Tensor, value: Tensor, calibration: LayerCalibration): Tensor {
    const geometry = this.#geometry;
    const path = [`layer ${l}`, "attention"];
    const softmax = [`layer ${l}`, "attention", "softmax"];
    const name = (suffix: string): string => `layer${l}.${suffix}`;
    const logits = halfWidth(calibration.exp);
    const scores = this.#tensor(name("scores"), "scores", scoreCount(geometry), logits.half, {
      offset: logits.middle,
      axis: "diagonal",
    });
    this.#push(path, {
      kind: "scores",
      inputs: [query.name, key.name],
      outputs: [scores.name],
      depth: 3,
      constant: -logits.middle / logits.half,
    });

    // exp(s − shift of the head), stored relative to its largest value.
    const largest = Math.exp(calibration.exp.interval[1] - Math.min(...calibration.headShifts));
    const exponentials = this.#tensor(name("exponentials"), "scores", scores.count, largest, { axis: "diagonal" });
    this.#push(softmax, {
      kind: "polynomial",
      function: "exp",
      inputs: [scores.name],
      outputs: [exponentials.name],
      depth: polynomialDepth(calibration.exp.coefficients.length - 1) + 1,
      coefficients: calibration.exp.coefficients.map((c) => c / largest),
      headFactors: calibration.headShifts.map((shift) => Math.exp(-shift)),
      mask: "keys",
    });

    // Expanded so that the sum over all keys is at most 1.
    const inverse = halfWidth(calibration.inverse);
    const greatest = calibration.inverse.interval[1];
    const expandedNorm = this.#length * greatest;
    const expanded = this.#tensor(name("expanded"), "expanded", expandedCount(geometry), expandedNorm, {
      axis: "diagonal",
      magnitude: Math.min(1, largest / expandedNorm),
    });
    this.#push(path, {
      kind: "expand",
      inputs: [exponentials.name],
      outputs: [expanded.name],
      depth: 1,
      factor: largest / expandedNorm,
    });

    const sums = this.#tensor(name("denominators"), "partial", 1, inverse.half, { offset: inverse.middle });
    this.#push(softmax, {
      kind: "denominators",
      inputs: [expanded.name],
      outputs: [sums.name],
      depth: 1,
      factor: greatest / inverse.half,
      constant: -inverse.middle / inverse.half,
    });
    const context = this.#tensor(name("context.sum"), "partial", 1, calibration.value * greatest, { magnitude: 1 });
    this.#push(path, { kind: "context", inputs: [expanded.name, value.name], outputs: [context.name], depth: 1 });

    // context = sum·(largest mean / mean), with the bound of the values.
    const inverseNorm = 1 / greatest;
    const inverted = this.#polynomial(
      softmax,
      sums,
      name("inverse"),
      "1/x",
      calibration.inverse,
      inverseNorm,
      "single",
      greatest / calibration.inverse.interval[0],
    );
    return this.#multiply(path, context, inverted, name("context"), calibration.value, 1);
  }

  #normalise(path: string[], name: string, a: Tensor, b: Tensor, fitted: FittedFunction, mask: Mask): Tensor {
    const centred = this.#tensor(`${name}.centred`, "single", 1, a.norm, { magnitude: 2 });
    this.#push(path, { kind: "add", inputs: [a.name, b.name], outputs: [centred.name], depth: 0 });
    const { half, middle } = halfWidth(fitted);
    const variance = this.#tensor(`${name}.variance`, "partial", 1, half, { offset: middle });
    const spareLanes = this.#geometry.lanes > this.#geometry.width;
    this.#push(path, {
      kind: "square-sum",
      inputs: [centred.name],
      outputs: [variance.name],
      depth: spareLanes ? 1 : 2,
      constant: -middle / half,
    });
    const norm = normalisedNorm / a.norm;
    const inverse = this.#polynomial(
      path,
      variance,
      `${name}.inverse`,
      "1/√x",
      fitted,
      norm,
      mask,
      1 / (Math.sqrt(fitted.interval[0]) * norm),
    );
    return this.#multiply(path, centred, inverse, `${name}.normalised`, normalisedNorm, 1.5);
  }

  #head(state: Tensor, inputNorm: string | null): Tensor {
    const path = ["head"];
    const { half } = halfWidth(this.#calibration.pooler);
    const copies = this.#replicate(path, state, "head.input");
    const [argument] = this.#linear(path, copies, inputNorm, [
      { parameter: "pooler", output: "head.pooler", norm: half },
    ]) as [Tensor];
    const pooled = this.#polynomial(path, argument, "head.pooled", "tanh", this.#calibration.pooler, 1, "single");
    const pooledCopies = this.#replicate(path, pooled, "head.pooled.copies");
    const [logits] = this.#linear(path, pooledCopies, null, [
      { parameter: "classifier", output: "logits", norm: this.#calibration.logits },
    ]) as [Tensor];
    this.#push(path, { kind: "output", inputs: [logits.name], outputs: [], depth: 0 });
    return logits;
  }

  /** Norm that makes Σ x² over the features the variance in units of half the interval. */
  #centredNorm(fitted: FittedFunction): number {
    return Math.sqrt(this.#config.hiddenSize * halfWidth(fitted).half);
  }

  #replicate(path: readonly string[], input: Tensor, output: string): Tensor {
    const copies = this.#tensor(output, "replicated", 1, input.norm, { magnitude: input.magnitude });
    this.#push(path, { kind: "replicate", inputs: [input.name], outputs: [copies.name], depth: 0 });
    return copies;
  }

  #linear(
    path: readonly string[],
    input: Tensor,
    inputNorm: string | null,
    layers: readonly {
      parameter: string;
      output: string;
      norm: number;
      offset?: number;
      centre?: boolean;
      content?: Content;
      count?: number;
      features?: number;
      magnitude?: number;
    }[],
  ): Tensor[] {
    const weights: WeightExpression[] = [];
    const outputs: Tensor[] = [];
    for (const layer of layers) {
      weights.push({
        parameter: layer.parameter,
        inputNorm,
        centre: layer.centre ?? false,
        inputScale: input.norm,
        outputNorm: layer.norm,
        outputOffset: layer.offset ?? 0,
      });
      outputs.push(
        this.#tensor(layer.output, layer.content ?? "single", layer.count ?? 1, layer.norm, {
          offset: layer.offset ?? 0,
          magnitude: layer.magnitude ?? 1.2,
          ...(layer.features === undefined ? {} : { features: layer.features }),
        }),
      );
    }
    // Partial sums over groups of lanes need a mask: one level more.
    const depth = input.content === "wide" && this.#geometry.lanes > this.#geometry.width ? 2 : 1;
    this.#push(path, {
      kind: "linear",
      inputs: [input.name],
      outputs: outputs.map((tensor) => tensor.name),
      depth,
      weights,
    });
    return outputs;
  }

  #polynomial(
    path: readonly string[],
    input: Tensor,
    output: string,
    label: string,
    fitted: FittedFunction,
    norm: number,
    mask: Mask,
    magnitude = 1.2,
  ): Tensor {
    const content = mask === "none" || input.content === "scores" ? input.content : "single";
    const { features } = input;
    const result = this.#tensor(output, content, input.count, norm, {
      magnitude,
      axis: input.axis,
      ...(features === undefined ? {} : { features }),
    });
    this.#push(path, {
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

  #multiply(path: readonly string[], a: Tensor, b: Tensor, output: string, norm: number, magnitude: number): Tensor {
    const result = this.#tensor(output, "single", 1, norm, { magnitude });
    this.#push(path, { kind: "multiply", inputs: [a.name, b.name], outputs: [result.name], depth: 1 });
    return result;
  }

  #tensor(
    name: string,
    content: Content,
    count: number,
    norm: number,
    options: { offset?: number; magnitude?: number; axis?: Axis; features?: number } = {},
  ): Tensor {
    const tensor: Tensor = {
      name,
      axis: options.axis ?? "feature",
      count,
      content,
      magnitude: options.magnitude ?? 1,
      norm,
      offset: options.offset ?? 0,
      ...(options.features === undefined ? {} : { features: options.features }),
    };
    this.#tensors[name] = tensor;
    return tensor;
  }

  #push<K extends Operation["kind"]>(path: readonly string[], fields: Fields<K> & { kind: K }): void {
    this.#operations.push({ id: this.#operations.length, path, ...fields } as unknown as Operation);
  }
}

function halfWidth(fitted: FittedFunction): { half: number; middle: number } {
  const [low, high] = fitted.interval;
  return { half: (high - low) / 2, middle: (high + low) / 2 };
}
