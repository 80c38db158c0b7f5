import { describe, expect, it } from "vitest";
import { encode } from "../../src/codec/index.ts";
import type { Entry } from "../../src/engine/entries.ts";
import { evolveTurn, initialState } from "../../src/engine/evolve.ts";
import { decodeEntries, decodeState, encodeEntries, encodeState } from "../../src/engine/records.ts";
import { emptySummary } from "../../src/engine/step-summary.ts";
import { recordFormat } from "../../src/providers/records.ts";

const entries: readonly Entry[] = [{ kind: "workflow-suspended", reason: "why" }];

describe("records", () => {
  it("come back as they were", () => {
    expect(decodeEntries(encodeEntries(entries))).toEqual(entries);
    expect(decodeState(encodeState(initialState(), emptySummary())).state).toEqual(initialState());
  });

  it("hold everything of a state in a checkpoint", () => {
    const identity = { ...initialState().identity, id: "w", uid: "u", definitionId: "d" };
    const turns: readonly Entry[][] = [
      [{ kind: "workflow-started", identity, data: { n: 1 } }],
      [{ kind: "taken-over" }],
      [{ kind: "taken-over" }],
      [{ kind: "run-alone" }],
      [{ kind: "taken-over" }],
    ];
    const state = turns.reduce((before, each, seq) => evolveTurn(before, { seq, entries: each }), initialState());
    expect(state.takeover).toEqual({ seq: 4, count: 3, alone: false, loneDeaths: 1 });
    expect(decodeState(encodeState(state, emptySummary())).state).toEqual(state);
  });

  it.each(["", "{", "[1]", "[null]", '["text"]', '[{"kind":5}]', '{"hello":"world"}', "null", '"text"'])(
    "are damaged where a turn is %j",
    (text) => {
      expect(() => decodeEntries(text)).toThrow(expect.objectContaining({ code: "CORRUPTED_RECORD" }));
    },
  );

  it.each(["", "[]", "null", '"text"', "{}", `{"format":${recordFormat}}`, `{"format":${recordFormat},"state":{}}`])(
    "are damaged where a checkpoint is %j",
    (text) => {
      expect(() => decodeState(text)).toThrow(expect.objectContaining({ code: "CORRUPTED_RECORD" }));
    },
  );

  it("are told from those of a newer version", () => {
    const newer = encode({ format: recordFormat + 1 });
    expect(() => decodeEntries(newer)).toThrow(expect.objectContaining({ code: "NEWER_FORMAT" }));
    expect(() => decodeState(newer)).toThrow(expect.objectContaining({ code: "NEWER_FORMAT" }));
  });

  it("are damaged where an entry does not fit the state", () => {
    const unfit = [{ kind: "no-such-kind" }, { kind: "scope-opened", pointer: 3, branch: 2 }] as unknown as Entry[];
    for (const entry of unfit) {
      expect(() => evolveTurn(initialState(), { seq: 0, entries: [entry] })).toThrow(
        expect.objectContaining({ code: "CORRUPTED_RECORD" }),
      );
    }
  });
});
