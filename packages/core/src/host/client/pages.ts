import { InvalidOptionError } from "../../errors.ts";
import { checkObject, checkWhole, refuseUnknown } from "./host-options.ts";
import { describeValue } from "./names.ts";
import type { PageOptions } from "./workflow-views.ts";

const defaultPage = 100;
const largestPage = 1_000;

/** The options of a page, checked. */
export function checkPage(options: PageOptions): { readonly limit: number; readonly cursor: string | undefined } {
  checkObject("the options of a page", options);
  refuseUnknown("the options of a page", options, ["limit", "cursor"]);
  const { limit = defaultPage, cursor } = options;
  if (cursor !== undefined && typeof cursor !== "string") {
    throw new InvalidOptionError(`\`cursor\` must be the one of the page before, got ${describeValue(cursor)}`);
  }
  return { limit: checkWhole("limit", limit, 1, largestPage), cursor };
}
