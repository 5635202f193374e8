import type { Binding, Module, Options } from "./escapement.mjs";

// The class for the ESC_HIBERNATING_OBJECT(name) of a module.
export function hibernatingObject(module: Module, name: string, options?: Options): {
  new (state: any, env: any): {
    fetch(request: Request): Promise<Response>;
    alarm(): Promise<void>;
    webSocketMessage(socket: any, data: string | ArrayBuffer): Promise<void>;
    webSocketClose(socket: any, code: number, reason: string, wasClean: boolean): Promise<void>;
    webSocketError(socket: any, error: unknown): Promise<void>;
  };
};

// The bindings that `worker` and `run` need for such a module.
export const bindings: Binding[];
