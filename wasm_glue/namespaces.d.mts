import type { Binding } from "./escapement.mjs";

// Durable Objects that the module calls, for modules that use HostDurableNamespace.
export const namespaces: Binding;
