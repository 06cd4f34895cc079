/** Work by units against what the null backend counts when the operators really run. */
import { describe, expect, test } from "vitest";
import {
  costCases,
  mistakesAtLevel,
  mistakesOfRank,
  mistakesOfSamples,
} from "../../../test/support/operation-costs.ts";

describe.each(costCases)("$title", (one) => {
  test.each([...one.levels])("work of parts at level %i", (level) => {
    expect(mistakesAtLevel(one, level)).toEqual([]);
  });

  test("keys and bytes of samples", () => {
    expect(mistakesOfSamples(one, 6)).toEqual([]);
  });

  test.each([...one.shardings])("work and bytes of one rank of two, sharding %s", (sharding) => {
    expect(mistakesOfRank(one, sharding)).toEqual([]);
  });
});
