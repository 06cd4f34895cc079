/**
 * Encrypted Transformer inference: everything that most programs need. The layers have subpaths of
 * their own (`aegis-fhe/ckks`, `aegis-fhe/circuits`, …).
 */
export { AegisError, type ErrorCode } from "./base/errors.ts";
export { Context, Parameters, preset, presets } from "./ckks/index.ts";
export { Client } from "./client/index.ts";
export { createBackend, fastestDevice, listDevices, openDevice } from "./kernels/index.ts";
export { loadCheckpoint, referenceForward } from "./model/index.ts";
export { type Program, printProgram } from "./program/index.ts";
export { measureKernels, requirements } from "./runtime/index.ts";
export { Server } from "./server/index.ts";
export { calibrate, compile, parseCalibration, Twin } from "./transformer/index.ts";
