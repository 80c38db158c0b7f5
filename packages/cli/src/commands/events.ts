import { type Command, Option } from "commander";
import { type JsonOption, jsonArgument, type StoreOptions, withJson, withStore } from "../options.ts";
import type { Surroundings } from "../program.ts";
import { json } from "../terminal.ts";
import { withClient } from "../with-client.ts";

interface PublishCommandOptions extends StoreOptions, JsonOption {
  readonly id?: string;
  readonly at?: Date;
}

/** `wfe events publish`. */
export function addEvents(program: Command, { terminal }: Surroundings): void {
  const events = program.command("events").description("what workflows wait for");
  withJson(withStore(events.command("publish")))
    .description("publish an event: workflows that wait for it, now or later, go on")
    .argument("<name>", "of the event")
    .argument("<key>", "which one, such as an order's number; may be empty")
    .argument("[payload]", "JSON; @file reads a file, - reads stdin", jsonArgument, null)
    .option("--id <id>", "publishing the same id again does nothing")
    .addOption(new Option("--at <date>", "becomes effective then").argParser((text) => new Date(text)))
    .action(async (name: string, key: string, payload: unknown, options: PublishCommandOptions) => {
      const published = await withClient(options, (host) =>
        host.publishEvent(name, key, payload, {
          ...(options.id === undefined ? {} : { id: options.id }),
          ...(options.at === undefined ? {} : { effectiveAt: options.at }),
        }),
      );
      if (options.json === true) terminal.data(`${json(published)}\n`);
      else terminal.say(`published ${name} (${key})`);
    });
  events.exitOverride();
  for (const command of events.commands) command.exitOverride();
}
