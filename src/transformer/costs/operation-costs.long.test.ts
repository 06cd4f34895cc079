/** Work by units at the levels and on the ranks that the other test leaves out. */
import { describe, expect, test } from "vitest";
import { costCases, costLevels, mistakesAtLevel, mistakesOfRank } from "../../../test/support/operation-costs.ts";
import { shardingNames } from "../../kernels/index.ts";

/** One level and one sharding of heavy cases are enough: they take as long as all of the others. */
const cases = costCases
  .filter(({ heavy }) => heavy !== true)
  .map((one) => ({
    ...one,
    levels: costLevels.filter((level) => !one.levels.includes(level)),
    shardings: shardingNames.filter((name) => !one.shardings.includes(name)),
  }))
  .filter(({ levels, shardings }) => levels.length + shardings.length > 0);

describe.each(cases)("$title", (one) => {
  test.each([...one.levels])("work of parts at level %i", (level) => {
    expect(mistakesAtLevel(one, level)).toEqual([]);
  });

  test.each([...one.shardings])("work and bytes of one rank of two, sharding %s", (sharding) => {
    expect(mistakesOfRank(one, sharding)).toEqual([]);
  });
});
