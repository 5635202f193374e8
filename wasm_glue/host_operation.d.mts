// Types of host_operation.mjs, for authors of bindings.

/** The context of a call, which is `this` in a binding's imports. */
export interface BindingContext {
  env: any;
  ctx: any;
  options: any;
  /** Text in the module's memory. */
  text(at: number, length: number): string;
  /** Bytes there, valid until the import returns. */
  bytes(at: number, length: number): Uint8Array;
  /** Functions to call at its end, however it comes; none: undefined. */
  ends?: (() => void)[];
}

/** What an operation yields: its bytes, or a number that the binding's C++ half knows, with bytes. */
export type Outcome = string | ArrayBuffer | ArrayBufferView | null | undefined | void
  | { status: number; data?: string | ArrayBuffer | ArrayBufferView | null; body?: any; length?: number; of?: any };

/** Carries out operation `id`: see host_operation.mjs. */
export function operate(context: BindingContext, id: number, begin: () => Outcome | Promise<Outcome>, dropped?: () => void): void;
