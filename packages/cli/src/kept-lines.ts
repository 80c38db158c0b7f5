/** How many lines of its steps a workflow keeps, the newest, where a host of the command runs it: whoever runs builds has long ones. */
export const keptLines = 50_000;
