import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Fixture } from "../../../test/support/ckks.ts";
import { type Container, containers } from "../../../test/support/containers.ts";
import { fuzz } from "../../../test/support/fuzz.ts";
import { AegisError } from "../../base/errors.ts";
import { deserializeParameters, serializeParameters } from "./index.ts";

let list: Container[];
let fixture: Fixture;
beforeAll(async () => {
  ({ list, fixture } = await containers());
});
afterAll(() => fixture.context.backend.dispose());

test("damaged containers are refused with a typed error, and memory is given back", async () => {
  const before = fixture.context.backend.memory().used;
  const counts = await fuzz(list, 20_000, 1, false);
  expect(counts.refused).toBeGreaterThan(18_000);
  expect(fixture.context.backend.memory().used).toBe(before);
}, 60_000);

test("damaged containers with a right checksum are refused or are the objects that they say", async () => {
  const counts = await fuzz(list, 20_000, 2, true);
  expect(counts.refused).toBeGreaterThan(5000);
  expect(counts.read).toBeGreaterThan(100);
}, 60_000);

test("damaged parameters files", () => {
  const text = serializeParameters(fixture.context.parameters);
  const values = fc.oneof(fc.jsonValue(), fc.constantFrom(-1, 0, 1e308, 2 ** 31, 17.5, null, "", [], {}));
  const keys = [...text.matchAll(/"(\w+)":/g)].map((match) => match[1]);
  const property = fc.property(
    fc.constantFrom(...keys),
    values,
    fc.nat(text.length),
    fc.boolean(),
    (key, value, at, cut) => {
      const damaged = cut
        ? text.slice(0, at) + text.slice(at + 1)
        : JSON.stringify(JSON.parse(text), (name, old) => (name === key ? value : old));
      try {
        const got = deserializeParameters(damaged);
        expect(got.digest).toEqual(fixture.context.parameters.digest);
      } catch (error) {
        if (!(error instanceof AegisError) || error.code === "internal") throw error;
      }
    },
  );
  fc.assert(property, { numRuns: 1500, seed: 3 });
});
