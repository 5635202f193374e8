// The JavaScript half of host_sql_database.h.

import { operate } from "./host_operation.mjs";
import { bindingOf, pack, textOf, unpack } from "./packed.mjs";

const encoder = new TextEncoder();

const valueOf = (bytes) => {
  const rest = bytes.slice(1);
  switch (String.fromCharCode(bytes[0])) {
    case "i": return Number(textOf(rest));
    case "r": return new DataView(rest.buffer).getFloat64(0, true);
    case "t": return textOf(rest);
    case "b": return rest.buffer;
  }
  return null;
};

const tagged = (kind, bytes) => {
  const all = new Uint8Array(1 + bytes.length);
  all[0] = kind.charCodeAt(0);
  all.set(bytes, 1);
  return all;
};

// D1 gives blobs as arrays of numbers.
const bytesOf = (value) => {
  if (value == null) return "n";
  if (typeof value === "string") return tagged("t", encoder.encode(value));
  if (typeof value === "number") {
    return Number.isSafeInteger(value) ? "i" + value : tagged("r", new Uint8Array(new Float64Array([value]).buffer));
  }
  return tagged("b", new Uint8Array(value));
};

const resultOf = ({ results, meta }) => {
  const rows = results ?? [];
  const columns = rows.length ? Object.keys(rows[0]) : [];
  const values = rows.flatMap((row) => columns.map((name) => bytesOf(row[name])));
  const counts = [meta?.changes, meta?.last_row_id, meta?.rows_read, meta?.rows_written].map((count) => count ?? 0);
  return [...counts, columns.length, rows.length, ...columns, ...values];
};

// The host's errors are sentences that begin with "D1_".
const codes = [
  ["invalid_argument", /: SQLITE_(ERROR|CONSTRAINT|MISMATCH|RANGE|AUTH|READONLY)\b/], // the others may quote SQL
  ["unavailable", /overloaded|queued for too long|too many requests/i],
  ["reset", /connection lost|\breset\b|timeout|internal error|memory limit/i],
  ["limit_exceeded", /too (big|large|long)|exceed|SQLITE_(FULL|TOOBIG)/i],
  ["invalid_argument", /^D1_|SQLITE_/],
];
const explained = async (call) => {
  try {
    return await call();
  } catch (error) {
    const code = codes.find(([, words]) => words.test(error?.message))?.[0];
    throw code && !error.code ? Object.assign(new Error(error.message), { code }) : error;
  }
};

export const d1 = {
  module: "escapement_d1",
  imports: {
    execute(id, at, length) {
      const [name, ...fields] = unpack(this.bytes(at, length));
      operate(this, id, () => explained(async () => {
        const database = bindingOf(this, textOf(name), "prepare", "D1 database");
        const statements = [];
        while (fields.length) {
          const statement = database.prepare(textOf(fields.shift()));
          const values = fields.splice(0, 1 + Number(textOf(fields[0]))).slice(1).map(valueOf);
          statements.push(values.length ? statement.bind(...values) : statement);
        }
        const results = statements.length > 1 ? await database.batch(statements) : [await statements[0].all()];
        return pack(results.flatMap(resultOf));
      }));
    },
  },
};
