import type { Binding, Module, Options } from "./escapement.mjs";

// WebSockets, for modules that use connect_web_socket or ESC_WEB_SOCKET.
export const webSockets: Binding;

// A fetch handler: requests for a WebSocket go to the module's ESC_WEB_SOCKET, all others to `otherwise`.
export function upgrades(
  module: Module,
  otherwise: (request: any, env: any, ctx: any) => Promise<any>,
  options?: Options,
): (request: any, env: any, ctx: any) => Promise<any>;
