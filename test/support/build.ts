/** Builds dist once at a time: test files that run side by side wait for each other. */
import { execFileSync } from "node:child_process";
import { mkdirSync, rmdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const command = join(root, "dist/cli/main.js");
const lock = join(tmpdir(), `aegis-build-${Buffer.from(root).toString("hex").slice(-32)}.lock`);
const abandonedAfter = 180_000;

export async function buildDist(): Promise<void> {
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch {
      const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (age > abandonedAfter) rmdirSync(lock);
      else await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
  try {
    execFileSync(process.execPath, [join(root, "scripts/build.mjs")], { stdio: ["ignore", "ignore", "inherit"] });
  } finally {
    rmdirSync(lock);
  }
}
