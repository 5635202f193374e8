// A project of tools/new-project --worker, taken through the tools that its README names:
//
//   node project_test.mjs CMAKE INSTALLED-CMAKE-FOLDER PROBE.wasm
//
// wrangler (dev --local, deploy --dry-run, without a warning), esbuild (the bundle runs in workerd), vite (the page runs
// in Chromium). The project is built against an installed prefix.

import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { equal, finish, test, that } from "./check.mjs";
import { freePort, root, startWorkerd, textInChromium } from "./hosts.mjs";

const [cmake, installed, probe] = process.argv.slice(2);
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "escapement-project-"));
const project = path.join(scratch, "my_worker");
const bin = (name) => path.join(root, "tests/npm/node_modules/.bin", name);
// Without a network, without questions, with its own home for settings and logs.
const env = { ...process.env, CI: "1", NO_COLOR: "1", FORCE_COLOR: "0", WRANGLER_SEND_METRICS: "false", XDG_CONFIG_HOME: scratch,
  HOME: scratch, CLOUDFLARE_CF_FETCH_ENABLED: "false", PATH: path.dirname(cmake) + ":" + process.env.PATH };

function ran(program, args, cwd = project) {
  const done = spawnSync(program, args, { cwd, encoding: "utf8", env });
  if (done.status !== 0) throw `${path.basename(program)} ${args.join(" ")}: ${done.error ?? ""}\n${done.stdout}${done.stderr}`;
  return done.stdout + done.stderr;
}
const without = (printed, word) => that(!new RegExp(word, "i").test(printed), printed);
const built = (name) => path.join(project, "build/wasm/my_worker", name);

// wrangler dev in `cwd`, until it is stopped.
async function startWrangler(args, cwd = project) {
  const port = await freePort();
  const child = spawn(bin("wrangler"), ["dev", "--local", "--port", String(port), "--inspector-port", "0", ...args], { cwd, env, detached: true });
  let printed = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (printed += data));
  const ended = new Promise((resolve) => child.on("exit", resolve));
  for (let tries = 0; !printed.includes("Ready on http"); ++tries) {
    if (tries > 1800 || child.exitCode !== null) {
      if (child.exitCode === null) process.kill(-child.pid, "SIGKILL");
      throw new Error("wrangler dev did not start: " + printed);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return {
    url: `http://127.0.0.1:${port}`,
    printed: () => printed,
    stop: async () => {
      process.kill(-child.pid, "SIGTERM");
      await ended;
    },
  };
}

await test("tools/new-project --worker builds with its preset: module, Worker, types", () => {
  ran(path.join(root, "tools/new-project"), [project, "--worker"], scratch);
  ran(cmake, ["--preset", "worker", "-Descapement_DIR=" + installed, "-DESCAPEMENT_SOURCE=/nonexistent"]);
  ran(cmake, ["--build", "--preset", "worker"]);
  for (const name of ["my_worker.wasm", "my_worker.mjs", "my_worker.d.mts", "escapement.mjs", "escapement.d.mts"]) {
    that(fs.existsSync(built(name)), "no " + name);
  }
});

await test("wrangler deploy --dry-run, without a warning", () => {
  const printed = ran(bin("wrangler"), ["deploy", "--dry-run", "--outdir", "dist-wrangler"]);
  without(printed, "warning");
  that(/Total Upload/.test(printed), printed);
});

await test("wrangler dev --local answers, without a warning", async () => {
  const dev = await startWrangler([]);
  try {
    const response = await fetch(dev.url + "/");
    equal(`${response.status} ${await response.text()}`, "400 ask for /?origin=URL\n");
    without(dev.printed(), "warning");
  } finally {
    await dev.stop();
  }
});

await test("wrangler dev: a cron trigger reaches its ESC_SCHEDULED", async () => {
  const folder = path.join(scratch, "cron");
  fs.mkdirSync(folder);
  const write = (name, ...lines) => fs.writeFileSync(path.join(folder, name), lines.join("\n"));
  fs.copyFileSync(probe, path.join(folder, "probe.wasm"));
  for (const name of ["escapement.mjs", "host_fetch.mjs", "hosts.mjs", "runtime.mjs", "events.mjs"])
    fs.copyFileSync(path.join(root, "wasm_glue", name), path.join(folder, name));
  write("cron.mjs", 'import { worker } from "./escapement.mjs";', 'import { events } from "./events.mjs";',
    'import module from "./probe.wasm";', "export default worker(module, { bindings: [events] });");
  write("wrangler.toml", 'name = "cron"', 'main = "cron.mjs"', 'compatibility_date = "2025-10-01"', "[vars]", 'GREETING = "hi"',
    "[triggers]", 'crons = ["*/5 * * * *"]');
  const dev = await startWrangler(["--test-scheduled"], folder);
  try {
    equal((await fetch(dev.url + "/__scheduled?cron=*/5+*+*+*+*")).status, 200);
    let seen = "";
    for (let tries = 0; tries < 50 && !seen.includes("afterwards;"); ++tries) seen += await (await fetch(dev.url + "/events")).text();
    that(/^\d{4}-\d\d-\d\dT[\d:.]+Z \[\*\/5 \* \* \* \*\] hi;afterwards;$/.test(seen), seen);
  } finally {
    await dev.stop();
  }
});

await test("esbuild's bundle, with the settings that the README names, runs in workerd", async () => {
  ran(bin("esbuild"), [built("my_worker.mjs"), "--bundle", "--format=esm", "--loader:.wasm=copy", "--outdir=dist-esbuild"]);
  const folder = path.join(project, "dist-esbuild");
  const names = fs.readdirSync(folder).sort((one) => (one.endsWith(".wasm") ? 1 : -1));
  const workerd = await startWorkerd(Object.fromEntries(names.map((name) => [name.replace(/\.js$/, ".mjs"), fs.readFileSync(path.join(folder, name))])));
  try {
    equal((await fetch(workerd.url)).status, 400);
  } finally {
    workerd.stop();
  }
});

await test("vite build, without settings: the page runs the service in Chromium", async () => {
  without(ran(bin("vite"), ["build"]), "warn");
  equal(await textInChromium(path.join(project, "dist"), "pre", "400"), "400 ask for /?origin=URL\n");
});

fs.rmSync(scratch, { recursive: true, force: true });
finish();
