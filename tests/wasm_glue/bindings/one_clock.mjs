// The body of the one-clock tests: in Node, and as a Worker in workerd. Yields lines "ok ..." or "not ok ...".

import { cache } from "./cache.mjs";
import { bindings as objects, durableObject } from "./durable_object.mjs";
import { run, worker } from "./escapement.mjs";
import { events } from "./events.mjs";
import { kv } from "./kv.mjs";
import { namespaces } from "./namespaces.mjs";
import { queues } from "./queues.mjs";
import { r2 } from "./r2.mjs";
import { TestWorld } from "./test_kit.mjs";

const bindings = [cache, events, kv, namespaces, queues, r2, ...objects];

const cases = {
  async "KV keeps its contract"(module) {
    const world = new TestWorld();
    const env = { STORE: world.kv() };
    const wrong = await run(module, "kv_contract", "STORE", { ...world.options, bindings, env });
    world.end();
    if (wrong) throw new Error(wrong);
  },

  async "the Cache API keeps its contract, and max-age follows the clock"(module) {
    const world = new TestWorld();
    const options = { ...world.options, bindings };
    for (const name of ["", "pages"]) {
      const wrong = await run(module, "cache_contract", name, options);
      if (wrong) throw new Error(wrong);
    }
    const minute = run(module, "minute_in_cache", "", options);
    await world.advance(60e3);
    const seen = await minute;
    if (seen !== "200 body; 200 body; nothing") throw new Error(seen);
    const direct = world.caches.default; // as JavaScript of the Worker sees it
    await direct.put("http://page/", new Response("p", { headers: { expires: new Date(world.time + 5000).toUTCString() } }));
    await world.advance(4000);
    if ((await (await direct.match("http://page/")).text()) !== "p") throw new Error("gone too soon");
    await world.advance(1000);
    if (await direct.match("http://page/")) throw new Error("there for too long");
    world.end();
  },

  async "a namespace of objects keeps its contract, and calls of them follow the clock"(module) {
    const world = new TestWorld();
    const env = {};
    const options = { ...world.options, bindings, env };
    env.COUNTER = world.durableNamespace(durableObject(module, "Counter", options), env);
    const wrong = await run(module, "namespace_contract", "COUNTER", options);
    if (wrong) throw new Error(wrong);
    if (env.COUNTER.objects.size !== 3) throw new Error(env.COUNTER.objects.size + " objects");
    const asked = run(module, "ask_a_sleeper", "COUNTER", options);
    await world.advance(10e3 - 1);
    const early = await Promise.race([asked, null]);
    if (early !== null) throw new Error("early: " + early);
    await world.advance(1);
    const answer = await asked;
    if (!answer.startsWith("timed_out: ")) throw new Error(answer);
    world.end();
  },

  async "a binding that the Worker lacks"(module) {
    for (const env of [undefined, {}, { STORE: "text" }, Object.create({ STORE: {} })]) {
      const error = await run(module, "kv_contract", "STORE", { bindings, env }).catch((error) => error);
      if (error.message !== "invalid_argument: the Worker has no KV namespace STORE") throw error;
    }
  },

  async "KV's own failures have kinds"(module) {
    const failing = (message) => ({ STORE: { get() {}, getWithMetadata: () => Promise.reject(new Error(message)) } });
    for (const [message, code] of [["KV GET failed: 429 Too Many Requests", "unavailable"], ["KV GET failed: 400 x", "invalid_argument"], ["other", "reset"]]) {
      const error = await run(module, "kv_contract", "STORE", { bindings, env: failing(message) }).catch((error) => error);
      if (error.code !== code || !error.message.endsWith(message)) throw error;
    }
  },

  async "a queue's messages and refusals"(module) {
    let sent;
    const env = { JOBS: { sendBatch: async (...all) => (sent = all) } };
    const text = await run(module, "send", "JOBS", { bindings, env });
    const [messages, options] = sent;
    const seen = JSON.stringify([messages.map(({ body, contentType }) => [typeof body === "string" ? body : [...body], contentType]), options]);
    if (seen !== '[[["text","text"],[[255,0,98,121,116,101,115],"bytes"]],{"delaySeconds":2}]') throw new Error(seen);
    if (!/^invalid_argument: .*\nlimit_exceeded: /.test(text)) throw new Error(text);
  },

  async "a handler's failures and decisions"(module) {
    const failed = await worker(module, { bindings }).scheduled({ cron: "fail", scheduledTime: 0 }, {}, {}).catch((error) => error);
    if (failed?.message !== "internal: on purpose") throw failed;
    const seen = [];
    const ack = (id) => () => seen.push(id + " ack");
    const retry = (id) => (options) => seen.push(id + " " + JSON.stringify(options));
    const message = (id, body) => ({ id, body, timestamp: new Date(5), attempts: 1, ack: ack(id), retry: retry(id) });
    const batch = { queue: "fail", messages: [message("a", "text"), message("b", { json: 1 }), message("c", new ArrayBuffer(3))] };
    const error = await worker(module, { bindings }).queue(batch, {}, {}).catch((error) => error);
    if (error?.message !== "internal: on purpose") throw error;
    if (seen.join() !== 'a ack,b {"delaySeconds":2}') throw new Error(seen.join());
  },

  async "30 days, as in simulated time"(module) {
    const began = performance.now();
    const world = new TestWorld();
    const options = { ...world.options, bindings };
    const env = { STORE: world.kv() };
    const handlers = worker(module, options);
    env.JOBS = world.queue((batch) => handlers.queue(batch, env, world.ctx));
    world.cron("0 */6 * * *", (controller) => handlers.scheduled(controller, env, world.ctx));
    const object = world.durableObject(durableObject(module, "Days", options), env);
    const response = await object.fetch("http://object/");
    if (response.status !== 204) throw new Error("the object answers " + response.status);
    for (let day = 0; day < 30; ++day) {
      await world.advance(24 * 3600e3);
      object.evict();
    }
    world.end();
    const trace = await run(module, "trace", "", { bindings });
    if (!trace.startsWith("the same\n")) throw new Error(trace);
    if (world.failures.length) throw world.failures[0];
    return `took ${Math.round(performance.now() - began)} ms`;
  },
};

export async function* oneClock(module) {
  for (const [name, body] of Object.entries(cases)) {
    try {
      yield `ok ${name}: ${(await body(module)) ?? ""}`;
    } catch (error) {
      yield `not ok ${name}: ${error?.stack ?? error}`;
    }
  }
}
