export { memory, type MemoryOptions } from "./memory/memory.ts";
export { TestClock } from "./test-clock.ts";
