import { InvalidOptionError } from "@wfe/core/providers";

/** What of `target_session_attrs` holds anyway: WFE opens no server that takes no writes. */
const granted = new Set(["any", "read-write", "primary"]);

/**
 * Throws where a URL asks for what libpq can do and pg cannot: without a word, pg would take a list of hosts for the name of one, and
 * connect to whatever server it finds.
 */
export function checkUrl(url: string): void {
  const shown = withoutPassword(url);
  if (!/^postgres(ql)?:\/\//.test(url.trim())) {
    throw new InvalidOptionError(
      `postgres() takes a URL such as postgres://user:password@host:5432/database, got "${shown}"`,
    );
  }
  const [address = "", query = ""] = url.trim().split("?", 2);
  const hosts =
    address
      .replace(/^postgres(ql)?:\/\//, "")
      .split("/", 1)[0]
      ?.split("@")
      .at(-1) ?? "";
  const parameters = new URLSearchParams(query);
  if (hosts.includes(",") || parameters.get("host")?.includes(",") === true) {
    throw new InvalidOptionError(
      `postgres() takes one address, got several in "${shown}": give the one that always leads to the primary (a DNS name or virtual IP that moves with it, HAProxy, PgBouncer)`,
    );
  }
  const attributes = parameters.get("target_session_attrs");
  if (attributes !== null && !granted.has(attributes)) {
    throw new InvalidOptionError(
      `postgres() writes, and so connects to primaries alone: leave \`target_session_attrs=${attributes}\` out of the URL`,
    );
  }
}

export function withoutPassword(url: string): string {
  return url.replace(/:\/\/([^:@/]*):[^@]*@/, "://$1:***@");
}
