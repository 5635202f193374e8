// Bindings on the test kit's clock:  node one_clock_test.mjs BINDINGS_PROBE.wasm
//
// In Node and in workerd. The scenario of 30 days must have the trace that it has in simulated time natively
// (tests/io/bindings/thirty_days_test.cpp), and take less than a second in workerd.

import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { finish, test, that } from "../check.mjs";
import { root, startWorkerd } from "../hosts.mjs";

const glue = ["cache", "durable_object", "escapement", "events", "host_fetch", "hosts", "runtime",
  "host_operation", "kv", "namespaces", "packed", "queues", "r2", "storage", "test_cache", "test_kit"];
const sources = Object.fromEntries(glue.map((name) => [name + ".mjs", fs.readFileSync(path.join(root, "wasm_glue", name + ".mjs"))]));
sources["one_clock.mjs"] = fs.readFileSync(path.join(root, "tests/wasm_glue/bindings/one_clock.mjs"));
const probe = fs.readFileSync(process.argv[2]);

const check = async (host, lines) => {
  that(lines.length > 1, `${host}: ${lines}`);
  for (const line of lines) await test(`${host}: ${line.replace(/^(not )?ok /, "").split("\n")[0]}`, async () => that(line.startsWith("ok "), line));
};

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "escapement-one-clock-"));
for (const [name, text] of Object.entries(sources)) fs.writeFileSync(path.join(directory, name), text);
const { oneClock } = await import(pathToFileURL(path.join(directory, "one_clock.mjs")));
const lines = [];
for await (const line of oneClock(new WebAssembly.Module(probe))) lines.push(line);
await check("Node", lines);
fs.rmSync(directory, { recursive: true });

const workerd = await startWorkerd({
  "main.mjs": `import { oneClock } from "./one_clock.mjs";
import module from "./probe.wasm";
export default {
  async fetch() {
    const lines = [];
    for await (const line of oneClock(module)) lines.push(line);
    return Response.json(lines);
  },
};
`,
  ...sources,
  "probe.wasm": probe,
});
const response = await fetch(workerd.url);
const text = await response.text();
const answers = response.ok ? JSON.parse(text) : [text, workerd.log()];
await check("workerd", answers);
await test("workerd: the 30 days take less than a second", async () => {
  const took = Number(/took (\d+) ms/.exec(answers.at(-1))?.[1]);
  that(took < 1000, answers.at(-1));
});
workerd.stop();
finish();
