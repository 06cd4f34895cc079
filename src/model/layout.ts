/** Names and shapes of the tensors of a BertForSequenceClassification checkpoint. */
import type { ModelConfig } from "./config.ts";

/** Shape of every tensor that a checkpoint with this configuration has, by Hugging Face name. */
export function expectedTensors(config: ModelConfig): Map<string, readonly number[]> {
  const { hiddenSize: hidden, intermediateSize: inner } = config;
  const shapes = new Map<string, readonly number[]>();
  const dense = (name: string, out: number, from: number) =>
    shapes.set(`${name}.weight`, [out, from]).set(`${name}.bias`, [out]);
  const norm = (name: string) => shapes.set(`${name}.weight`, [hidden]).set(`${name}.bias`, [hidden]);
  shapes.set("bert.embeddings.word_embeddings.weight", [config.vocabularySize, hidden]);
  shapes.set("bert.embeddings.position_embeddings.weight", [config.maximumTokens, hidden]);
  shapes.set("bert.embeddings.token_type_embeddings.weight", [config.typeVocabularySize, hidden]);
  norm("bert.embeddings.LayerNorm");
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = `bert.encoder.layer.${layer}`;
    for (const part of ["query", "key", "value"]) dense(`${prefix}.attention.self.${part}`, hidden, hidden);
    dense(`${prefix}.attention.output.dense`, hidden, hidden);
    norm(`${prefix}.attention.output.LayerNorm`);
    dense(`${prefix}.intermediate.dense`, inner, hidden);
    dense(`${prefix}.output.dense`, hidden, inner);
    norm(`${prefix}.output.LayerNorm`);
  }
  dense("bert.pooler.dense", hidden, hidden);
  dense("classifier", config.labels.length, hidden);
  return shapes;
}

/** Buffers, not parameters, that older checkpoints store; they are skipped. */
export const ignoredTensors: ReadonlySet<string> = new Set([
  "bert.embeddings.position_ids",
  "bert.embeddings.token_type_ids",
]);

/** Trained numbers in the model. */
export function parameterCount(config: ModelConfig): number {
  let count = 0;
  for (const shape of expectedTensors(config).values()) count += shape.reduce((product, n) => product * n, 1);
  return count;
}
