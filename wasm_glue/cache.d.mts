import type { Binding } from "./escapement.mjs";

// The Cache API, for modules that use HostResponseCache.
export const cache: Binding;
