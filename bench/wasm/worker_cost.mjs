// Measures the cost of a Worker in C++ beside the same Worker in plain JavaScript, in workerd:
//
//   node bench/wasm/worker_cost.mjs [PROBE.wasm] [--rounds N] [--json]
//
// Answers one request, "GET /hello", by both, from 16 kept connections, in short blocks by turns. Prints the CPU time
// of the workerd process for one request (all its threads, user and system), the median of all blocks, and the median
// of the rounds' ratios. Exits 1 when that is over the bar, 1.4. PROBE.wasm is tests/wasm_glue/probe.cpp, by default
// as the preset `wasm` builds it. Linux only: it reads /proc.

import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { parseArgs } from "node:util";
import { root, startWorkerd } from "../../tests/wasm_glue/hosts.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "31" }, json: { type: "boolean" }, help: { type: "boolean" } },
});
if (values.help) {
  console.log("node bench/wasm/worker_cost.mjs [PROBE.wasm] [--rounds N] [--json]: a Worker's CPU per request, ours beside plain JavaScript's");
  process.exit(0);
}
const rounds = Number(values.rounds);
const block = 1500; // requests
const connections = 16;
const bar = 1.4;

const plain = `export default {
  async fetch(request) {
    if (new URL(request.url).pathname !== "/hello") return new Response("Not Found\\n", { status: 404 });
    return new Response("hello");
  },
};
`;
const ours = `import { worker } from "./escapement.mjs";
import module from "./probe.wasm";
export default worker(module);
`;
const glue = fs.readFileSync(path.join(root, "wasm_glue/escapement.mjs"));
const probe = fs.readFileSync(positionals[0] ?? path.join(root, "build/wasm/tests/wasm_glue/probe.wasm"));

// Nanoseconds of CPU that a process has used.
function cpuOf(pid) {
  let sum = 0;
  for (const thread of fs.readdirSync(`/proc/${pid}/task`)) sum += Number(fs.readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
  return sum;
}

// Answers `count` requests on connections of its own; yields how many were "hello".
async function load(url, count) {
  const { hostname, port, host } = new URL(url);
  const request = `GET /hello HTTP/1.1\r\nHost: ${host}\r\nAccept: */*\r\nUser-Agent: bench\r\n\r\n`;
  let left = count;
  let right = 0;
  const one = () =>
    new Promise((resolve, reject) => {
      const socket = net.connect(port, hostname);
      socket.setNoDelay(true);
      const next = () => (left-- > 0 ? socket.write(request) : resolve(socket.destroy()));
      socket.on("error", reject);
      let seen = "";
      socket.on("data", (data) => {
        seen += data.toString("latin1");
        if (!seen.includes("\r\n\r\n") || seen.endsWith("\r\n\r\n")) return;
        if (seen.startsWith("HTTP/1.1 200") && seen.endsWith("hello")) ++right;
        seen = "";
        next();
      });
      next();
    });
  await Promise.all(Array.from({ length: connections }, one));
  return right;
}

async function perRequest(workerd) {
  const before = cpuOf(workerd.pid);
  const right = await load(workerd.url, block);
  if (right !== block) throw new Error(`${block - right} of ${block} answers were wrong`);
  return (cpuOf(workerd.pid) - before) / block;
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const hosts = {
  plain: await startWorkerd({ "worker.mjs": plain }),
  ours: await startWorkerd({ "worker.mjs": ours, "escapement.mjs": glue, "probe.wasm": probe }),
};
try {
  const seen = { plain: [], ours: [], ratios: [] };
  for (const name of ["plain", "ours", "plain", "ours"]) await perRequest(hosts[name]); // warm
  for (let round = 0; round < rounds; ++round) {
    const order = round % 2 ? ["plain", "ours"] : ["ours", "plain"];
    for (const name of order) seen[name].push(await perRequest(hosts[name]));
    seen.ratios.push(seen.ours.at(-1) / seen.plain.at(-1));
  }
  const result = {
    request: "hello",
    plain_us: median(seen.plain) / 1000,
    ours_us: median(seen.ours) / 1000,
    ratio: median(seen.ratios),
    ratio_min: Math.min(...seen.ratios),
    ratio_max: Math.max(...seen.ratios),
    rounds,
    bar,
  };
  if (values.json) console.log(JSON.stringify(result, null, 2));
  else {
    const { plain_us, ours_us, ratio, ratio_min, ratio_max } = result;
    console.log(`hello, CPU per request: plain JavaScript ${plain_us.toFixed(1)} us, ours ${ours_us.toFixed(1)} us`);
    console.log(`ratio ${ratio.toFixed(2)} (${ratio_min.toFixed(2)} to ${ratio_max.toFixed(2)} in ${rounds} rounds), bar ${bar}`);
  }
  if (result.ratio > bar) process.exitCode = 1;
} finally {
  for (const host of Object.values(hosts)) host.stop();
}
