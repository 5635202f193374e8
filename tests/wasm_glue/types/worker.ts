// A Worker with bindings of its own: must compile with @cloudflare/workers-types alone.
import { worker } from "../../../wasm_glue/escapement.mjs";
import module from "./app.wasm";

interface Env {
  GREETING: string;
  STORE: KVNamespace;
}

const handlers = worker(module, { onError: (error) => console.error(error.message) });
export default worker(module) satisfies ExportedHandler<Env>;
export const wrapped = {
  async fetch(request, env, ctx) {
    return env.GREETING === "none" ? new Response(null, { status: 404 }) : handlers.fetch(request, env, ctx);
  },
} satisfies ExportedHandler<Env>;
