/**
 * What the AEGIS paper reports ("AEGIS: Scaling Long-Sequence Homomorphic Encrypted Transformer Inference via Hybrid
 * Parallelism on Multi-GPU Systems", arXiv 2604.03425): BERT-Base with 2048 tokens on four A100 with 40 GB, against
 * the best of the designs that it compares with.
 */
export const published = {
  source: "arXiv 2604.03425",
  parameters: {
    logN: 16,
    primes: "35 and 4 special, words of 64 bits",
    bootstrappingDepth: 14,
    security: "128 bits",
    tokens: 2048,
  },
  /** One minus the bytes of the best earlier design. */
  feedForwardReduction: 0.579,
  selfAttentionReduction: 0.813,
  speedup: 3.86,
  efficiency: 0.9662,
  memoryReduction: 0.691,
  /** Of the four, end to end. */
  seconds: 5036,
} as const;

/** What this project set out to reach on the same machine. */
export const aims = {
  efficiency: 0.97,
  speedup: 3.88,
  /** Of the bytes of the best design that cuts ciphertexts, at most. */
  bytesShare: 0.1,
  /** Of the bytes of whole ciphertexts that are gathered after every layer, at most. */
  tensorShare: { feedForward: 1 - published.feedForwardReduction, selfAttention: 1 - published.selfAttentionReduction },
  memoryReduction: published.memoryReduction,
} as const;
