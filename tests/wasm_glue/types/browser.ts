// Tasks in a browser: must compile with the DOM's types alone.
import { load, run } from "escapement";

const module: WebAssembly.Module = await load(fetch("app.wasm"));
const controller = new AbortController();
const text: string = await run(module, "nap", "20", { signal: controller.signal, fetch, setTimeout, clearTimeout });
document.title = text;
