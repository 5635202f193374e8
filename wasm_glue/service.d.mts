import type { Binding } from "./escapement.mjs";

// Service bindings, for modules that use HostService.
export const service: Binding;
