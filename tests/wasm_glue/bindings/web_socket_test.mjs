// WebSockets in workerd, client and server, and a client in Node where that has one:
//   node web_socket_test.mjs WEB_SOCKET_PROBE.wasm

import fs from "node:fs";
import path from "node:path";
import { run } from "../../../wasm_glue/escapement.mjs";
import { webSockets } from "../../../wasm_glue/web_socket.mjs";
import { equal, finish, test, that } from "../check.mjs";
import { root, startWorkerd } from "../hosts.mjs";

const glue = ["escapement", "host_operation", "packed", "web_socket"];
const workerd = await startWorkerd({
  "main.mjs": `import { run, worker } from "./escapement.mjs";
import { upgrades, webSockets } from "./web_socket.mjs";
import module from "./probe.wasm";
const options = { bindings: [webSockets] };
const inner = upgrades(module, worker(module, options).fetch, options);
export default {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    const task = /^\\/run\\/(.*)/.exec(pathname)?.[1];
    if (!task) return inner(request, env, ctx);
    return new Response(await run(module, task, searchParams.get("url"), { ...options, env, ctx, bytes: true }).catch((error) => error.message));
  },
};
`,
  ...Object.fromEntries(glue.map((name) => [name + ".mjs", fs.readFileSync(path.join(root, "wasm_glue", name + ".mjs"))])),
  "probe.wasm": fs.readFileSync(process.argv[2]),
});
const server = workerd.url.replace("http", "ws");
const inWorkerd = async (task, url) => (await fetch(`${workerd.url}/run/${task}?url=${encodeURIComponent(url)}`)).text();
const module = new WebAssembly.Module(fs.readFileSync(process.argv[2]));
const inNode = async (task, url) => new TextDecoder().decode(await run(module, task, url, { bindings: [webSockets], bytes: true }));

const clients = { workerd: inWorkerd, ...(globalThis.WebSocket && { Node: inNode }) };
for (const [host, ask] of Object.entries(clients)) {
  await test(`${host}: messages both ways, a receive that is given up, the close`, async () => {
    equal(await ask("spoken", server + "/echo"),
      "invalid_argument: a WebSocket's text is not UTF-8;text h\u00e4llo;bytes \0\ufffd;timed_out;end;4001 as you like;reset: the WebSocket is closed");
  });
  await test(`${host}: what cannot be opened`, async () => {
    equal(await ask("refused", "ftp://example.org/"), "invalid_argument: not a WebSocket's URL: ftp://example.org/");
    equal(await ask("refused", ""), "invalid_argument: a WebSocket's URL is empty");
    that((await ask("refused", "ws://127.0.0.1:1/")).startsWith("unavailable: "), "nobody there");
  });
  await test(`${host}: a peer that sends more than is kept is cut off`, async () => {
    equal(await ask("flooded", server + "/echo"), "limit_exceeded: a WebSocket's peer sends faster than is received");
  });
  await test(`${host}: one that is dropped closes`, async () => equal(await ask("leaving", server + "/echo"), "text noted 0"));
  await test(`${host}: a handler that fails closes by 1011`, async () => equal(await ask("leaving", server + "/fail"), "end 1011"));
}

await test("a request without an upgrade goes to the Worker's fetch", async () => {
  equal(await (await fetch(workerd.url + "/other")).text(), "no WebSocket");
});

workerd.stop();
finish();
