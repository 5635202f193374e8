// node bench/timers/wasm.mjs [--json] [MODULE]: the wheel in wasm against setTimeout and clearTimeout of this host,
// ns a pair of schedule and cancel; and bytes a timer of the wheel. Builds nothing: the module is
// build/bench-wasm/bench/timers/timers_bench.wasm (cmake --preset bench-wasm; tools/bench_timers --wasm does both).
//
// pairs: N deadlines of 1 ms to 60 s, then all cancelled in random order.
// requests: one timer beside N live ones, armed for 30 s and cancelled, again and again.
// Both sides take turns; medians are printed, and of the ratios in one round the median.

import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { load, run } from "../../wasm_glue/escapement.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const options = process.argv.slice(2).filter((argument) => argument.startsWith("--"));
if (options.includes("--help")) {
  console.log("node bench/timers/wasm.mjs [--json] [MODULE]: the wheel in wasm against setTimeout, ns a schedule and cancel");
  process.exit(0);
}
const file = process.argv.slice(2).find((argument) => !argument.startsWith("--")) ??
  path.join(root, "build/bench-wasm/bench/timers/timers_bench.wasm");
if (!fs.existsSync(file)) {
  console.error(`wasm.mjs: ${file} is not built: cmake --preset bench-wasm && cmake --build --preset bench-wasm`);
  process.exit(2);
}
const module = await load(fs.readFileSync(file));

const rounds = options.includes("--quick") ? 1 : 7;
const sizes = [1000, 10000, 100000];
const requestCount = 100000;

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];

// The same kind of schedule as in wasm_bench.cpp.
let state = 1;
const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
function schedule(size) {
  const delays = Array.from({ length: size }, () => 1 + random() * 59999);
  const order = Array.from({ length: size }, (_, i) => i);
  for (let i = size - 1; i > 0; --i) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return { delays, order };
}

const nothing = () => {};
const perOperation = (began, operations) => ((performance.now() - began) * 1e6) / operations;

const host = {
  pairs(size, repetitions) {
    const { delays, order } = schedule(size);
    const timers = new Array(size);
    const began = performance.now();
    for (let repetition = 0; repetition < repetitions; ++repetition) {
      for (let i = 0; i < size; ++i) timers[i] = setTimeout(nothing, delays[i]);
      for (let i = 0; i < size; ++i) clearTimeout(timers[order[i]]);
    }
    return perOperation(began, size * repetitions);
  },
  requests(size, repetitions) {
    const live = schedule(size).delays.map((delay) => setTimeout(nothing, delay));
    const began = performance.now();
    for (let i = 0; i < repetitions; ++i) clearTimeout(setTimeout(nothing, 30000));
    const taken = perOperation(began, repetitions);
    live.forEach(clearTimeout);
    return taken;
  },
};

const rows = [];
for (const task of ["pairs", "requests"]) {
  for (const size of sizes) {
    const repetitions = task === "pairs" ? Math.max(1, Math.floor(200000 / size)) : requestCount;
    const samples = { wheel: [], host: [] };
    for (let round = 0; round <= rounds; ++round) {
      globalThis.gc?.();
      const wheel = Number(await run(module, task, `${size} ${repetitions}`));
      globalThis.gc?.();
      const its = host[task](size, repetitions);
      if (round === 0) continue; // both engines compile
      samples.wheel.push(wheel);
      samples.host.push(its);
    }
    const ratio = median(samples.host.map((value, i) => value / samples.wheel[i]));
    rows.push({ task, size, wheel: median(samples.wheel), host: median(samples.host), ratio });
  }
}
const bytesSize = 100000;
const result = { rows, bytes: Number(await run(module, "bytes", String(bytesSize))), bytes_size: bytesSize,
  task_bytes: Number(await run(module, "sleeping", String(bytesSize))) };

if (options.includes("--json")) console.log(JSON.stringify(result));
else {
  console.log(`${"task".padEnd(10)}${"N".padStart(9)}${"wheel".padStart(9)}${"setTimeout".padStart(12)}${"ratio".padStart(8)}`);
  for (const { task, size, wheel, host: its, ratio } of rows) {
    const numbers = [String(size).padStart(9), wheel.toFixed(1).padStart(9), its.toFixed(1).padStart(12)].join("");
    console.log(task.padEnd(10) + numbers + ratio.toFixed(1).padStart(8));
  }
  console.log(`bytes a timer on wasm, all included: ${result.bytes.toFixed(1)} at N = ${bytesSize}`);
  console.log(`bytes a sleeping task on wasm, all included: ${result.task_bytes.toFixed(1)} (at most 128)`);
}
if (result.task_bytes > 128) process.exitCode = 1;
