/** The kernels in headless Chromium: WebGPU and WebAssembly from the built package, inside a worker of a page. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildDist } from "../support/build.ts";
import type { Outcome } from "./conformance.ts";
import { serve } from "./server.ts";

const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";

if (!existsSync(executablePath)) {
  test.skip(`no browser: there is no ${executablePath}; CHROMIUM may name another`, () => undefined);
} else {
  const folder = mkdtempSync(join(tmpdir(), "aegis-browser-"));
  let served: Awaited<ReturnType<typeof serve>>;
  beforeAll(async () => {
    await buildDist();
    served = await serve();
  });
  afterAll(() => {
    served.server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("stored cases, and the words of the WebAssembly kernels", async () => {
    // Variables that choose a driver for Node are not for the browser, which has its own.
    const { VK_ICD_FILENAMES, LD_LIBRARY_PATH, ...env } = process.env as Record<string, string>;
    const context = await chromium.launchPersistentContext(folder, {
      executablePath,
      headless: true,
      env,
      args: [
        "--no-sandbox",
        "--enable-unsafe-webgpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
    try {
      const page = await context.newPage();
      await page.goto(`${served.origin}/test/browser/page.html`);
      expect(await page.evaluate("crossOriginIsolated")).toBe(true);
      await page.waitForFunction("globalThis.result !== undefined", undefined, { timeout: 100_000 });
      const outcome = (await page.evaluate("globalThis.result")) as Outcome;
      expect(outcome).toMatchObject({ different: [] });
      expect(outcome.compared).toBeGreaterThan(80);
    } finally {
      await context.close();
    }
  });
}
