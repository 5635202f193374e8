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

// The programs of the npm packages. Bun's own script at installation, which tools/setup does not run, would move its.
export const denoProgram = () => path.join(root, "tests/npm/node_modules/.bin/deno");
export function bunProgram() {
  const { optionalDependencies } = require("bun/package.json");
  for (const name of Object.keys(optionalDependencies)) {
    const program = path.join(root, "tests/npm/node_modules", name, "bin/bun");
    if (fs.existsSync(program)) return program;
  }
  throw new Error("npm has no bun for this machine");
}

// With the modules that escapement.mjs imports, where that is among them: {name: content}, each after `prefix`.
function withGlue(modules, prefix = "") {
  if (!modules[prefix + "escapement.mjs"]) return modules;
  const more = ["host_fetch", "hosts", "runtime"].map((name) => [`${prefix}${name}.mjs`, fs.readFileSync(path.join(root, `wasm_glue/${name}.mjs`), "utf8")]);
  return { ...modules, ...Object.fromEntries(more) };
}

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
// compatibility flags, `trusted` certificates that its TLS trusts, as PEM.
export async function startWorkerd(modules, flags = [], trusted = []) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "escapement-workerd-"));
  const port = await freePort();
  const entries = Object.entries(withGlue(modules)).map(([name, content]) => {
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
    (name = "internet", network = (allow = ["public", "private"], tlsOptions = (trustBrowserCas = true, trustedCertificates = ${JSON.stringify(trusted)})))],
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

// Opens headless Chromium, calls `use(context)`, and closes it.
export async function withChromium(use) {
  const { chromium } = require("playwright-core");
  const profile = fs.mkdtempSync(path.join(os.tmpdir(), "escapement-chromium-"));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });
  try {
    return await use(browser);
  } finally {
    await browser.close();
    fs.rmSync(profile, { recursive: true, force: true });
  }
}

const types = { ".mjs": "text/javascript", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm", ".html": "text/html" };

// Serves what `contentOf(path)` yields, undefined: 404.
export async function startFiles(contentOf, headers = {}) {
  const server = http.createServer((request, response) => {
    const content = contentOf(request.url.split("?")[0]);
    response.writeHead(content === undefined ? 404 : 200, { "content-type": types[path.extname(request.url)] ?? "text/html", ...headers });
    response.end(content);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, stop: () => server.close() };
}

// The files of a folder; "/" is its index.html.
export const filesOf = (folder) => (url) => {
  const file = path.join(folder, url.endsWith("/") ? url + "index.html" : url);
  return fs.existsSync(file) ? fs.readFileSync(file) : undefined;
};

// Opens a folder's index.html in Chromium; yields the text of `selector` once it contains `wanted`.
export async function textInChromium(folder, selector, wanted) {
  const server = await startFiles(filesOf(folder));
  try {
    return await withChromium(async (browser) => {
      const page = await browser.newPage();
      await page.goto(server.url);
      const found = page.locator(selector, { hasText: wanted });
      await found.waitFor({ timeout: 30000 });
      return found.textContent();
    });
  } finally {
    server.stop();
  }
}

// Runs `source`, the text of a module that posts one message, in a Worker of headless Chromium. `files` are
// served beside it: {"/name": content}. Yields the message. `isolated`: as a page that may have exact clocks.
export async function runInChromium(source, files, data, { isolated = false } = {}) {
  const all = { "/worker.mjs": source, "/": "<!doctype html><title>escapement</title>", ...withGlue(files, "/") };
  const isolation = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
  const server = await startFiles((url) => all[url], isolated ? isolation : {});
  try {
    return await withChromium(async (browser) => {
      const page = await browser.newPage();
      await page.goto(server.url);
      return page.evaluate(
        (data) =>
          new Promise((resolve, reject) => {
            const worker = new Worker("/worker.mjs", { type: "module" });
            worker.onmessage = (event) => resolve(event.data);
            worker.onerror = (event) => reject(new Error(event.message));
            worker.postMessage(data);
          }),
        data,
      );
    });
  } finally {
    server.stop();
  }
}
