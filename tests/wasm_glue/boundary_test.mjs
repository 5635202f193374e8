// The cases of boundary.mjs in one host:  node boundary_test.mjs node|workerd|chromium PROBE.wasm
// Deno and Bun run it themselves:  deno run -A boundary_test.mjs deno PROBE.wasm

import fs from "node:fs";
import path from "node:path";
import { finish, test } from "./check.mjs";
import { root, runInChromium, startWorkerd } from "./hosts.mjs";
import { startOrigin } from "./origin.mjs";

const [host, wasm] = process.argv.slice(2);
const read = (name) => fs.readFileSync(path.join(root, name), "utf8");
const files = { "escapement.mjs": read("wasm_glue/escapement.mjs"), "boundary.mjs": read("tests/wasm_glue/boundary.mjs"), "probe.wasm": fs.readFileSync(wasm) };
const origin = await startOrigin();

const hosts = {
  async inside() {
    const glue = await import("../../wasm_glue/escapement.mjs");
    const { boundary } = await import("./boundary.mjs");
    return boundary(glue, await glue.load(files["probe.wasm"]), origin.url, origin.refusing, host);
  },
  async workerd() {
    const source = `import * as glue from "./escapement.mjs";
import { boundary } from "./boundary.mjs";
import module from "./probe.wasm";
export default {
  fetch: async () => Response.json(await boundary(glue, module, ${JSON.stringify(origin.url)}, ${JSON.stringify(origin.refusing)}, "workerd")),
};
`;
    // Without the flag, no request of workerd is ever aborted, and the glue does not listen.
    const workerd = await startWorkerd({ "worker.mjs": source, ...files }, ["enable_request_signal"]);
    try {
      return await (await fetch(workerd.url)).json();
    } finally {
      workerd.stop();
    }
  },
  chromium() {
    const source = `import * as glue from "/escapement.mjs";
import { boundary } from "/boundary.mjs";
onmessage = async ({ data }) => postMessage(await boundary(glue, await glue.load(fetch("/probe.wasm")), ...data));
`;
    const served = Object.fromEntries(Object.entries(files).map(([name, content]) => ["/" + name, content]));
    return runInChromium(source, served, [origin.url, origin.refusing, host]);
  },
};

for (const [name, wrong] of await (hosts[host] ?? hosts.inside)()) {
  await test(name, () => {
    if (wrong) throw wrong;
  });
}
origin.stop();
finish();
