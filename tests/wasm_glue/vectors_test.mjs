// The vectors of the client's behaviour:  node vectors_test.mjs (node | workerd) PROBE.wasm

import fs from "node:fs";
import path from "node:path";
import { load, run } from "../../wasm_glue/escapement.mjs";
import { finish, test, that } from "./check.mjs";
import { root, startWorkerd } from "./hosts.mjs";

const [, , host, file] = process.argv;

async function played() {
  if (host === "node") return run(await load(fs.readFileSync(file)), "played", "");
  const workerd = await startWorkerd({
    "worker.mjs": `import { worker } from "./escapement.mjs";
import module from "./vectors_probe.wasm";
export default worker(module);
`,
    "escapement.mjs": fs.readFileSync(path.join(root, "wasm_glue/escapement.mjs")),
    "vectors_probe.wasm": fs.readFileSync(file),
  });
  const response = await fetch(workerd.url + "/");
  const text = await response.text();
  workerd.stop();
  return text;
}

await test(`the vectors hold in ${host}`, async () => {
  const [count, ...lines] = (await played()).split("\n");
  const skipped = lines.filter((line) => line.startsWith("skipped: "));
  const faults = lines.filter((line) => !line.startsWith("skipped: "));
  for (const line of skipped) console.log(line);
  console.log(`${Number(count) - skipped.length} vectors played, ${skipped.length} skipped`);
  that(Number(count) > 150, `${count} vectors`);
  that(faults.length === 0, faults.join("\n"));
});

finish();
