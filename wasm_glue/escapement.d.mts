// Types of escapement.mjs. The module is WebAssembly built from C++ with ESC_TASK and ESC_WORKER.

/** What a host offers; for tests and unusual hosts. Whatever is left out is the global one. */
export interface Options {
  /** Monotonic milliseconds; may stand still while code runs. */
  now?: () => number;
  setTimeout?: (call: () => void, delay: number) => unknown;
  clearTimeout?: (timer: unknown) => void;
  fetch?: typeof globalThis.fetch;
}

/** Compiles what a host has got: a module, its bytes, or the response that brings them. */
export function load(
  source: WebAssembly.Module | BufferSource | Response | Promise<Response>,
): Promise<WebAssembly.Module>;

/**
 * Runs the C++ task exported by `ESC_TASK(name)` to its end, in a reactor of its own, and gives its result.
 * Rejects with its error, or with the trap that ended it. Aborting `signal` destroys the task.
 */
export function run(
  module: WebAssembly.Module,
  name: string,
  input?: string,
  options?: Options & { signal?: AbortSignal },
): Promise<string>;

/**
 * The handlers of a Worker whose module has an `ESC_WORKER(service)`: `export default worker(module)`.
 * A trap answers 503 to the requests in flight; the next request gets a new instance.
 */
export function worker(
  module: WebAssembly.Module,
  options?: Options,
): {
  fetch(
    request: Request,
    env?: Record<string, unknown>,
    ctx?: { waitUntil?(promise: Promise<unknown>): void },
  ): Promise<Response>;
};
