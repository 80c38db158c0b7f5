#!/usr/bin/env node
import { enableCompileCache } from "node:module";

// Most of the time that a short command takes is spent on compiling it.
enableCompileCache();
const { main } = await import("./main.ts");

process.exitCode = await main(process.argv.slice(2));
