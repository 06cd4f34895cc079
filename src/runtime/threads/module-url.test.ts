import { expect, it } from "vitest";
import { moduleUrl } from "./module-url.ts";

it("gives the neighbour the extension of the module that asks", () => {
  expect(moduleUrl("file:///a/src/pool.ts", "./device").href).toBe("file:///a/src/device.ts");
  expect(moduleUrl("file:///a/dist/pool.js?v=1.2", "../b/device").href).toBe("file:///a/b/device.js");
});
