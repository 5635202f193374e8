// workerd with a Worker that has a Durable Object, whose storage is on a disk that survives it.

import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { createRequire } from "node:module";
import { freePort, root } from "../hosts.mjs";

const require = createRequire(path.join(root, "tests/npm/package.json"));
const common = ["escapement.mjs", "host_fetch.mjs", "hosts.mjs", "runtime.mjs", "host_operation.mjs", "packed.mjs", "storage.mjs", "durable_object.mjs"];

// `main`: the text of the main module, which finds the glue beside it, and the module as "./probe.wasm". `className`: the
// exported class of the object, which requests to /NAME/... reach. `glue`: more modules of the library.
export async function durableWorkerd({ main, probe, className, variables = {}, glue: more = [] }) {
  const glue = [...common, ...more];
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "escapement-durable-"));
  fs.mkdirSync(path.join(directory, "disk"));
  fs.writeFileSync(path.join(directory, "main.mjs"), main);
  fs.copyFileSync(probe, path.join(directory, "probe.wasm"));
  for (const name of glue) fs.copyFileSync(path.join(root, "wasm_glue", name), path.join(directory, name));
  const port = await freePort();
  const modules = ["main.mjs", ...glue].map((name) => `(name = "${name}", esModule = embed "${name}")`);
  const texts = Object.entries(variables).map(([name, value]) => `(name = "${name}", text = ${JSON.stringify(value)})`);
  const config = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [${modules.join(", ")}, (name = "probe.wasm", wasm = embed "probe.wasm")],
      compatibilityDate = "2025-10-01",
      durableObjectNamespaces = [(className = "${className}", uniqueKey = "key-of-${className}", enableSql = true)],
      durableObjectStorage = (localDisk = "disk"),
      bindings = [(name = "OBJECT", durableObjectNamespace = "${className}"), ${texts.join(", ")}])),
    (name = "disk", disk = (path = "${directory}/disk", writable = true)),
    (name = "internet", network = (allow = ["public", "private"]))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]);
`;
  fs.writeFileSync(path.join(directory, "config.capnp"), config);

  let child;
  let log = "";
  const server = {
    url: `http://127.0.0.1:${port}`,
    log: () => log,
    async start() {
      child = spawn(require("workerd").default, ["serve", path.join(directory, "config.capnp")], { stdio: ["ignore", "pipe", "pipe"] });
      child.stdout.on("data", (data) => (log += data));
      child.stderr.on("data", (data) => (log += data));
      const own = child;
      for (let tries = 0; ; ++tries) {
        const up = await new Promise((resolve) => {
          const socket = net.connect(port, "127.0.0.1", () => resolve(true) || socket.destroy());
          socket.on("error", () => resolve(false));
        });
        if (up) return;
        if (tries > 1000 || own.exitCode !== null) throw new Error(`workerd did not start: ${log}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    async kill() {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    },
    async stop() {
      await server.kill();
      fs.rmSync(directory, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}
