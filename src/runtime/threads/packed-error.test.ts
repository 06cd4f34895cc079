import { describe, expect, it } from "vitest";
import { AegisError } from "../../base/errors.ts";
import { packError, unpackError } from "./packed-error.ts";

function cross(thrown: unknown): Error {
  return unpackError(structuredClone(packError(thrown)), "wasm 2");
}

describe("packError and unpackError", () => {
  it("keep everything of an AegisError, and name the device", () => {
    const cause = new AegisError("io", "inner", { cause: new TypeError("innermost") });
    const sent = new AegisError("scale", "outer", { hint: "h", operation: "add", level: 3, logScale: 40.5, cause });
    sent.path.push("layer 0", "attention");
    const got = cross(sent) as AegisError;
    expect(got).toBeInstanceOf(AegisError);
    const { code, message, hint, operation, level, logScale, path, stack, device } = got;
    expect({ code, message, hint, operation, level, logScale, path, stack }).toEqual({
      code: "scale",
      message: "outer",
      hint: "h",
      operation: "add",
      level: 3,
      logScale: 40.5,
      path: ["layer 0", "attention"],
      stack: sent.stack,
    });
    expect(device).toBe("wasm 2");
    expect(got.cause).toMatchObject({ code: "io", cause: { name: "TypeError", message: "innermost" } });
  });

  it("keep a device that is named already", () => {
    expect((cross(new AegisError("memory", "full", { device: "gpu 0" })) as AegisError).device).toBe("gpu 0");
  });

  it("make errors of whatever is thrown", () => {
    expect(cross("text")).toMatchObject({ name: "Error", message: "text" });
    expect(cross(undefined)).toMatchObject({ message: "undefined" });
    expect(cross(new AegisError("internal", "x")).cause).toBeUndefined();
  });

  it("come to an end with causes that go round", () => {
    const error = new Error("round");
    error.cause = error;
    expect(cross(error).message).toBe("round");
  });
});
