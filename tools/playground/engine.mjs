// Computes for the page, wherever it runs: in a Worker (engine_worker.mjs), or on the main thread where there is none.

import { load, run } from "./escapement.mjs";

const module = await load(fetch(new URL("./playground.wasm", import.meta.url)));
let measuring = 0; // the number of the measurement that runs, 0: none
let last = 0;

const timeout = (ms) =>
  new Promise((resolve) => {
    const began = performance.now();
    setTimeout(() => resolve(performance.now() - began - ms), ms);
  });

// Sleeps of `ms` by turns, ours and setTimeout's, until `stop`. Reports the lateness of both in milliseconds.
async function measure(ms, report) {
  const own = (measuring = ++last);
  while (measuring === own) {
    const ours = Number(await run(module, "late", String(ms)));
    report({ ours, theirs: await timeout(ms) });
  }
}

// `post` is given what is to be shown; the result is called with what the page asks for.
export function engine(post) {
  return {
    measure: ({ ms }) => void measure(ms, (late) => post({ late })),
    stop: () => void (measuring = 0),
    async simulate({ fields, number }) {
      try {
        const text = await run(module, "simulated", fields);
        const events = text.trim().split("\n").map((line) => /^(\w+) (\d+) (\d+) (.*)$/.exec(line).slice(1));
        post({ number, events: events.map(([kind, from, until, what]) => ({ kind, from: Number(from), until: Number(until), what })) });
      } catch (error) {
        post({ number, failed: error.message });
      }
    },
  };
}
