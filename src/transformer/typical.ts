/**
 * A calibration without a checkpoint: ranges as trained BERT classifiers of any size show them, so that
 * a configuration alone can be compiled and planned. For plans only; nothing is run with it.
 */
import type { ActivationRange, Checkpoint, ModelConfig, RangeTable } from "../model/index.ts";
import { type Calibration, calibrate, type LayerCalibration } from "./calibration.ts";

function between(min: number, max: number): ActivationRange {
  return { min, max, "p0.1": min, p50: (min + max) / 2, "p99.9": max };
}

/** Observed on the second layer of a two-layer classifier on texts of up to 2048 tokens, rounded. */
const typicalLayer: RangeTable = {
  query: between(-3.5, 3.5),
  key: between(-4.2, 4.2),
  value: between(-5, 5),
  attention_logit: between(-5.8, 5.8),
  "attention.ln.var": between(0.8, 10),
  ffn_preactivation: between(-5.6, 5.6),
  "output.ln.var": between(4, 30),
};

/** Of every head, around a mean of zero. */
const typicalMean = between(-2, 2);

/** The same functions in every layer. */
export function typicalCalibration(config: ModelConfig): Calibration {
  const ranges: RangeTable = {
    ...Object.fromEntries(Object.entries(typicalLayer).map(([name, range]) => [`layer0.${name}`, range])),
    ...Object.fromEntries(
      Array.from({ length: config.heads }, (_, h) => [`layer0.head${h}.log_row_mean_exp`, typicalMean]),
    ),
    embeddings: between(-5, 5),
    pooler_input: between(-2.5, 2.5),
    logits: between(-4, 4),
  };
  const shape = { config, layers: [{}], digest: "" } as unknown as Checkpoint;
  const calibration = calibrate(shape, ranges, { texts: 0, source: "typical ranges" });
  const [layer] = calibration.layers as [LayerCalibration];
  return { ...calibration, layers: Array.from({ length: config.layers }, () => layer) };
}
