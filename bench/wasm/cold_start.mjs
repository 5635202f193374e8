// Measures how much later a fresh workerd sends its first response for a Worker in C++ than for one of one line of
// JavaScript:
//
//   node bench/wasm/cold_start.mjs [WORKER.wasm] [--rounds N] [--json]
//
// Starts workerd anew for each response, the two Workers by turns, with the same disk cache. Prints the median time from
// start to the first response of each, by the clock and of workerd's CPU, and the median of the rounds' differences with
// its 95 % interval. The JavaScript is bundled and minified, as wrangler deploys it. Exits 1 if the difference by the clock
// lies above the bar, 2 ms; on a busy machine only the CPU time says something. WORKER.wasm has an ESC_WORKER; by default it
// is tests/wasm_glue/probe.cpp, as the preset `wasm` builds it: a large one. Linux only: it reads /proc.

import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import os from "node:os";
import path from "node:path";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { freePort, root } from "../../tests/wasm_glue/hosts.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "41" }, json: { type: "boolean" }, help: { type: "boolean" } },
});
if (values.help) {
  console.log("node bench/wasm/cold_start.mjs [WORKER.wasm] [--rounds N] [--json]: workerd's time to the first answer, beside an empty Worker's");
  process.exit(0);
}
const bar = 2;
const workerd = createRequire(path.join(root, "tests/npm/package.json"))("workerd").default;
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "escapement-cold-"));

const bundled = (input) =>
  execFileSync(path.join(root, "tests/npm/node_modules/.bin/esbuild"), ["--bundle", "--minify", "--format=esm", "--external:*.wasm"], {
    cwd: path.join(root, "wasm_glue"),
    input,
  });

const workers = {
  empty: { "worker.mjs": 'export default { fetch: () => new Response("") };\n' },
  ours: {
    "worker.mjs": bundled('import { worker } from "./runtime.mjs";\nimport module from "./app.wasm";\nexport default worker(module);\n'),
    "app.wasm": fs.readFileSync(positionals[0] ?? path.join(root, "build/wasm/tests/wasm_glue/probe.wasm")),
  },
};
const port = await freePort();
for (const [name, files] of Object.entries(workers)) {
  const folder = path.join(scratch, name);
  fs.mkdirSync(folder);
  const modules = Object.entries(files).map(([file, content]) => {
    fs.writeFileSync(path.join(folder, file), content);
    return `(name = "${file}", ${file.endsWith(".wasm") ? "wasm" : "esModule"} = embed "${file}")`;
  });
  fs.writeFileSync(path.join(folder, "config.capnp"), `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (modules = [${modules.join(", ")}], compatibilityDate = "2025-10-01"))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]);
`);
}

const answered = () =>
  new Promise((resolve) => {
    const request = http.get({ port, host: "127.0.0.1", path: "/hello", agent: false }, (response) => response.resume().on("end", () => resolve(true)));
    request.on("error", () => resolve(false));
  });
// Milliseconds of CPU that all threads of a process have used.
function cpuOf(pid) {
  const threads = fs.readdirSync(`/proc/${pid}/task`).map((thread) => fs.readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8"));
  return threads.reduce((sum, stat) => sum + Number(stat.split(" ")[0]) / 1e6, 0);
}

// Milliseconds from the start of workerd to its first response, by the clock and of its CPU.
async function coldStart(name) {
  const began = performance.now();
  const child = spawn(workerd, ["serve", path.join(scratch, name, "config.capnp")], { stdio: "ignore" });
  while (!(await answered()) && child.exitCode === null);
  const took = { wall: performance.now() - began, cpu: cpuOf(child.pid) };
  if (child.exitCode !== null) throw new Error(`workerd ended with ${child.exitCode}`);
  child.kill("SIGKILL");
  await new Promise((resolve) => child.on("exit", resolve));
  return took;
}

const rounds = Number(values.rounds);
const times = { empty: [], ours: [] };
for (let i = -2; i < rounds; ++i) {
  for (const name of i % 2 ? ["empty", "ours"] : ["ours", "empty"]) {
    const took = await coldStart(name);
    if (i >= 0) times[name].push(took);
  }
}
fs.rmSync(scratch, { recursive: true });
const sorted = (all) => [...all].sort((a, b) => a - b);
const median = (all) => sorted(all)[all.length >> 1];
// The order statistics between which the median lies in 95 of 100 cases.
const spread = 0.98 * Math.sqrt(rounds);
function compare(measure) {
  const [empty, ours] = [times.empty, times.ours].map((all) => all.map((took) => took[measure]));
  const differences = sorted(ours.map((took, i) => took - empty[i]));
  const [low, high] = [rounds / 2 - spread, rounds / 2 + spread].map((at) => differences[Math.max(0, Math.min(rounds - 1, Math.round(at)))]);
  return { empty_ms: median(empty), ours_ms: median(ours), more_ms: median(differences), low_ms: low, high_ms: high };
}
const results = { wall: compare("wall"), cpu: compare("cpu") };
if (values.json) console.log(JSON.stringify({ rounds, bar_ms: bar, ...results }));
else {
  for (const [name, result] of Object.entries(results)) {
    const [empty, ours, more, low, high] = Object.values(result).map((ms) => ms.toFixed(2));
    console.log(`${name}: workerd's first response, median of ${rounds}: empty Worker ${empty} ms, ours ${ours} ms: ${more} ms more (95 %: ${low} to ${high})`);
  }
}
process.exit(results.wall.low_ms > bar ? 1 : 0);
