// Lists of texts as bytes, as wasm_glue/detail/packed.h writes them, for the JavaScript halves of bindings.

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const absent = 0xffffffff;

export const textOf = (bytes) => bytes && decoder.decode(bytes);

const bytesOf = (data) => {
  if (typeof data === "string") return encoder.encode(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
};

// `fields`: strings, bytes, numbers, or null and undefined for what is absent.
export function pack(fields) {
  const parts = fields.map((field) => (field == null ? null : bytesOf(typeof field === "number" ? String(field) : field)));
  const packed = new Uint8Array(parts.reduce((length, part) => length + 4 + (part?.length ?? 0), 0));
  const view = new DataView(packed.buffer);
  let at = 0;
  for (const part of parts) {
    view.setUint32(at, part?.length ?? absent, true);
    at += 4;
    if (part) packed.set(part, at);
    at += part?.length ?? 0;
  }
  return packed;
}

// Returns the fields as bytes of their own, null for those that are absent.
export function unpack(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at, true);
    at += 4;
    fields.push(length === absent ? null : bytes.slice(at, at + length));
    if (length !== absent) at += length;
  }
  return fields;
}

// The binding `name` of the context's env, which has the method `method`. Throws where there is none.
export function bindingOf({ env }, name, method, kind) {
  const binding = Object.hasOwn(env ?? {}, name) ? env[name] : null;
  if (typeof binding?.[method] === "function") return binding;
  throw Object.assign(new Error(`the Worker has no ${kind} ${name}`), { code: "invalid_argument" });
}
