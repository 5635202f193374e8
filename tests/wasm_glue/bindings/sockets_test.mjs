// TCP sockets in workerd, against servers of Node:  node sockets_test.mjs SOCKETS_PROBE.wasm

import { execFileSync } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import tls from "node:tls";
import { equal, finish, test, that } from "../check.mjs";
import { freePort, root, startWorkerd } from "../hosts.mjs";
import { durableWorkerd } from "./durable_workerd.mjs";

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "escapement-sockets-"));
execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem",
  "-out", "certificate.pem", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], { cwd: directory, stdio: "ignore" });
const [key, certificate] = ["key.pem", "certificate.pem"].map((name) => fs.readFileSync(path.join(directory, name), "utf8"));
fs.rmSync(directory, { recursive: true });

let connections = 0;
const answer = (request, response) => {
  if (request.url === "/hello") response.end("hello");
  else if (request.url === "/echo") request.pipe(response);
  else if (request.url === "/large") response.end("l".repeat(1024 * 1024));
  else response.writeHead(404).end();
};
const plain = http.createServer(answer).on("connection", () => ++connections);
const encrypted = https.createServer({ key, cert: certificate }, answer);
const echo = net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
// Begins TLS when it is asked to.
const mail = net.createServer((socket) => {
  let inject = "";
  let text = "";
  socket.on("error", () => {});
  socket.write("220 hello\n");
  const take = (bytes) => {
    text += bytes;
    for (let end; (end = text.indexOf("\n")) >= 0; ) {
      const line = text.slice(0, end);
      text = text.slice(end + 1);
      if (line !== "STARTTLS") {
        if (line === "INJECT") inject = "250 a line too many\n";
        socket.write("250 fine\n");
        continue;
      }
      socket.off("data", take);
      socket.write("220 ready\n" + inject);
      const secure = new tls.TLSSocket(socket, { isServer: true, key, cert: certificate });
      secure.on("error", () => {});
      secure.pipe(secure);
      return;
    }
  };
  socket.on("data", take);
});
for (const server of [plain, encrypted, echo, mail]) await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const closed = await freePort();
const port = (server) => server.address().port;

const glue = ["durable_object", "escapement", "host_operation", "packed", "sockets", "storage"];
const workerd = await startWorkerd({
  "main.mjs": `import { bindings as objects } from "./durable_object.mjs";
import { run } from "./escapement.mjs";
import { sockets } from "./sockets.mjs";
import module from "./probe.wasm";
export default {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    const options = { bindings: [sockets, ...objects], env, ctx };
    return new Response(await run(module, pathname.slice(1), searchParams.get("of") ?? "", options).catch((error) => error.message));
  },
};
`,
  ...Object.fromEntries(glue.map((name) => [name + ".mjs", fs.readFileSync(path.join(root, "wasm_glue", name + ".mjs"))])),
  "probe.wasm": fs.readFileSync(process.argv[2]),
}, [], [certificate]);
const ask = async (task, of) => (await fetch(`${workerd.url}/${task}?of=${encodeURIComponent(of)}`)).text();

await test("our HTTP client over a Worker's sockets keeps its connection", async () => {
  equal(await ask("client", `http://127.0.0.1:${port(plain)}`), "");
  equal(connections, 1, "connections");
});
await test("our HTTP client over the host's TLS", async () => equal(await ask("client", `https://localhost:${port(encrypted)}`), ""));
await test("plain connections: half-close, the end, nobody there", async () => equal(await ask("connections", `${port(echo)} ${closed}`), ""));
await test("TLS that begins in the midst of a connection", async () => equal(await ask("starttls", `localhost ${port(mail)}`), "invalid_argument"));
await test("what fails", async () => {
  equal(await ask("refused", `http://127.0.0.1:${closed}/`), "unavailable");
  equal(await ask("refused", "http://nobody.invalid/"), "unavailable");
  const untrusted = await ask("refused", `https://127.0.0.1:${port(encrypted)}/`);
  that(["untrusted", "reset"].includes(untrusted), `a certificate for another name: ${untrusted}`);
  equal(await ask("unsupported", ""), "unsupported: a Worker does not listen;unsupported: the host puts TLS on its own connections alone");
});
await test("sockets close with their context", async () => {
  for (let i = 0; i < 100 && connections > 0; ++i) {
    connections = await new Promise((resolve) => plain.getConnections((_, count) => resolve(count)));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  equal(connections, 0);
});

workerd.stop();

const durable = await durableWorkerd({
  main: `import { durableObject } from "./durable_object.mjs";
import { sockets } from "./sockets.mjs";
import module from "./probe.wasm";
export const Holder = durableObject(module, "Holder", { bindings: [sockets] });
export default {
  fetch: (request, env) => env.OBJECT.get(env.OBJECT.idFromName("one")).fetch(request).catch((error) => new Response(error.message, { status: 500 })),
};
`,
  probe: process.argv[2],
  className: "Holder",
  glue: ["sockets.mjs"],
});
await test("a trap of a Durable Object closes its open sockets, and the next instance opens new ones", async () => {
  const say = async (path) => {
    const response = await fetch(durable.url + path);
    return `${response.status} ${(await response.text()).trim()}`;
  };
  const open = () => new Promise((resolve) => echo.getConnections((_, count) => resolve(count)));
  const settles = async (count) => {
    for (let i = 0; i < 250 && (await open()) !== count; ++i) await new Promise((resolve) => setTimeout(resolve, 20));
    return open();
  };
  equal(await settles(0), 0, "connections before");
  for (let round = 0; round < 3; ++round) {
    for (let i = 1; i <= 5; ++i) equal(await say("/open?port=" + port(echo)), "200 " + i);
    equal(await say("/say"), "200 line line line line line");
    equal(await settles(5), 5, "connections");
    that((await say("/trap")).startsWith("500 "), "a trap");
    equal(await settles(0), 0, "connections of the instance that has trapped");
  }
});
await durable.stop();
finish();
