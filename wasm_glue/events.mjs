// The JavaScript half of events.h: `worker(module, { bindings: [events] })` has the handlers of events that the module has.

import { run } from "./runtime.mjs";

// The text that a module's task of an event is given.
const texts = {
  scheduled: ({ scheduledTime, cron }) => Math.trunc(scheduledTime) + " " + (cron ?? ""),
  tail: (traces) => JSON.stringify(traces),
};

export const events = {
  module: "escapement_events",
  imports: {},
  handlers(module, options) {
    const exported = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
    const has = Object.entries(texts).filter(([event]) => exported.has("esc_task_" + event));
    return Object.fromEntries(has.map(([event, textOf]) => [event, async (subject, env, ctx) => {
      await run(module, event, textOf(subject), { ...options, env, ctx });
    }]));
  },
};
