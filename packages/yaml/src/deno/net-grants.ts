import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { deniedAddresses, isSpecialAddress } from "./special-addresses.ts";

/** One entry of `net`, taken apart. */
export interface NetGrant {
  /** Lower case; IPv6 without brackets; `*.` in front for all names below. */
  readonly host: string;
  readonly port: number | undefined;
}

/** What an entry of `net` means, or what is wrong with it. */
export function parseNetGrant(entry: string): NetGrant | { readonly problem: string } {
  const bare = entry.trim().replace(/^[a-z][a-z0-9+.-]*:\/\//i, "");
  const match = /^(\[[0-9a-f:.]+\]|(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?)(?::(\d{1,5}))?\/?$/i.exec(bare);
  if (match === null) {
    return {
      problem: bare.includes("*")
        ? "grants more than a host: name the hosts, or all below a name (`*.example.com`)"
        : "is no host: write `example.com`, `example.com:443` or `https://example.com`",
    };
  }
  const port = match[2] === undefined ? undefined : Number(match[2]);
  if (port !== undefined && (port < 1 || port > 65_535))
    return { problem: "has a port that is none: they go from 1 to 65535" };
  const host = (match[1] ?? "").toLowerCase().replace(/^\[|\]$/g, "");
  if (match[1]?.startsWith("[") === true && isIP(host) !== 6) return { problem: "is no IPv6 address" };
  return { host, port };
}

/** The network flags for what is granted; none where nothing is. */
export async function netFlags(grants: readonly NetGrant[]): Promise<readonly string[]> {
  if (grants.length === 0) return [];
  const taken = await Promise.all(grants.map(({ host }) => takenOut(host)));
  const allowed = grants.map(
    ({ host, port }) => `${isIP(host) === 6 ? `[${host}]` : host}${port === undefined ? "" : `:${port}`}`,
  );
  return [`--allow-net=${[...new Set(allowed)].join(",")}`, `--deny-net=${deniedAddresses(taken.flat()).join(",")}`];
}

/**
 * The special addresses that a granted name takes out of the denied ones.
 *
 * An address does so itself. A name does so if it is one of a private network by its form (`localhost`, `db`, `db.internal`). Another name does
 * not: whoever owns `example.com` may let it point to an address of this machine (DNS rebinding); then the address has to be
 * granted as well.
 */
async function takenOut(host: string): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  if (!isPrivateName(host)) return [];
  try {
    const found = await lookup(host, { all: true });
    return found.map(({ address }) => address).filter(isSpecialAddress);
  } catch {
    // It has no address: the script will be told so.
    return [];
  }
}

function isPrivateName(host: string): boolean {
  return (
    !host.includes(".") || /\.(localhost|local|internal|lan|home|corp|intranet|private|test|home\.arpa)$/.test(host)
  );
}
