// The README's Worker in workerd:  node worker_test.mjs WORKER.wasm

import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { equal, finish, test } from "../wasm_glue/check.mjs";
import { root, startWorkerd } from "../wasm_glue/hosts.mjs";

const workerd = await startWorkerd({
  "worker.mjs": fs.readFileSync(path.join(root, "tests/examples/worker.mjs")),
  "escapement.mjs": fs.readFileSync(path.join(root, "wasm_glue/escapement.mjs")),
  "worker.wasm": fs.readFileSync(process.argv[2]),
});
const origin = http.createServer((request, response) => {
  if (request.url !== "/never") response.end("from the origin");
});
await new Promise((resolve) => origin.listen(0, "127.0.0.1", resolve));
const ask = (target) =>
  fetch(workerd.url + "/?origin=" + encodeURIComponent(`http://127.0.0.1:${origin.address().port}${target}`));

await test("it relays", async () => {
  const response = await ask("/");
  equal(response.status, 200);
  equal(response.headers.get("x-relayed-by"), "escapement");
  equal(await response.text(), "from the origin");
});

await test("an origin that is too slow is a failure of this request", async () => equal((await ask("/never")).status, 503));

workerd.stop();
origin.closeAllConnections();
origin.close();
finish();
