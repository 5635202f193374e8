// The JavaScript half of host_response_cache.h.

import { fieldsOf, host } from "./host_fetch.mjs";
import { operate } from "./host_operation.mjs";
import { textOf, unpack } from "./packed.mjs";

const nothing = { status: 1 };

// A test gives its own, whose clock it moves (test_kit.mjs).
const cacheOf = ({ options }, name) => {
  const caches = options.caches ?? globalThis.caches;
  if (name ? caches?.open : caches?.default) return name ? caches.open(name) : caches.default;
  throw Object.assign(new Error("this host has no such cache"), { code: "unsupported" });
};

// The host refuses an argument by a TypeError.
const explained = async (call) => {
  try {
    return await call();
  } catch (error) {
    throw error instanceof TypeError && !error.code ? Object.assign(new Error(error.message), { code: "invalid_argument" }) : error;
  }
};

const linesOf = (headers) => {
  let lines = "";
  headers.forEach((value, name) => (lines += name + ": " + value + "\n"));
  return host.bytesOfHead(lines);
};

export const cache = {
  module: "escapement_cache",
  imports: {
    match(id, at, length) {
      const [name, url, fields] = unpack(this.bytes(at, length));
      operate(this, id, () => explained(async () => {
        const headers = fields.length ? fieldsOf(host.headOf(fields)) : undefined;
        const response = await (await cacheOf(this, textOf(name))).match(new Request(textOf(url), { headers }));
        return response ? { status: response.status, data: linesOf(response.headers), body: response.body } : nothing;
      }));
    },
    put(id, at, length, bodyAt, bodyLength) {
      const [name, url, status, fields] = unpack(this.bytes(at, length));
      let body = null;
      operate(this, id, () => explained(async () => {
        const headers = fields.length ? fieldsOf(host.headOf(fields)) : undefined;
        const response = new Response(body, { status: Number(textOf(status)), headers, encodeBody: "manual" });
        await (await cacheOf(this, textOf(name))).put(textOf(url), response);
      }));
      if (bodyLength) body = this.content(id, bodyAt, bodyLength);
    },
    remove(id, at, length) {
      const [name, url] = unpack(this.bytes(at, length)).map(textOf);
      operate(this, id, () => explained(async () => ((await (await cacheOf(this, name)).delete(url)) ? undefined : nothing)));
    },
  },
};
