// Runs in a Worker of the page, whose timers the browser does not hold back when the page is hidden.
import { load, run } from "./build/nap/escapement.mjs";

const module = await load(fetch(new URL("./build/nap/nap.wasm", import.meta.url)));
postMessage(await run(module, "naps"));
