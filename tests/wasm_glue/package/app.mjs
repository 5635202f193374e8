import fs from "node:fs";
import { load, worker } from "./escapement.mjs";

const handler = worker(await load(fs.readFileSync(new URL("app.wasm", import.meta.url))));
const response = await handler.fetch(new Request("http://app/hello"), {}, {});
process.exit(response.status === 200 && (await response.text()) === "hello" ? 0 : 1);
