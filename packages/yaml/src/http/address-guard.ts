import { lookup as lookUpName, type LookupAddress } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { FatalError } from "@wfe/core";

/**
 * Addresses that a request from a workflow must not reach unasked: the machine itself, its network, and what clouds put there
 * (their metadata services answer with credentials). After IANA's registries of special-purpose addresses.
 */
const special = new BlockList();
for (const range of [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
]) {
  const [address = "", bits] = range.split("/");
  special.addSubnet(address, Number(bits), "ipv4");
}
// Of IPv6 only what is routed world-wide is let through, without what embeds an IPv4 address.
const worldwide = new BlockList();
worldwide.addSubnet("2000::", 3, "ipv6");
const embedding = new BlockList();
for (const range of ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"]) {
  const [address = "", bits] = range.split("/");
  embedding.addSubnet(address, Number(bits), "ipv6");
}

/** Whether an address belongs to the machine or a network around it. */
export function isSpecialAddress(address: string): boolean {
  const bare = address.replace(/%.*$/, "");
  if (isIP(bare) === 4) return special.check(bare, "ipv4");
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1];
  if (mapped !== undefined) return special.check(mapped, "ipv4");
  return isIP(bare) !== 6 || !worldwide.check(bare, "ipv6") || embedding.check(bare, "ipv6");
}

/** Hosts that may be reached wherever they are: `name`, or `name:port` for that port alone. */
export type AllowedHosts = readonly string[];

export function isAllowed(url: URL, allowed: AllowedHosts): boolean {
  const host = url.hostname.toLowerCase();
  const port = url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port;
  return allowed.some((each) => [host, `${host}:${port}`].includes(each.toLowerCase()));
}

/**
 * Looks a name up for one connection, and refuses what it must not reach. The address that was checked is the one that is
 * connected to, so that a name cannot change its mind in between.
 */
export function guardedLookup(url: URL): LookupFunction {
  return (hostname, options, callback) => {
    lookUpName(hostname, { ...options, all: true }, (error, found) => {
      const addresses: LookupAddress[] = Array.isArray(found) ? found : [];
      if (error !== null) return callback(error, []);
      const bad = addresses.find(({ address }) => isSpecialAddress(address));
      if (bad !== undefined) return callback(refusal(url, bad.address), []);
      if (options.all === true) return callback(null, addresses);
      const [first] = addresses;
      return callback(null, first?.address ?? "", first?.family);
    });
  };
}

/** Refuses an address that stands in the URL itself: it is connected to without being looked up. */
export function checkLiteral(url: URL): void {
  const literal = url.hostname.replace(/^\[|\]$/g, "");
  if (isIP(literal) !== 0 && isSpecialAddress(literal)) throw refusal(url, literal);
}

function refusal(url: URL, address: string): FatalError {
  return new FatalError(
    `${url.host} is at ${address}, within this machine's own network: a program that loads the file with \`@wfe/yaml\` can allow it by the option \`http.allow\`; the \`wfe\` command cannot`,
  );
}
