import type { Binding } from "./escapement.mjs";

// KV namespaces, for modules that use HostKv.
export const kv: Binding;
