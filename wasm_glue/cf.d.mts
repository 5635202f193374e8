import type { Binding } from "./escapement.mjs";

// The cf properties of fetches, for modules that use HostFetchCf.
export const cf: Binding;
