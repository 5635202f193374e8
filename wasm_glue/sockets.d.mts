import type { Binding } from "./escapement.mjs";

// TCP sockets, for modules that use HostNetwork. Imports "cloudflare:sockets", which only Workers have.
export const sockets: Binding;
