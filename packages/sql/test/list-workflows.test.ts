import { InvalidOptionError } from "@wfe/core/providers";
import { sql } from "kysely";
import { describe, expect, it } from "vitest";
import { listGroups, pageOf, queryBuilder, workflowList } from "../src/index.ts";

const namespace = "default";
const waitsFor = (event: string) => sql<boolean>`waits_for(${event})`;

describe("listGroups", () => {
  it("are one for each final status and one for the rest, of every definition", () => {
    expect(listGroups({ namespace }, [7])).toEqual([
      { definition: 7, status: "completed" },
      { definition: 7, status: "failed" },
      { definition: 7, status: "terminated" },
      { definition: 7, status: null },
    ]);
    expect(listGroups({ namespace, status: ["failed", "waiting", "runnable"] }, [7, 8])).toEqual([
      { definition: 7, status: "failed" },
      { definition: 7, status: null },
      { definition: 8, status: "failed" },
      { definition: 8, status: null },
    ]);
  });

  it("have one for what is suspended, where nothing else that has not ended is asked for", () => {
    expect(listGroups({ namespace, status: "suspended" }, [7])).toEqual([{ definition: 7, status: "suspended" }]);
    expect(listGroups({ namespace, status: ["suspended", "waiting"] }, [7])).toEqual([{ definition: 7, status: null }]);
  });

  it("of what waits for an event are those that have not ended", () => {
    expect(listGroups({ namespace, waitingForEvent: "paid" }, [7])).toEqual([{ definition: 7, status: null }]);
    expect(listGroups({ namespace, waitingForEvent: "paid", status: "failed" }, [7])).toEqual([]);
  });
});

describe("workflowList", () => {
  it("asks for the rest of a group by its place", () => {
    const list = workflowList(queryBuilder("postgres"), { namespace, status: "waiting" }, waitsFor);
    const query = list.rows({ definition: 7, status: null }, { limit: 3, cursor: "1000.5" });
    expect(query.sql).toBe(
      'select "run", "created_at" from "wfe_workflows" where "namespace" = $1 and "definition" = $2 and "ended" = 0' +
        ' and "status" in ($3) and ("created_at", "run") < ($4, $5) order by "created_at" desc, "run" desc limit $6',
    );
    expect(query.parameters).toEqual([namespace, 7, "waiting", 1000, 5, 3]);
  });

  it("finds a tag by its own table", () => {
    const list = workflowList(queryBuilder("sqlite"), { namespace, tag: "vip", waitingForEvent: "paid" }, waitsFor);
    const query = list.taggedRows([7, 8], { limit: 3 });
    expect(query.sql).toContain('from "wfe_tags" inner join "wfe_workflows"');
    expect(query.parameters).toEqual([namespace, "vip", 7, 8, "paid", 3]);
  });

  it("refuses a cursor that no list has given", () => {
    const list = workflowList(queryBuilder("sqlite"), { namespace }, waitsFor);
    for (const cursor of ["", "5", "a.b", "1.2.3", "1.-2"]) {
      expect(() => list.rows({ definition: 7, status: null }, { limit: 3, cursor })).toThrow(InvalidOptionError);
    }
  });
});

describe("pageOf", () => {
  const rows = [
    { run: 1, created_at: 10 },
    { run: 4, created_at: 30 },
    { run: 3, created_at: 20 },
    { run: 2, created_at: 20 },
  ];

  it("merges the rows of all groups, newest first, and then by run", () => {
    expect(pageOf(rows, 10)).toEqual({ runs: [4, 3, 2, 1] });
  });

  it("has a cursor where a row is left over, and only there", () => {
    expect(pageOf(rows, 3)).toEqual({ runs: [4, 3, 2], cursor: "20.2" });
    expect(pageOf(rows, 4)).toEqual({ runs: [4, 3, 2, 1] });
    expect(pageOf([], 4)).toEqual({ runs: [] });
  });
});
