import type { Binding } from "./escapement.mjs";

// R2 buckets, for modules that use HostObjectStore.
export const r2: Binding;
