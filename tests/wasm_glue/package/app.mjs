import fs from "node:fs";
import { load, worker } from "./app/escapement.mjs";

const file = (name) => fs.readFileSync(new URL("app/" + name, import.meta.url));
const handler = worker(await load(file("app.wasm")));
const response = await handler.fetch(new Request("http://app/hello"), {}, {});
const right = response.status === 200 && (await response.text()) === "hello";
const size = file("app.wasm").length;
const entry = String(file("app.mjs"));
const written = entry.includes('from "./app.wasm"') && entry.includes("bindings: [events]") && String(file("app.d.mts")).includes("WorkerHandlers");
console.log({ right, written, size });
process.exit(right && written && size < 120000 ? 0 : 1);
