/** Flags of WebGPU by value: the Node binding does not make them globals. */
export const bufferUsage = {
  mapRead: 0x1,
  mapWrite: 0x2,
  copySource: 0x4,
  copyTarget: 0x8,
  uniform: 0x40,
  storage: 0x80,
} as const;
export const mapMode = { read: 0x1, write: 0x2 } as const;
export const computeStage = 0x4;
