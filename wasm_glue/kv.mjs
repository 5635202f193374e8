// The JavaScript half of host_kv.h.

import { operate } from "./host_operation.mjs";
import { bindingOf, pack, textOf, unpack } from "./packed.mjs";

const json = (value) => (value == null ? "" : JSON.stringify(value));

// The host's errors say their status in a sentence: "KV PUT failed: 429 Too Many Requests".
const explained = async (call) => {
  try {
    return await call();
  } catch (error) {
    const status = /failed: (\d\d\d)/.exec(error?.message)?.[1];
    const code = { 400: "invalid_argument", 413: "limit_exceeded", 414: "invalid_argument", 429: "unavailable" }[status];
    throw code ? Object.assign(new Error(error.message), { code }) : error;
  }
};

const imported = (call) =>
  function (id, at, length) {
    const [name, ...fields] = unpack(this.bytes(at, length));
    operate(this, id, () => explained(() => call(bindingOf(this, textOf(name), "get", "KV namespace"), fields)));
  };

export const kv = {
  module: "escapement_kv",
  imports: {
    get: imported(async (store, [key]) => {
      const { value, metadata } = await store.getWithMetadata(textOf(key), "arrayBuffer");
      return value == null ? { status: 404 } : pack([value, json(metadata)]);
    }),
    put: imported((store, [key, value, seconds, metadata]) => {
      const options = {};
      if (seconds.length) options.expirationTtl = Number(textOf(seconds));
      if (metadata.length) options.metadata = JSON.parse(textOf(metadata));
      return store.put(textOf(key), value, options);
    }),
    remove: imported((store, [key]) => store.delete(textOf(key))),
    list: imported(async (store, [prefix, limit, cursor]) => {
      const page = await store.list({ prefix: textOf(prefix) || null, limit: Number(textOf(limit)), cursor: textOf(cursor) || null });
      return pack([page.list_complete ? "" : page.cursor, ...page.keys.flatMap(({ name, expiration, metadata }) => [name, expiration ?? "", json(metadata)])]);
    }),
  },
};
