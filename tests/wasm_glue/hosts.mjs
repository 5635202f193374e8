// Starts the hosts that the tests and the demo run in: a native server, workerd, a Worker of Chromium.

import { spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const fixtures = path.join(root, "tests/npm/node_modules/@octokit/fixtures");
const require = createRequire(path.join(root, "tests/npm/package.json"));

export async function freePort() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.on("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

// A program of ours that prints "listening on URL".
export async function startServer(program, args) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  let printed = "";
  const url = await new Promise((resolve, reject) => {
    child.stdout.on("data", (data) => {
      printed += data;
      const found = /listening on (\S+)/.exec(printed);
      if (found) resolve(found[1]);
    });
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`${program} ended with ${code}`)));
  });
  return { url, stop: () => child.kill() };
}

// workerd with one Worker: `modules` is {name: text or Uint8Array}, the first one is the main module; `flags` are
// compatibility flags.
export async function startWorkerd(modules, flags = []) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "escapement-workerd-"));
  const port = await freePort();
  const entries = Object.entries(modules).map(([name, content]) => {
    fs.writeFileSync(path.join(directory, name), content);
    return `(name = "${name}", ${name.endsWith(".wasm") ? "wasm" : "esModule"} = embed "${name}")`;
  });
  fs.writeFileSync(
    path.join(directory, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (modules = [${entries.join(", ")}], compatibilityDate = "2025-10-01",
      compatibilityFlags = ${JSON.stringify(flags)},
      bindings = [(name = "GREETING", text = "from env")])),
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true)))],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")]);
`,
  );
  // The program itself: npm's `workerd` is a script that starts it.
  const child = spawn(require("workerd").default, ["serve", path.join(directory, "config.capnp")], { stdio: ["ignore", "pipe", "pipe"] });
  let log = "";
  child.stdout.on("data", (data) => (log += data));
  child.stderr.on("data", (data) => (log += data));
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; ++tries) {
    const up = await new Promise((resolve) => {
      const socket = net.connect(port, "127.0.0.1", () => resolve(true) || socket.destroy());
      socket.on("error", () => resolve(false));
    });
    if (up) break;
    if (tries > 200 || child.exitCode !== null) throw new Error(`workerd did not start: ${log}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    url,
    pid: child.pid,
    log: () => log,
    stop: () => {
      child.kill();
      fs.rmSync(directory, { recursive: true, force: true });
    },
  };
}

// Runs `source`, the text of a module that posts one message, in a Worker of headless Chromium. `files` are
// served beside it: {"/name": content}. Yields the message. `isolated`: as a page that may have exact clocks.
export async function runInChromium(source, files, data, { isolated = false } = {}) {
  const { chromium } = require("playwright-core");
  const types = { ".mjs": "text/javascript", ".wasm": "application/wasm", ".html": "text/html" };
  const all = { "/worker.mjs": source, "/": "<!doctype html><title>escapement</title>", ...files };
  const server = http.createServer((request, response) => {
    const content = all[request.url];
    response.writeHead(content === undefined ? 404 : 200, {
      "content-type": types[path.extname(request.url)] ?? "text/html",
      ...(isolated ? { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" } : {}),
    });
    response.end(content);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "escapement-chromium-"));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    return await page.evaluate(
      (data) =>
        new Promise((resolve, reject) => {
          const worker = new Worker("/worker.mjs", { type: "module" });
          worker.onmessage = (event) => resolve(event.data);
          worker.onerror = (event) => reject(new Error(event.message));
          worker.postMessage(data);
        }),
      data,
    );
  } finally {
    await browser.close();
    server.close();
    fs.rmSync(profile, { recursive: true, force: true });
  }
}
