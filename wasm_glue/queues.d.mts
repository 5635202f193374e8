import type { Binding } from "./escapement.mjs";

// Producers of queues, for modules that use HostQueue.
export const queues: Binding;
