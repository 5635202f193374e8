import type { Binding, Module, Options } from "./escapement.mjs";

// The class for the ESC_DURABLE_OBJECT(name) of a module.
export function durableObject(module: Module, name: string, options?: Options): {
  new (state: any, env: any): {
    fetch(request: Request): Promise<Response>;
    alarm(): Promise<void>;
  };
};

// The bindings that `worker` and `run` need for such a module.
export const bindings: Binding[];
