import type { Binding } from "./escapement.mjs";

/** The events of events.h, for `worker(module, { bindings: [events] })`: `scheduled` and `tail`, if the module has them. */
export const events: Binding;
