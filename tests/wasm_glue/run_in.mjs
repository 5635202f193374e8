// Runs a test in Deno or in Bun, of npm's packages:  node run_in.mjs deno|bun TEST.mjs ARGUMENT...

import { spawnSync } from "node:child_process";
import { bunProgram, denoProgram } from "./hosts.mjs";

const [host, ...rest] = process.argv.slice(2);
const command = host === "deno" ? [denoProgram(), "run", "--allow-all", "--no-remote", "--node-modules-dir=manual"] : [bunProgram(), "run"];
const done = spawnSync(command[0], [...command.slice(1), ...rest], { stdio: "inherit", env: { ...process.env, NO_COLOR: "1" } });
process.exit(done.status ?? 1);
