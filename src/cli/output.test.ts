/** Progress and colours, on terminals only; how times are written. */
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { emphasise, formatSeconds, StatusLine, withStatus } from "./output.ts";

let written: string;

const real = Object.getOwnPropertyDescriptor(process.stderr, "isTTY");

function terminal(isTTY: boolean): void {
  Object.defineProperty(process.stderr, "isTTY", { value: isTTY, configurable: true });
}

beforeEach(() => {
  written = "";
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    written += String(text);
    return true;
  });
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  Object.defineProperty(process.stderr, "isTTY", real ?? { value: undefined, configurable: true });
});

test.each([
  [0.014, "0.01 s"],
  [12.6, "13 s"],
  [89.4, "89 s"],
  [89.6, "1 min 30 s"],
  [119.7, "2 min 0 s"],
  [6659.8, "111 min 0 s"],
])("%d seconds are %s", (seconds, text) => expect(formatSeconds(seconds)).toBe(text));

const progress = { done: 3, total: 9, operation: "layer 0 → linear", elapsedSeconds: 1, secondsLeft: 12 };

describe("StatusLine", () => {
  test("writes over one line of a terminal and clears it", () => {
    terminal(true);
    vi.stubEnv("NO_COLOR", "1");
    const status = new StatusLine();
    status.progress(progress);
    status.clear();
    expect(written).toBe("\r\u001b[K[3/9, 12 s left] layer 0 → linear\r\u001b[K");
  });

  test("writes nothing elsewhere", async () => {
    terminal(false);
    const status = new StatusLine();
    status.show("planning");
    status.progress(progress);
    status.clear();
    expect(await withStatus("planning", async () => 5)).toBe(5);
    expect(written).toBe("");
  });

  test("is cleared when what it shows fails", async () => {
    terminal(true);
    await expect(withStatus("planning", () => Promise.reject(new Error("no")))).rejects.toThrow("no");
    expect(written).toBe("\r\u001b[Kplanning\r\u001b[K");
  });
});

test.each([
  [true, "", "\u001b[31merror\u001b[39m"],
  [true, "1", "error"],
  [false, "", "error"],
])("colour: terminal %s, NO_COLOR %j", (isTTY, noColor, expected) => {
  terminal(isTTY);
  vi.stubEnv("NO_COLOR", noColor);
  vi.stubEnv("FORCE_COLOR", "1"); // styleText looks at the real stream, which is none of a terminal's here
  expect(emphasise("red", "error", process.stderr)).toBe(expected);
});
