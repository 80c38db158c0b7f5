import { describe, expect, it, vi } from "vitest";
import { indexDefinition } from "../../../src/definition/index-definition.ts";
import type { WorkflowDefinition } from "../../../src/definition/definition.ts";
import { DefinitionConflictError, DefinitionNotFoundError, InvalidOptionError } from "../../../src/errors.ts";
import { DefinitionRegistry } from "../../../src/host/registry.ts";

function definition(id: string, version = 1, hash = "h"): WorkflowDefinition {
  const body = { nodes: [] };
  return { id, version, hash, body, index: indexDefinition(body), toMermaid: () => "", toJSON: () => ({}) };
}

function registry(...definitions: WorkflowDefinition[]): DefinitionRegistry {
  const made = new DefinitionRegistry({ allowRedefine: false });
  for (const each of definitions) made.register(each);
  return made;
}

describe("the registry", () => {
  it("keeps several versions of one id, and takes the highest by default", () => {
    const made = registry(definition("order", 2), definition("order", 10), definition("order", 1));
    expect(made.require("order", undefined).version).toBe(10);
    expect(made.require("order", 2).version).toBe(2);
    expect(made.all()).toMatchObject([
      { hash: expect.any(String) },
      { hash: expect.any(String) },
      { hash: expect.any(String) },
    ]);
    expect(made.inAnyStructure()).toEqual([
      { id: "order", version: 2 },
      { id: "order", version: 10 },
      { id: "order", version: 1 },
    ]);
  });

  it("refuses another structure under the same id and version, unless redefining is allowed", () => {
    const made = registry(definition("order", 1, "a"));
    expect(() => made.register(definition("order", 1, "b"))).toThrow(DefinitionConflictError);
    expect(() => made.admit(definition("order", 1, "b"), false)).toThrow(DefinitionConflictError);
    made.register(definition("order", 1, "a"));

    const loose = new DefinitionRegistry({ allowRedefine: true });
    loose.register(definition("order", 1, "a"));
    loose.register(definition("order", 1, "b"));
    expect(loose.get("order", 1)?.hash).toBe("b");
    expect(loose.all().length).toBe(1);
  });

  it("says what is registered, and what was probably meant", () => {
    const made = registry(definition("order", 1), definition("order", 3), definition("refund"));
    const missing = (id: string, version?: number): DefinitionNotFoundError => {
      try {
        made.require(id, version);
      } catch (error) {
        return error as DefinitionNotFoundError;
      }
      throw new Error("it was found");
    };
    expect(missing("oder")).toBeInstanceOf(DefinitionNotFoundError);
    expect(missing("oder").message).toContain("did you mean `order`?");
    expect(missing("order", 2).message).toContain("there is version 1, 3");
    expect(missing("order", 2)).toMatchObject({ code: "DEFINITION_NOT_FOUND", definitionId: "order", version: 2 });
    expect(missing("something else").message).toContain("There is `order`, `refund`");
    expect(missing("something else").message).not.toContain("did you mean");
    expect(() => registry().require("order", undefined)).toThrow("definitions in `workflows`");
  });

  it("takes a definition that is not registered from a client only", () => {
    const made = registry(definition("order"));
    expect(made.admit(definition("refund"), false).id).toBe("refund");
    expect(() => made.admit(definition("refund"), true)).toThrow(/host\.register\(definition\)/);
  });

  it("refuses what is no definition, with a hint where it was not built", () => {
    const made = registry();
    expect(() => made.register({ build: () => {} } as never)).toThrow(/\.build\(id, version\)/);
    for (const value of [undefined, null, "order", 1, {}, []]) {
      expect(() => made.register(value as never)).toThrow(InvalidOptionError);
    }
  });

  it("tells listeners of additions until they end", () => {
    const made = registry();
    const listener = vi.fn();
    const end = made.onChange(listener);
    made.register(definition("a"));
    end();
    made.register(definition("b"));
    expect(listener).toHaveBeenCalledTimes(1);
  });
});
