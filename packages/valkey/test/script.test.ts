import { expect, it } from "vitest";
import { runScript, vitalScript } from "../src/script.ts";
import type { Client } from "../src/target.ts";

it("gives a server that knows no flags of scripts the script without them", async () => {
  const sent: string[] = [];
  const known = new Set<string>();
  const vital = vitalScript("return 7");
  const server = {
    evalsha: async (sha: string) => {
      sent.push(sha === vital.sha ? "the hash" : "the plain hash");
      if (!known.has(sha)) throw new Error("NOSCRIPT No matching script. Please use EVAL.");
      return 7;
    },
    eval: async (lua: string) => {
      sent.push(lua === vital.lua ? "the script" : "the plain script");
      // As Redis 6.2 says it.
      if (lua.startsWith("#"))
        throw new Error("ERR Error compiling script (new function): user_script:1: unexpected symbol near '#'");
      known.add(vital.plain!.sha);
      return 7;
    },
  } as unknown as Client;
  expect(await runScript(server, vital, [], [""])).toBe(7);
  expect(sent.splice(0)).toEqual(["the hash", "the script", "the plain hash", "the plain script"]);
  expect(await runScript(server, vital, [], [""])).toBe(7);
  expect(sent).toEqual(["the plain hash"]);
});
