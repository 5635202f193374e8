// Tasks in Node: must compile with @types/node alone.
import fs from "node:fs";
import { load, run, worker, type Failure } from "escapement";

const module = await load(fs.readFileSync("app.wasm"));
const text: string = await run(module, "nap", "20", { signal: AbortSignal.timeout(50) });
const bytes: Uint8Array = await run(module, "nap", new Uint8Array([50]), { bytes: true, now: () => performance.now() });
const timers: NodeJS.Timeout[] = [];
await run(module, text, undefined, {
  setTimeout: (call, delay) => timers[timers.push(setTimeout(call, delay)) - 1],
  clearTimeout: (timer) => clearTimeout(timer),
  fetch: globalThis.fetch,
}).catch((error: Failure) => error.code === "timed_out");
const response: Response = await worker(module).fetch(new Request("http://worker/"));
console.log(bytes.length, response.status);
// @ts-expect-error: no name
await run(module);
// @ts-expect-error: not a module
await run("app.wasm", "nap");
// @ts-expect-error: text that is said to be bytes
const wrong: Uint8Array = await run(module, "nap");
