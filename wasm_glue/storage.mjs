// The JavaScript half of host_storage.h: the storage of a Durable Object, which is the context's `ctx.storage`.

import { operate } from "./host_operation.mjs";
import { pack, textOf, unpack } from "./packed.mjs";

const most = 128; // keys in one call of the host's

const chunks = (all) => Array.from({ length: Math.ceil(all.length / most) }, (_, i) => all.slice(i * most, (i + 1) * most));

async function get(storage, keys) {
  const found = new Map();
  for (const some of chunks(keys)) for (const [key, value] of await storage.get(some)) found.set(key, value);
  return pack(keys.map((key) => found.get(key)));
}

async function list(storage, [prefix, start, end, limit]) {
  const options = { limit: Number(limit) };
  if (prefix) options.prefix = prefix;
  if (start) options.start = start;
  if (end) options.end = end;
  return pack([...(await storage.list(options))].flat());
}

// The host applies calls without an await in between in one piece.
async function write(storage, alarm, changes) {
  const puts = [];
  const removed = [];
  for (let i = 0; i < changes.length; i += 2) {
    const key = textOf(changes[i]);
    changes[i + 1] ? puts.push([key, changes[i + 1]]) : removed.push(key);
  }
  const calls = chunks(puts).map((some) => storage.put(Object.fromEntries(some)));
  calls.push(...chunks(removed).map((some) => storage.delete(some)));
  if (alarm === "remove") calls.push(storage.deleteAlarm());
  else if (alarm !== "keep") calls.push(storage.setAlarm(Number(alarm)));
  await Promise.all(calls);
  await storage.sync?.();
}

export const storage = {
  module: "escapement_storage",
  imports: {
    get(id, at, length) {
      const keys = unpack(this.bytes(at, length)).map(textOf);
      operate(this, id, () => get(this.ctx.storage, keys));
    },
    list(id, at, length) {
      const range = unpack(this.bytes(at, length)).map(textOf);
      operate(this, id, () => list(this.ctx.storage, range));
    },
    write(id, at, length) {
      const [alarm, ...changes] = unpack(this.bytes(at, length));
      operate(this, id, () => write(this.ctx.storage, textOf(alarm), changes));
    },
    alarm(id) {
      operate(this, id, async () => String((await this.ctx.storage.getAlarm()) ?? ""));
    },
  },
};
