// A Worker with bindings of its own: must compile with @cloudflare/workers-types alone.
import { worker } from "escapement";
import { cache } from "escapement/cache";
import { cf } from "escapement/cf";
import { d1 } from "escapement/d1";
import { durableObject } from "escapement/durable_object";
import { events } from "escapement/events";
import { json } from "escapement/json";
import { kv } from "escapement/kv";
import { namespaces } from "escapement/namespaces";
import { queues } from "escapement/queues";
import { service } from "escapement/service";
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
  async scheduled(controller, env, ctx) {
    await handlers.scheduled?.(controller, env, ctx);
  },
  async queue(batch, env, ctx) {
    await handlers.queue?.(batch, env, ctx);
  },
  async tail(events, env, ctx) {
    await handlers.tail?.(events, env, ctx);
  },
} satisfies ExportedHandler<Env>;
export const typed: ExportedHandler<Env, string> = worker(module, { bindings: [cache, cf, d1, events, json, kv, namespaces, queues, service] });
export const Counter: new (state: DurableObjectState, env: Env) => DurableObject = durableObject(module, "Counter");
// @ts-expect-error: a module may have no handler of cron triggers
handlers.scheduled({ scheduledTime: 0, cron: "* * * * *" });
