export type Field = string | number | Uint8Array | ArrayBuffer | null | undefined;
export function pack(fields: Field[]): Uint8Array;
export function unpack(bytes: Uint8Array): (Uint8Array | null)[];
export function textOf(bytes: Uint8Array): string;
export function textOf(bytes: Uint8Array | null): string | null;
export function bindingOf(context: { env: unknown }, name: string, method: string, kind: string): any;
