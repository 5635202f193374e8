import type { Binding } from "./escapement.mjs";

// The storage of a Durable Object, for modules that use HostStorage. `durableObject` brings it along.
export const storage: Binding;
