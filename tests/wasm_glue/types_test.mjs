// The programs in types/ compile under --strict, each with the types of its host alone:  node types_test.mjs

import { spawnSync } from "node:child_process";
import path from "node:path";
import { finish, test } from "./check.mjs";
import { root } from "./hosts.mjs";

const npm = path.join(root, "tests/npm");
const at = (name) => path.join(root, "tests/wasm_glue/types", name);
const programs = {
  "a Worker, with @cloudflare/workers-types": ["--lib", "es2022", "--types", "@cloudflare/workers-types", at("worker.ts"), at("wasm.d.ts")],
  "Node, with @types/node": ["--lib", "es2022", "--types", "node", at("node.mts")],
  "a browser, with the DOM's types": ["--lib", "es2022,dom", "--types", "", at("browser.ts")],
};
for (const [name, program] of Object.entries(programs)) {
  await test(name, () => {
    const flags = ["--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"];
    const made = spawnSync(path.join(npm, "node_modules/.bin/tsc"), [...flags, ...program], { cwd: npm, encoding: "utf8" });
    if (made.status !== 0) throw made.stdout + made.stderr;
  });
}
finish();
