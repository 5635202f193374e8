// The npm package, as npm packs and installs it, without a network:  node npm_test.mjs

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { equal, finish, test, that } from "./check.mjs";
import { bunProgram, denoProgram, root } from "./hosts.mjs";

const source = path.join(root, "wasm_glue");
const modules = path.join(root, "tests/npm/node_modules");
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "escapement-npm-"));
const project = path.join(scratch, "project");
const bin = (name) => path.join(modules, ".bin", name);

// Runs a program to its end; yields what it printed.
function ran(program, args, { cwd = project, env } = {}) {
  const done = spawnSync(program, args, { cwd, encoding: "utf8", env: { ...process.env, NO_COLOR: "1", ...env } });
  if (done.status !== 0) throw `${path.basename(program)} ${args.join(" ")}: ${done.error ?? ""}\n${done.stdout}${done.stderr}`;
  return done.stdout;
}

const manifest = JSON.parse(fs.readFileSync(path.join(source, "package.json")));
let archive;

await test("npm pack takes the modules, their types, the licence and a README, and nothing else", () => {
  const [packed] = JSON.parse(ran("npm", ["pack", "--json", "--pack-destination", scratch, "--offline"], { cwd: source }));
  archive = path.join(scratch, packed.filename);
  const names = packed.files.map(({ path }) => path);
  const wanted = ["LICENSE", "README.md", "package.json", ...fs.readdirSync(source).filter((name) => /\.(mjs|d\.mts)$/.test(name))];
  equal(names.sort().join(" "), wanted.sort().join(" "), "the archive");
  equal(fs.readFileSync(path.join(source, "LICENSE"), "utf8"), fs.readFileSync(path.join(root, "LICENSE"), "utf8"), "the licence");
});

await test("it has the library's version, no script that runs at installation, no dependencies", () => {
  const [, version] = /project\(escapement VERSION (\S+)/.exec(fs.readFileSync(path.join(root, "CMakeLists.txt"), "utf8"));
  equal(manifest.version, version);
  for (const absent of ["scripts", "dependencies", "optionalDependencies", "peerDependencies", "gypfile", "bin"]) equal(manifest[absent], undefined, absent);
});

await test("every module that has types is exported, `types` first, the hosts' conditions by name", () => {
  for (const file of fs.readdirSync(source).filter((name) => name.endsWith(".d.mts"))) {
    const name = file === "escapement.d.mts" ? "." : "./" + file.replace(".d.mts", "");
    that(Object.hasOwn(manifest.exports, name), `package.json says nothing of ${name}; null keeps it internal`);
  }
  for (const entry of Object.values(manifest.exports)) {
    if (entry === null || typeof entry === "string") continue;
    equal(Object.keys(entry)[0], "types", "the first condition");
    equal(Object.keys(entry).at(-1), "default", "the last condition");
    for (const file of Object.values(entry)) that(fs.existsSync(path.join(source, file)), `no ${file}`);
  }
  equal(Object.keys(manifest.exports["."]).join(), "types,workerd,browser,node,deno,bun,default");
});

await test("it installs without a network", () => {
  fs.mkdirSync(project);
  fs.writeFileSync(path.join(project, "package.json"), '{"name": "project", "private": true, "type": "module"}');
  ran("npm", ["install", "--offline", "--no-audit", "--no-fund", archive]);
});

await test("publint finds nothing", () => void ran(bin("publint"), ["run", "--strict", archive]));
await test("attw finds nothing, for ES modules", () => void ran(bin("attw"), [archive, "--profile", "esm-only"]));

// Links, so that these find what they need beside their real places.
for (const types of ["@types/node", "@cloudflare/workers-types"]) {
  fs.mkdirSync(path.dirname(path.join(project, "node_modules", types)), { recursive: true });
  fs.symlinkSync(path.join(modules, types), path.join(project, "node_modules", types));
}
for (const name of fs.readdirSync(path.join(root, "tests/wasm_glue/types"))) {
  fs.copyFileSync(path.join(root, "tests/wasm_glue/types", name), path.join(project, name));
}
const exported = Object.entries(manifest.exports).filter(([, entry]) => entry?.types);
fs.writeFileSync(path.join(project, "all.mts"), exported.map(([name], i) => `export * as m${i} from "escapement${name.slice(1)}";\n`).join(""));
const programs = {
  "a Worker, with @cloudflare/workers-types": ["--lib", "es2022", "--types", "@cloudflare/workers-types", "worker.ts", "wasm.d.ts", "all.mts"],
  "Node, with @types/node": ["--lib", "es2022", "--types", "node", "node.mts", "all.mts"],
  "a browser, with the DOM's types": ["--lib", "es2022,dom", "--types", "", "browser.ts", "all.mts"],
};
for (const [name, program] of Object.entries(programs)) {
  for (const [resolution, module] of [["bundler", "esnext"], ["node16", "node16"]]) {
    await test(`the types: ${name}, resolved for ${resolution}`, () => {
      const flags = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--target", "es2022"];
      ran(bin("tsc"), [...flags, "--module", module, "--moduleResolution", resolution, ...program]);
    });
  }
}

await test("Node, Deno, Bun and bundlers find it", () => {
  const program = path.join(project, "found.mjs");
  fs.writeFileSync(program, 'import { load, run, worker } from "escapement";\nconsole.log([load, run, worker].map((f) => typeof f).join());\n');
  equal(ran(process.execPath, [program]), "function,function,function\n", "Node");
  equal(ran(denoProgram(), ["run", "--node-modules-dir=manual", "--no-remote", "--allow-read", program]), "function,function,function\n", "Deno");
  equal(ran(bunProgram(), ["run", program]), "function,function,function\n", "Bun");
  for (const conditions of ["workerd", "browser", "worker,browser"]) {
    const bundle = ran(bin("esbuild"), [program, "--bundle", "--format=esm", "--conditions=" + conditions]);
    that(bundle.includes("esc_step"), "esbuild, " + conditions);
  }
});

fs.rmSync(scratch, { recursive: true, force: true });
finish();
