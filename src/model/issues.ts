/** How this layer words its failures: which file, which part of it, expected, got, what to do. */
import type { z } from "zod";
import { AegisError, type ErrorCode } from "../base/errors.ts";

/** An {@link AegisError} about a file; `message` follows the file name. */
export function fileError(code: ErrorCode, file: string, message: string, hint?: string, cause?: unknown): AegisError {
  return new AegisError(code, `${file}: ${message}`, {
    operation: `load ${file}`,
    ...(hint === undefined ? {} : { hint }),
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The first problem that a schema found, as `path: what`. */
export function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return "not valid";
  const path = issue.path.map(String).join(".");
  return path === "" ? issue.message : `${path}: ${issue.message}`;
}

/** Text that came out of a file, made short and printable for a message. */
export function quote(text: string): string {
  const shown = text.length > 80 ? `${text.slice(0, 79)}…` : text;
  return JSON.stringify(shown);
}

/** UTF-8 JSON. Throws a `format` error that names `file`. */
export function parseJson(bytes: Uint8Array, file: string): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw fileError("format", file, "not valid UTF-8", "the file is damaged; fetch it again", cause);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw fileError("format", file, `not valid JSON (${quote(detail)})`, "the file is damaged; fetch it again", cause);
  }
}
