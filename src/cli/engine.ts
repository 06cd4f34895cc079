/**
 * Settings of the JavaScript engine, imported before anything that computes. Planning and compiling run much code for
 * a fraction of a second each: functions are optimised later than V8 would on its own, which makes `aegis plan` a tenth
 * to a quarter faster. Kernels are WebAssembly or native, where this changes nothing.
 */
import { setFlagsFromString } from "node:v8";

/** Bytes of bytecode that a function runs before it is looked at: some three times the default. */
setFlagsFromString("--interrupt-budget=500000");
