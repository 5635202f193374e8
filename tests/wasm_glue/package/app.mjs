import fs from "node:fs";
import { load, worker } from "./app/escapement.mjs";

const file = (name) => fs.readFileSync(new URL("app/" + name, import.meta.url));
const handler = worker(await load(file("app.wasm")));
const response = await handler.fetch(new Request("http://app/hello"), {}, {});
const right = response.status === 200 && (await response.text()) === "hello";
const size = file("app.wasm").length;
const written = String(file("app.mjs")).includes('from "./app.wasm"') && String(file("app.d.mts")).includes("WorkerHandlers");
console.log({ right, written, size });
process.exit(right && written && size < 120000 ? 0 : 1);
