// The JavaScript half of host_json.h.

import { textOf, unpack } from "./packed.mjs";

const isPlain = (value) => {
  if (value === null || typeof value !== "object") return /^(string|number|boolean)$/.test(typeof value) || value === null;
  const prototype = Object.getPrototypeOf(value);
  return Array.isArray(value) || prototype === Object.prototype || prototype === null;
};

// Returns the value at a JSON Pointer; undefined: nothing.
function find(value, place) {
  if (place === "") return value;
  if (place[0] !== "/") return undefined;
  for (const part of place.slice(1).split("/")) {
    const name = part.replace(/~1/g, "/").replace(/~0/g, "~");
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, name)) return undefined;
    if (Array.isArray(value) && !/^(0|[1-9]\d*)$/.test(name)) return undefined;
    value = value[name];
  }
  return value;
}

export const json = {
  module: "escapement_json",
  imports: {
    at(at, length, to, room) {
      const [variable, place] = unpack(this.bytes(at, length)).map(textOf);
      const own = variable !== null && Object.hasOwn(this.env ?? {}, variable) ? this.env[variable] : undefined;
      const root = variable === null ? this.request?.cf : own;
      const value = root === undefined || (variable !== null && !isPlain(root)) ? undefined : find(root, place);
      const text = typeof value === "string" ? value : JSON.stringify(value);
      return text === undefined ? -1 : this.put((typeof value === "string" ? "t" : "j") + text, to, room);
    },
  },
};
