export { valkey } from "./valkey.ts";
export type { ValkeyOptions, ValkeyTarget } from "./target.ts";
