// Measures timers in JavaScript hosts: ours, compiled to wasm, and the host's own setTimeout. Writes the
// input of esc-timers --merge.
//
//     node tools/timers/hosts.mjs PROBE.wasm OUT.json [--seconds N] [--early COUNT] [--only node,workerd,chromium]
//
// --early COUNT: instead, runs this many timers of ours in each host, many at once; prints how many were
// early and exits 1 if any was.

import fs from "node:fs";
import path from "node:path";
import { load, run } from "../../wasm_glue/escapement.mjs";
import { root, runInChromium, startWorkerd } from "../../tests/wasm_glue/hosts.mjs";

const [wasmFile, outFile, ...rest] = process.argv.slice(2);
const option = (name, otherwise) => (rest.includes(name) ? rest[rest.indexOf(name) + 1] : otherwise);
if (!wasmFile || !outFile || rest.includes("--help")) {
  console.log(fs.readFileSync(new URL(import.meta.url), "utf8").match(/^(\/\/.*\n)+/)[0].replaceAll(/^\/\/ ?/gm, ""));
  process.exit(rest.includes("--help") ? 0 : 2);
}
const seconds = Number(option("--seconds", "10"));
const early = Number(option("--early", "0"));
const only = option("--only", "node,workerd,chromium").split(",");
const glue = fs.readFileSync(path.join(root, "wasm_glue/escapement.mjs"), "utf8");
const wasm = fs.readFileSync(wasmFile);
const say = (text) => process.stderr.write(`timers: ${text}\n`);

const targets = [0.2, 1, 5, 20, 100, 1000];
const rounds = 3;

// The code that runs in the host: `ours` runs the module, `host` is setTimeout alone. Takes contenders and
// targets in rounds, so that noise of the machine disturbs all alike. Lateness in us.
const measureSource = `
const targets = ${JSON.stringify(targets)};
async function hostTimeout(ms) {
  const began = performance.now();
  await new Promise((resolve) => setTimeout(resolve, ms));
  return (performance.now() - began - ms) * 1000;
}
export async function measure(ours, seconds, rounds) {
  const all = {};
  for (let round = 0; round < rounds; ++round)
    for (const target of targets) {
      const count = 2 + Math.round((seconds * 1000) / (targets.length * 2 * rounds) / (target + 1));
      for (const contender of ["ours", "setTimeout"]) {
        const key = contender + " " + target;
        all[key] ??= [];
        if (contender === "ours") all[key].push(...(await ours(target * 1000, count, 1)));
        else for (let i = 0; i < count; ++i) all[key].push(await hostTimeout(target));
      }
    }
  return all;
}
export async function manyAtOnce(ours, count) {
  let early = 0, seen = 0;
  for (const target of [0.2, 1, 5, 20, 100]) {
    const late = await ours(target * 1000, Math.ceil(count / 5), 100);
    seen += late.length;
    early += late.filter((us) => us < 0).length;
  }
  return { seen, early };
}
export const parse = (text) => text.trim().split(" ").map((tenths) => Number(tenths) / 10);
`;
const measureModule = "data:text/javascript," + encodeURIComponent(measureSource);
const { measure, manyAtOnce, parse } = await import(measureModule);
const job = (ours) => (early ? manyAtOnce(ours, early) : measure(ours, seconds, rounds));

async function inNode() {
  const module = await load(wasm);
  return job(async (...numbers) => parse(await run(module, "lateness", numbers.join(" "))));
}

// Sends one request for each measurement: a Worker's timers live no longer than a request.
async function inWorkerd() {
  const workerd = await startWorkerd({
    "worker.mjs": `import { worker } from "./escapement.mjs";
import module from "./probe.wasm";
import { hostTimeouts } from "./host.mjs";
const ours = worker(module);
export default { fetch: (request, env, ctx) => {
  const host = new URL(request.url).searchParams.get("host");
  return host ? hostTimeouts(...host.split(" ").map(Number)) : ours.fetch(request, env, ctx);
} };`,
    "host.mjs": `export async function hostTimeouts(us, count) {
  const late = [];
  for (let i = 0; i < count; ++i) {
    const began = performance.now();
    await new Promise((resolve) => setTimeout(resolve, us / 1000));
    late.push((performance.now() - began) * 10000 - us * 10);
  }
  return new Response(late.map(Math.floor).join(" "));
}`,
    "escapement.mjs": glue,
    "probe.wasm": wasm,
  });
  const ask = async (query) => parse(await (await fetch(`${workerd.url}/?${query}`)).text());
  const ours = (...numbers) => ask("job=" + numbers.join("+"));
  try {
    if (early) return await manyAtOnce(ours, early);
    const all = {};
    for (let round = 0; round < rounds; ++round)
      for (const target of targets) {
        const count = 2 + Math.round((seconds * 1000) / (targets.length * 2 * rounds) / (target + 1));
        (all["ours " + target] ??= []).push(...(await ours(target * 1000, count, 1)));
        (all["setTimeout " + target] ??= []).push(...(await ask(`host=${target * 1000}+${count}`)));
      }
    return all;
  } finally {
    workerd.stop();
  }
}

// `hop`: whether short timers go through a MessageChannel, which escapement.mjs decides when it is loaded.
async function inChromium({ isolated = false, hop = true } = {}) {
  const source = `${measureSource}
onmessage = async ({ data }) => {
  try {
    if (!data.hop) globalThis.importScripts = undefined;  // hides that this is a browser
    const { load, run } = await import("/escapement.mjs");
    const module = await load(fetch("/probe.wasm"));
    const ours = async (...numbers) => parse(await run(module, "lateness", numbers.join(" ")));
    const result = data.early ? await manyAtOnce(ours, data.early) : await measure(ours, data.seconds, data.rounds);
    postMessage({ result, isolated: globalThis.crossOriginIsolated });
  } catch (error) {
    postMessage({ failed: String(error?.stack ?? error) });
  }
};`;
  const files = { "/escapement.mjs": glue, "/probe.wasm": wasm };
  const answer = await runInChromium(source, files, { early, seconds, rounds, hop }, { isolated });
  if (answer.failed) throw new Error(answer.failed);
  if (answer.isolated !== isolated) throw new Error(`the page is ${answer.isolated ? "" : "not "}cross-origin isolated`);
  return answer.result;
}

const places = [
  { host: "node", where: "Node", start: inNode },
  { host: "workerd", where: "workerd", start: inWorkerd },
  { host: "chromium", where: "Chromium Worker", start: () => inChromium() },
  { host: "chromium", where: "Chromium Worker, cross-origin isolated", start: () => inChromium({ isolated: true }) },
  { host: "chromium", where: "Chromium Worker, without the message hop", start: () => inChromium({ hop: false }) },
].filter(({ host }) => only.includes(host));

const rows = [];
let wrong = 0;
for (const { where, start } of places) {
  const began = performance.now();
  const result = await start();
  say(`${where}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
  if (early) {
    console.log(`${where}: ${result.early} of ${result.seen} early`);
    wrong += result.early;
    continue;
  }
  for (const [key, samples_us] of Object.entries(result)) {
    const [contender, target] = key.split(" ");
    const ours = contender === "ours";
    rows.push({ where, contender: ours ? "escapement" : contender, kind: ours ? "ours" : "peer", target_ms: Number(target), samples_us });
    if (ours && samples_us.some((us) => us < 0)) ++wrong;
  }
}
if (!early) fs.writeFileSync(outFile, JSON.stringify({ rows }));
if (wrong) say("EARLY: timers of ours fired early");
process.exit(wrong ? 1 : 0);
