import type { StepLog } from "../../definition/step-context.ts";
import { InvalidOptionError } from "../../errors.ts";
import type { PersistenceProvider } from "../../providers/persistence-provider.ts";
import type { Provider } from "../../providers/provider.ts";
import type { ResolvedProviders, SearchFeed } from "../core/host-core.ts";
import { boundLock } from "../core/bound-lock.ts";
import { describeValue } from "./names.ts";

/** Picks the interfaces that a host uses: of each, the one of the last provider that has it. Throws where one is missing. */
export function resolveProviders(providers: readonly Provider[], log: StepLog): ResolvedProviders {
  if (!Array.isArray(providers) || providers.length === 0) {
    throw new InvalidOptionError(
      `\`providers\` must be an array with at least one provider, such as \`[sqlite("app.db")]\`, or \`[memory()]\` of "@wfe/core/testing", got ${
        Array.isArray(providers) ? "an empty array" : describeValue(providers)
      }`,
    );
  }
  for (const [index, provider] of providers.entries()) checkProvider(index, provider);
  const persistence = required(
    providers,
    "persistence",
    'where workflows are stored: add one that brings it, such as `sqlite("app.db")`',
  );
  const lock = required(
    providers,
    "lock",
    "which tells what hosts are alive: add one that brings it, such as the provider of the store",
  );
  return {
    list: [...providers],
    persistence,
    lock: boundLock({
      lock,
      own: providers.findLast((provider) => provider.persistence === persistence)?.lock,
      persistence,
      log,
    }),
    queueStandsApart: providers.findLast(({ queue }) => queue !== undefined)?.persistence !== persistence,
    queue: required(
      providers,
      "queue",
      "which tells what work is ready: add one that brings it, such as the provider of the store",
    ),
    lifecycle: providers.findLast((provider) => provider.lifecycle !== undefined)?.lifecycle,
    search: searchFeed(providers, persistence),
  };
}

/** The index and its feed. Only where there is an index does the store keep what it has to hear of. */
function searchFeed(providers: readonly Provider[], { outbox }: PersistenceProvider): SearchFeed | undefined {
  const provider = providers.findLast((each) => each.search !== undefined);
  if (provider?.search === undefined) return undefined;
  if (outbox === undefined) {
    throw new InvalidOptionError(
      `the store cannot feed the search index of \`${provider.name}\`, since it keeps no outbox: use a store that does, such as \`sqlite("app.db")\`, or leave the index out`,
    );
  }
  outbox.keep();
  return { index: provider.search, outbox };
}

function required<Name extends "persistence" | "lock" | "queue">(
  providers: readonly Provider[],
  name: Name,
  purpose: string,
): NonNullable<Provider[Name]> {
  const found = providers.findLast((provider) => provider[name] !== undefined)?.[name];
  if (found !== undefined) return found;
  const names = providers.map((provider) => `\`${provider.name}\``).join(", ");
  throw new InvalidOptionError(`none of the providers (${names}) brings \`${name}\`, ${purpose}`);
}

function checkProvider(index: number, provider: unknown): void {
  const given = provider as Partial<Provider> | null | undefined;
  const complete =
    typeof given === "object" &&
    given !== null &&
    typeof given.name === "string" &&
    [given.open, given.close, given.ping].every((method) => typeof method === "function");
  if (complete) return;
  const uncalled = typeof provider === "function" ? `: call it, as in \`${provider.name || "sqlite"}(...)\`` : "";
  throw new InvalidOptionError(
    `\`providers[${index}]\` must be a provider, with a name and the methods open, close and ping, got ${describeValue(provider)}${uncalled}`,
  );
}
