// The Worker's service in a browser's page.

import { load, worker } from "./build/wasm/@NAME@/escapement.mjs";
import url from "./build/wasm/@NAME@/@NAME@.wasm?url";

const { fetch: ask } = worker(await load(fetch(url)));
const response = await ask(new Request(new URL("/", location.href)));
document.querySelector("pre").textContent = `${response.status} ${await response.text()}`;
