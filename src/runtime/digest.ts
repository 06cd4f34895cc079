/** What programs and plans are known by. */
import { createHash } from "node:crypto";

/** SHA-256 of a plain object as JSON. */
export function digestOf(value: unknown): string {
  return createHash("sha256").update(JSON.stringify(value)).digest("hex");
}
