// Runs the main job on every host and compares. tools/demo is the command that users run, and has the help.

import { execFile } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { load, run } from "../../wasm_glue/escapement.mjs";
import { fixtures, root, runInChromium, startServer, startWorkerd } from "../../tests/wasm_glue/hosts.mjs";

const execute = promisify(execFile);
const json = process.argv.includes("--json");
const native = (name) => path.join(root, "build/native", name);
const glue = fs.readFileSync(path.join(root, "wasm_glue/escapement.mjs"), "utf8");
const wasm = fs.readFileSync(path.join(root, "build/wasm/tests/examples/main_job.wasm"));
const say = (text) => process.stderr.write(`demo: ${text}\n`);

const workerSource = `import { worker } from "./escapement.mjs";
import module from "./main_job.wasm";
export default worker(module);
`;
const chromiumSource = `import { load, run } from "/escapement.mjs";
onmessage = async ({ data }) => {
  try {
    postMessage(await run(await load(fetch("/main_job.wasm")), "main_job", data));
  } catch (error) {
    postMessage("0.000\\tfailed: " + error + "\\n\\n");
  }
};
`;

// The time by which a timer of each host may be late, in ms, on a busy machine of two cores, compared with the requested
// wait. A timer must never be early.
const lateness = { sim: 0, epoll: 30, poll: 30, node: 60, workerd: 80, chromium: 80 };

function parse(report) {
  const end = report.indexOf("\n\n");
  const events = report.slice(0, end).split("\n").map((line) => {
    const [at, what] = line.split("\t");
    return { at: Number(at), what };
  });
  return { events, data: report.slice(end + 2) };
}

// Returns the mistakes in a report, in sentences. Fills `waits` with the worst lateness.
function check(host, report, reference) {
  const wrong = [];
  const shape = (r) => r.events.map((event) => event.what).join("\n");
  if (report.data !== reference.data) wrong.push(`${host}: the bytes fetched differ from the simulation's`);
  if (shape(report) !== shape(reference)) wrong.push(`${host}: the attempts differ from the simulation's`);
  let worst = 0;
  report.events.forEach((event, i) => {
    const following = report.events[i + 1];
    const wait = /wait (\d+) us/.exec(event.what);
    const asked = wait ? wait[1] / 1000 : following?.what === "  failed: timed_out" ? 1000 : undefined;
    if (asked === undefined || !following) return;
    const late = following.at - event.at - asked;
    worst = Math.max(worst, late);
    if (late < -0.002) wrong.push(`${host}: a wait of ${asked} ms was ${-late} ms short`);
    if (late > lateness[host] + 0.002) wrong.push(`${host}: a wait of ${asked} ms was ${late.toFixed(1)} ms late`);
  });
  return { wrong, worst };
}

function printTable(reports) {
  const hosts = Object.keys(reports);
  const rows = reports.sim.events.map((event, i) => [event.what, ...hosts.map((host) => reports[host].events[i]?.at)]);
  const width = 76;
  console.log("".padEnd(width) + hosts.map((host) => host.padStart(11)).join(""));
  for (const [what, ...times] of rows) {
    console.log(what.slice(0, width - 2).padEnd(width) + times.map((t) => (t === undefined ? "-" : t.toFixed(1)).padStart(11)).join(""));
  }
}

async function mainJob() {
  const server = await startServer(native("tools/esc-serve"), ["127.0.0.1:0", "--fixtures", fixtures]);
  const base = (id) => `${server.url}/run-${id}`;
  const onNative = async (...args) => (await execute(native("tests/examples/main_job_native"), args, { maxBuffer: 1 << 24 })).stdout;
  const hosts = {
    sim: () => onNative("sim", fixtures),
    epoll: () => onNative("epoll", base("epoll")),
    poll: () => onNative("poll", base("poll")),
    node: async () => run(await load(wasm), "main_job", base("node")),
    workerd: async () => {
      const workerd = await startWorkerd({ "worker.mjs": workerSource, "escapement.mjs": glue, "main_job.wasm": wasm });
      try {
        const response = await fetch(`${workerd.url}/main-job?base=${encodeURIComponent(base("workerd"))}`);
        return await response.text();
      } finally {
        workerd.stop();
      }
    },
    chromium: () => runInChromium(chromiumSource, { "/escapement.mjs": glue, "/main_job.wasm": wasm }, base("chromium")),
  };
  const reports = {};
  try {
    for (const [host, start] of Object.entries(hosts)) {
      const began = performance.now();
      reports[host] = parse(await start());
      say(`${host}: ${((performance.now() - began) / 1000).toFixed(2)} s`);
    }
  } finally {
    server.stop();
  }
  return reports;
}

// Sends the same requests to one service on two hosts.
async function compareService() {
  const requests = [];
  const add = (method, target, options = {}) => requests.push({ method, target, ...options });
  for (const name of ["world", "", "a%20b", "%C3%A9", "x&y=z", "1+1"]) add("GET", `/hello?name=${name}`);
  for (const status of [200, 201, 204, 304, 400, 404, 418, 500, 503]) add("GET", `/status/${status}`);
  for (const to of [0, 1, 10, 100]) add("GET", `/count?to=${to}`);
  for (const size of [0, 1, 1000, 65536, 300000]) add("POST", "/echo", { body: "e".repeat(size) });
  for (const size of [0, 17, 100000]) add("POST", "/length", { body: "l".repeat(size) });
  add("GET", "/headers", { headers: { "x-one": "1", "x-two": "two words" } });
  add("HEAD", "/hello?name=head");
  add("PUT", "/nowhere", { body: "put" });
  add("DELETE", "/nowhere");
  add("GET", "/wait?ms=20");
  const server = await startServer(native("tests/examples/echo_server"), ["127.0.0.1:0"]);
  const workerd = await startWorkerd({ "worker.mjs": workerSource, "escapement.mjs": glue, "main_job.wasm": wasm });
  const wrong = [];
  try {
    for (const { method, target, body, headers } of requests) {
      const answers = [];
      for (const base of [server.url, workerd.url]) {
        const response = await fetch(base + target, { method, body, headers });
        answers.push(`${response.status} ${response.headers.get("content-type")}\n${await response.text()}`);
      }
      if (answers[0] !== answers[1]) {
        wrong.push(`${method} ${target}: epoll says ${JSON.stringify(answers[0].slice(0, 80))}, workerd ${JSON.stringify(answers[1].slice(0, 80))}`);
      }
    }
  } finally {
    server.stop();
    workerd.stop();
  }
  return { count: requests.length, wrong };
}

const reports = await mainJob();
const wrong = [];
const worst = {};
for (const [host, report] of Object.entries(reports)) {
  const result = check(host, report, reports.sim);
  wrong.push(...result.wrong);
  worst[host] = result.worst;
}
const service = await compareService();
wrong.push(...service.wrong);

if (json) {
  console.log(JSON.stringify({ ok: wrong.length === 0, wrong, worst_lateness_ms: worst, service_requests: service.count,
    timelines: Object.fromEntries(Object.entries(reports).map(([host, { events }]) => [host, events])) }, null, 2));
} else {
  console.log("\nThe main job: when each thing happened, in ms\n");
  printTable(reports);
  console.log("\nworst lateness of a wait".padEnd(77) + Object.values(worst).map((t) => t.toFixed(1).padStart(11)).join(""));
  console.log(`\n${reports.sim.data.length} bytes fetched; one service, ${service.count} requests to the epoll server and to the Worker`);
  for (const sentence of wrong) console.log(`DIFFERS  ${sentence}`);
  console.log(wrong.length === 0 ? "ok: the same bytes, the same attempts, no wait early, the same responses" : `${wrong.length} differences`);
}
process.exit(wrong.length === 0 ? 0 : 1);
