// The JavaScript half of host_durable_namespace.h.

import { bindingOf, textOf, unpack } from "./packed.mjs";

const namespaceOf = (context, name) => bindingOf(context, name, "idFromName", "Durable Object namespace");

// The stub of an object, which `key` names; one for each context keeps its calls in order.
function stubOf(context, key, [name, id, locationHint]) {
  const stubs = (context.stubs ??= new Map());
  if (!stubs.has(key)) {
    const namespace = namespaceOf(context, name);
    stubs.set(key, namespace.get(namespace.idFromString(id), locationHint ? { locationHint } : undefined));
  }
  return stubs.get(key);
}

export const namespaces = {
  module: "escapement_namespaces",
  imports: {
    id(at, length, to, room) {
      const [name, method, argument] = unpack(this.bytes(at, length)).map(textOf);
      let text;
      try {
        const jurisdiction = argument ? { jurisdiction: argument } : undefined;
        text = String(namespaceOf(this, name)[method](method === "newUniqueId" ? jurisdiction : argument));
      } catch (error) {
        text = "!" + String(error?.message ?? error).slice(0, 100);
      }
      return Math.min(this.put(text, to, room), room);
    },
    fetch(at, length, id, ...message) {
      const fields = unpack(this.bytes(at, length)).map(textOf);
      const key = fields.join("\n");
      const failed = (error) => {
        this.stubs?.delete(key);
        throw error?.overloaded ? Object.assign(new Error(error.message), { why: 4 }) : error;
      };
      let by;
      try {
        const stub = stubOf(this, key, fields);
        by = (url, init) => stub.fetch(url, init).catch(failed);
      } catch (error) {
        by = () => Promise.reject(Object.assign(error, { why: 2 }));
      }
      this.fetch(id, ...message, by);
    },
  },
};
