import type { Options } from "./escapement.mjs";

export interface TestQueueOptions {
  name?: string;
  batchMax?: number;
  batchWait?: number;
  retriesMax?: number;
  retryDelay?: number;
}

// The clock of a Worker under test, and bindings that follow it.
export class TestWorld {
  constructor(start?: number);
  readonly start: number;
  readonly time: number;
  readonly options: Pick<Options, "now" | "setTimeout" | "clearTimeout"> & { caches: any };
  // What a Worker has as `caches`; bindings take it from the options.
  readonly caches: { default: any; open(name: string): Promise<any> };
  readonly ctx: { waitUntil(promise: Promise<unknown>): void };
  readonly failures: unknown[];
  at(time: number, call: () => void): number;
  cancel(number: number): void;
  advance(milliseconds: number): Promise<void>;
  end(): void;
  kv(): any;
  queue(handler: (batch: any) => unknown, options?: TestQueueOptions): any;
  cron(cron: string, handler: (controller: { cron: string; scheduledTime: number }) => unknown): void;
  durableNamespace(Class: new (state: any, env: any) => any, env: any): any;
  durableObject(Class: new (state: any, env: any) => any, env: any): {
    fetch(request: Request | string, init?: RequestInit): Promise<Response>;
    evict(): void;
    entries: Map<string, Uint8Array>;
  };
}
