// Measures the cost of a Worker in C++ beside the same Worker in plain JavaScript, in workerd:
//
//   node bench/wasm/worker_cost.mjs [PROBE.wasm] [--only NAME] [--rounds N] [--json]
//
// hello: one response. fetch: a fetch with a time limit whose response is passed on. pass: the same with 1 MiB, without
// the limit. pumped: 1 MiB that C++ reads and sends on. counted: 1 MiB that is read. Both Workers answer the same requests,
// from 16 kept connections (of 1 MiB: 4), in short blocks by turns. Prints the CPU time of the workerd process for one
// request (all its threads, user and system), the median of all blocks, and the median of the rounds' ratios. Exits 1
// when one of these is over its bar. PROBE.wasm is tests/wasm_glue/probe.cpp, by default as the preset `wasm` builds it.
// Linux only: it reads /proc.

import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { parseArgs } from "node:util";
import { root, startWorkerd } from "../../tests/wasm_glue/hosts.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: "string", default: "31" }, only: { type: "string" }, json: { type: "boolean" }, help: { type: "boolean" } },
});
if (values.help) {
  console.log("node bench/wasm/worker_cost.mjs [PROBE.wasm] [--only NAME] [--rounds N] [--json]: a Worker's CPU per request, ours beside plain JavaScript's");
  process.exit(0);
}
const rounds = Number(values.rounds);

const small = Buffer.from("hello");
const large = Buffer.alloc(1 << 20, "x");
const origin = http.createServer((request, response) => response.end(request.url === "/large" ? large : small));
await new Promise((resolve) => origin.listen(0, "127.0.0.1", resolve));
const from = (path) => encodeURIComponent(`http://127.0.0.1:${origin.address().port}${path}`);

const cases = [
  { name: "hello", target: "/hello", block: 1500, connections: 16, size: 5, bar: 1.15 },
  { name: "fetch", target: "/timed?url=" + from("/small"), block: 400, connections: 16, size: 5, bar: 1.25 },
  { name: "pass", target: "/relay?url=" + from("/large"), block: 60, connections: 4, size: large.length, bar: 1.25 },
  { name: "pumped", target: "/pumped?url=" + from("/large"), block: 60, connections: 4, size: large.length, bar: 4 },
  { name: "counted", target: "/counted?url=" + from("/large"), block: 60, connections: 4, size: 7, bar: 1 },
];

const plain = `export default {
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/hello") return new Response("hello");
    const from = url.searchParams.get("url");
    if (url.pathname === "/timed") {
      const abort = new AbortController();
      const timer = setTimeout(() => abort.abort(), 5000);
      try {
        return await fetch(from, { signal: abort.signal, redirect: "manual" });
      } finally {
        clearTimeout(timer);
      }
    }
    if (url.pathname === "/relay" || url.pathname === "/pumped") {
      const response = await fetch(from, { redirect: "manual" });
      return new Response(response.body, response);
    }
    if (url.pathname === "/counted") {
      let bytes = 0;
      for await (const piece of (await fetch(from)).body) bytes += piece.length;
      return new Response(String(bytes));
    }
    return new Response("Not Found\\n", { status: 404 });
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

// Answers `count` requests on connections of its own; yields how many were right.
async function load(url, { target, block, connections, size }) {
  const { hostname, port, host } = new URL(url);
  const request = `GET ${target} HTTP/1.1\r\nHost: ${host}\r\nAccept: */*\r\nUser-Agent: bench\r\n\r\n`;
  let left = block;
  let right = 0;
  const one = () =>
    new Promise((resolve, reject) => {
      const socket = net.connect(port, hostname);
      socket.setNoDelay(true);
      let head = "";
      let body = 0;
      let tail = "";
      const next = () => {
        head = tail = "";
        body = 0;
        if (left-- > 0) socket.write(request);
        else resolve(socket.destroy());
      };
      socket.on("error", reject);
      socket.on("data", (data) => {
        if (!head.includes("\r\n\r\n")) {
          head += data.toString("latin1");
          const end = head.indexOf("\r\n\r\n");
          if (end < 0) return;
          body = head.length - end - 4;
        } else body += data.length;
        tail = (tail + data.subarray(-5).toString("latin1")).slice(-5);
        const length = /content-length: (\d+)/i.exec(head)?.[1];
        if (length ? body < Number(length) : tail !== "0\r\n\r\n") return;
        if (head.startsWith("HTTP/1.1 200") && body >= size) ++right;
        next();
      });
      next();
    });
  await Promise.all(Array.from({ length: connections }, one));
  return right;
}

async function perRequest(workerd, job) {
  const before = cpuOf(workerd.pid);
  const right = await load(workerd.url, job);
  if (right !== job.block) throw new Error(`${job.name}: ${job.block - right} of ${job.block} answers were wrong`);
  return (cpuOf(workerd.pid) - before) / job.block;
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const hosts = {
  plain: await startWorkerd({ "worker.mjs": plain }),
  ours: await startWorkerd({ "worker.mjs": ours, "escapement.mjs": glue, "probe.wasm": probe }),
};
try {
  const results = [];
  for (const job of cases) {
    if (values.only && !values.only.split(",").includes(job.name)) continue;
    const seen = { plain: [], ours: [], ratios: [] };
    for (const name of ["plain", "ours", "plain", "ours"]) await perRequest(hosts[name], job); // warm
    for (let round = 0; round < rounds; ++round) {
      const order = round % 2 ? ["plain", "ours"] : ["ours", "plain"];
      for (const name of order) seen[name].push(await perRequest(hosts[name], job));
      seen.ratios.push(seen.ours.at(-1) / seen.plain.at(-1));
    }
    const result = {
      request: job.name,
      plain_us: median(seen.plain) / 1000,
      ours_us: median(seen.ours) / 1000,
      ratio: median(seen.ratios),
      ratio_min: Math.min(...seen.ratios),
      ratio_max: Math.max(...seen.ratios),
      rounds,
      bar: job.bar,
    };
    results.push(result);
    if (result.ratio > job.bar) process.exitCode = 1;
    if (values.json) continue;
    const { plain_us, ours_us, ratio, ratio_min, ratio_max } = result;
    console.log(
      `${job.name.padEnd(8)} CPU per request: plain JavaScript ${plain_us.toFixed(1)} us, ours ${ours_us.toFixed(1)} us; ` +
        `ratio ${ratio.toFixed(2)} (${ratio_min.toFixed(2)} to ${ratio_max.toFixed(2)} in ${rounds} rounds), bar ${job.bar}`,
    );
  }
  if (values.json) console.log(JSON.stringify(results, null, 2));
} finally {
  for (const host of Object.values(hosts)) host.stop();
  origin.close();
  origin.closeAllConnections();
}
