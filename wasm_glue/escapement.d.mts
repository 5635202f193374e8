// Types of escapement.mjs. They need no library beyond what the host's own types have (DOM, @types/node,
// @cloudflare/workers-types).

/** Compiled from C++ with ESC_TASK and ESC_WORKER: a `WebAssembly.Module`, where the host's types know it. */
export type Module = typeof globalThis extends { WebAssembly: { Module: { prototype: infer M } } } ? M : object;

/** The kind of a failure (core/error.h): what can be done about it. `exception`: the host or its options threw. */
export type ErrorCode =
  | "invalid_argument"
  | "unsupported"
  | "not_found"
  | "unavailable"
  | "address_in_use"
  | "reset"
  | "timed_out"
  | "bad_message"
  | "untrusted"
  | "limit_exceeded"
  | "cancelled"
  | "overloaded"
  | "permission_denied"
  | "exception"
  | "internal";

/** What a failure of the C++ side is. Its message begins with its code: "timed_out: ...". */
export interface Failure extends Error {
  code: ErrorCode;
}

/** What the C++ half of a binding calls: see host_operation.mjs. */
export interface Binding {
  /** The name of its wasm module: "escapement_kv". */
  module: string;
  imports: Record<string, (this: any, ...args: number[]) => number | void>;
  /** More handlers for `worker` to have: those of the events that the binding knows. */
  handlers?(module: Module, options?: Options | null): Record<string, (...args: any[]) => Promise<any>>;
}

/** What a host offers; for tests and unusual hosts. Whatever is left out is the global one. */
export interface Options {
  /** Monotonic milliseconds; may stand still while code runs. */
  now?: () => number;
  setTimeout?: (call: () => void, delay: number) => unknown;
  /** Is given what `setTimeout` returned. */
  clearTimeout?: (timer: any) => void;
  fetch?: (url: string, init: any) => Promise<any>;
  /** The JavaScript of the bindings that the module uses: the same at every call for a module. */
  bindings?: Binding[];
  /**
   * How many milliseconds of work after the response there may be, where the host waits for it (`waitUntil`): then it is
   * cancelled, and reported. Default: 30000, as long as Workers wait.
   */
  waitUntilMax?: number;
  /**
   * Hears of failures that nobody else does: a handler that failed, a trap, a stream that broke off, a task that
   * failed after its response. A `Failure`, or the `WebAssembly.RuntimeError` of a trap. Default: `console.error`.
   */
  onError?: (error: Error) => void;
}

export interface RunOptions extends Options {
  /**
   * Aborting it destroys the task; `run` then rejects with its reason. A task that has taken the signal as a token
   * (abort_signal.h) ends by itself, with a result or a failure of its own.
   */
  signal?: AbortSignal | null;
  /** For bindings: what a handler has been given. */
  env?: any;
  ctx?: any;
}

/** Compiles what a host has got: a module, its bytes, or the response that brings them. */
export function load(
  source: Module | ArrayBuffer | ArrayBufferView | Response | Promise<Response>,
): Promise<Module>;

/**
 * Runs the C++ task exported by `ESC_TASK(name)` to its end, in a reactor of its own, and gives its result: as text,
 * which must be UTF-8, or with `bytes: true` as bytes. Rejects with its `Failure`, with the `RuntimeError` of the
 * trap that ended it, or with the reason of `signal`; a TypeError says that `input` is neither text nor bytes.
 */
export function run(
  module: Module,
  name: string,
  input: string | ArrayBuffer | ArrayBufferView | undefined,
  options: RunOptions & { bytes: true },
): Promise<Uint8Array>;
export function run(
  module: Module,
  name: string,
  input?: string | ArrayBuffer | ArrayBufferView,
  options?: (RunOptions & { bytes?: false }) | null,
): Promise<string>;

/** What a handler may be given to keep the host waiting for it. */
export interface ExecutionContextLike {
  waitUntil?(promise: Promise<any>): void;
}

/**
 * A Worker's handlers, which satisfy `ExportedHandler<Env>` of @cloudflare/workers-types. Those of events are there if a
 * binding has them: `events` (events.mjs), for what a module exports by ESC_SCHEDULED and ESC_TAIL. Each rejects if its C++
 * handler fails.
 */
export interface WorkerHandlers {
  /**
   * A failure is a 500 and is reported (`onError`), a 503 where it ran out of memory or time (`overloaded`, `timed_out`).
   * A trap answers 503 to the requests in flight; the next request gets a new instance. Aborting the request's signal
   * ends its handler; `fetch` then rejects with the signal's reason. A response that needs no waiting is no promise.
   */
  fetch(request: Request, env?: any, ctx?: ExecutionContextLike | null): Response | Promise<Response>;
  /** A cron trigger. */
  scheduled?(controller: { readonly scheduledTime: number; readonly cron: string }, env?: any, ctx?: ExecutionContextLike | null): Promise<void>;
  /** The traces of other Workers. */
  tail?(traces: readonly any[], env?: any, ctx?: ExecutionContextLike | null): Promise<void>;
  /** A batch of messages; a binding's. */
  queue?(batch: any, env?: any, ctx?: ExecutionContextLike | null): Promise<void>;
}

/** The handlers of a module that has an `ESC_WORKER(service)`: `export default worker(module)`. */
export function worker(module: Module, options?: Options | null): WorkerHandlers;
