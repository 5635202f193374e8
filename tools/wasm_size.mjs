#!/usr/bin/env node
// tools/wasm_size [--json]: prints the gzipped sizes of the wasm parts beside their bars and goals. Exits 1 over a bar.
// Needs a build of the wasm preset (tools/demo and tools/test make one).

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");
if (process.argv.includes("--help")) {
  console.log("tools/wasm_size [--json]: gzipped sizes of the wasm parts against their bars; exits 1 over a bar");
  process.exit(0);
}
// Bundled and minified, as wrangler deploys it, for a program that takes `names` from one of our modules.
const minified = (names, from) =>
  execFileSync(path.join(root, "tests/npm/node_modules/.bin/esbuild"), ["--bundle", "--minify", "--format=esm"], {
    cwd: path.join(root, "wasm_glue"),
    input: `export ${names} from "./${from}";`,
  });
const built = (name) => {
  const file = path.join(root, "build/wasm/tests/examples", name);
  if (fs.existsSync(file)) return fs.readFileSync(file);
  console.error(`wasm_size: ${file} is not there: run tools/demo, or tools/test --only wasm`);
  process.exit(2);
};
// `goal`: the bar of the project, where it is not reached yet.
const KiB = 1024;
const parts = [
  { what: "sleep only, wasm", bytes: built("sleep_only.wasm"), bar: 6.3 * KiB, goal: 4 * KiB },
  { what: "hello Worker, wasm", bytes: built("hello_worker.wasm"), bar: 24.2 * KiB, goal: 12 * KiB },
  { what: "client: Timeout, Retry, Redirect, wasm", bytes: built("fetch_client.wasm"), bar: 41.3 * KiB, goal: 30 * KiB },
  { what: "Worker that relays, wasm", bytes: built("worker/worker.wasm"), bar: 34.9 * KiB },
  { what: "client and server of the demo, wasm", bytes: built("main_job.wasm"), bar: 50.3 * KiB },
  { what: "worker of runtime.mjs, for Workers", bytes: minified("{ worker }", "runtime.mjs"), bar: 4.2 * KiB },
  { what: "runtime.mjs, with run and load", bytes: minified("*", "runtime.mjs"), bar: 4.5 * KiB },
  { what: "escapement.mjs, for every host", bytes: minified("*", "escapement.mjs"), bar: 5.7 * KiB },
].map(({ what, bytes, bar, goal = bar }) => ({
  what,
  raw: bytes.length,
  gzip: gzipSync(bytes, { level: 9 }).length,
  bar: Math.floor(bar),
  goal: Math.floor(goal),
}));
if (process.argv.includes("--json")) console.log(JSON.stringify(parts, null, 2));
else {
  console.log("part".padEnd(40) + ["raw", "gzip", "bar", "goal"].map((name) => name.padStart(9)).join(""));
  for (const { what, raw, gzip, bar, goal } of parts) {
    const numbers = [raw, gzip, bar, goal].map((n) => String(n).padStart(9)).join("");
    console.log(what.padEnd(40) + numbers + (gzip > bar ? "  over the bar" : gzip > goal ? "  over the goal" : ""));
  }
}
process.exit(parts.some(({ gzip, bar }) => gzip > bar) ? 1 : 0);
