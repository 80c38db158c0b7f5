import { InvalidOptionError } from "../errors.ts";
import type { SearchPlace } from "../providers/search-index.ts";

/** Where a page ends, as a cursor that any index can go on from. */
export function cursorOf({ createdAt, id }: SearchPlace): string {
  return `${createdAt}.${Buffer.from(id, "utf8").toString("base64url")}`;
}

export function placeOf(cursor: string): SearchPlace {
  const match = /^(-?\d{1,16})\.([\w-]+)$/.exec(cursor);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new InvalidOptionError(
      `\`cursor\` is not one that a search has given: "${cursor.slice(0, 100)}". Pass the last page's cursor`,
    );
  }
  return { createdAt: Number(match[1]), id: Buffer.from(match[2], "base64url").toString("utf8") };
}
