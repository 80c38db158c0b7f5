export { opensearch } from "./opensearch.ts";
export type { OpenSearchOptions } from "./options.ts";
