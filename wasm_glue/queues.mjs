// The JavaScript half of host_queue.h and queue_events.h.

import { run } from "./runtime.mjs";
import { operate } from "./host_operation.mjs";
import { bindingOf, pack, textOf, unpack } from "./packed.mjs";

const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

// Text is the content type that every consumer and the dashboard show.
const message = (bytes) => {
  try {
    return { body: strict.decode(bytes), contentType: "text" };
  } catch {
    return { body: bytes, contentType: "bytes" };
  }
};

const bodyOf = (body) => (typeof body === "string" || body instanceof ArrayBuffer || ArrayBuffer.isView(body) ? body : JSON.stringify(body));

// The handler for the module's ESC_QUEUE. A body that is neither text nor bytes arrives as JSON.
const consumer = (module, options) => async (batch, env, ctx) => {
  const messages = batch.messages.flatMap(({ id, timestamp, attempts, body }) => [id, Number(timestamp), attempts, bodyOf(body)]);
  const packed = pack([batch.queue, ...messages]);
  const [failure, ...outcomes] = (await run(module, "queue", packed, { ...options, env, ctx })).split("\n");
  for (const [i, message] of batch.messages.entries()) {
    const [outcome, seconds] = (outcomes[i] ?? "").split(" ");
    if (outcome === "handled") message.ack();
    if (outcome === "again") message.retry(Number(seconds) ? { delaySeconds: Number(seconds) } : undefined);
  }
  if (failure) throw Object.assign(new Error(failure), { code: failure.split(":", 1)[0] });
};

const consumes = (module) => WebAssembly.Module.exports(module).some(({ name }) => name === "esc_task_queue");

export const queues = {
  handlers: (module, options) => (consumes(module) ? { queue: consumer(module, options) } : {}),
  module: "escapement_queues",
  imports: {
    send(id, at, length) {
      const [name, seconds, ...bodies] = unpack(this.bytes(at, length));
      const options = { delaySeconds: Number(textOf(seconds)) };
      operate(this, id, async () => {
        await bindingOf(this, textOf(name), "sendBatch", "queue").sendBatch(bodies.map(message), options);
      });
    },
  },
};
