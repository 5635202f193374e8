// The part of runtime.mjs that fetches, and where bodies come from.

export const encoder = new TextEncoder();
export const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
export const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

export const textOf = (error) => String(error?.message || error);

const { Cloudflare } = globalThis;
const ascii = /^[\0-\x7f]*$/;
export const isAscii = (text) => ascii.test(text);

// The differences between hosts, as they are in a Worker; hosts.mjs has those of the others.
export const host = {
  // Special about this host (abi.h).
  traits: 1 + (Cloudflare ? 2 : 0),
  // Heads are bytes. workerd takes a field's value for UTF-8, and else each code unit for a byte.
  headOf(bytes) {
    const text = decoder.decode(bytes);
    if (ascii.test(text)) return text;
    try {
      return strict.decode(bytes);
    } catch {}
    return unitsOf(bytes);
  },
  bytesOfHead: (head) => encoder.encode(head),
  // The content codings that fetch() undoes without a word in the fields.
  undone: Cloudflare?.compatibilityFlags?.brotli_content_encoding === false ? /^gzip$/i : /^(gzip|br)$/i,
  // Why a fetch failed: its number in abi.h (FetchFailure), and the text.
  whyOf: (error) => [error?.why ?? (/\bconnect\b/i.test(textOf(error)) ? 4 : 0), textOf(error)],
};
export const unitsOf = (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");

// Field lines as what fetch() and Response take. The last ones are kept: most messages have the same ones.
let lastLines, lastFields;
export const fieldsOf = (lines) => {
  if (lines === lastLines) return lastFields;
  const fields = new Headers();
  for (const line of lines.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) fields.append(line.slice(0, colon), line.slice(colon + 2));
  }
  lastLines = lines;
  return (lastFields = fields);
};

// Bytes as any host may hand them out.
export const bytesOf = (data) => {
  if (typeof data === "string") return encoder.encode(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (/^\[object (Shared)?ArrayBuffer]$/.test({}.toString.call(data))) return new Uint8Array(data);
  throw new TypeError("neither bytes nor a string: " + String(data));
};

// For what may throw, and is over already.
export const quietly = (call) => {
  try {
    call()?.catch?.(() => {});
  } catch {}
};

// Brings bytes, under a number: a fetch, a request, an operation of a binding (host_operation.mjs).
export class Source {
  headers;
  body; // a stream
  response; // whose body that is, as it came
  abort; // an AbortController; none: the body is the caller's, and is left as it is
  reader;
  length; // stated; NaN: not known
  room; // for the next bytes: a view of a buffer that goes to and fro
  done; // nothing is to be aborted any more
  coded; // the host has undone a coding
  controller; // of what streams to the host; null: its reader has left
  left; // called when the reader of that leaves

  // Gives the body away.
  take() {
    this.done = true;
    return this.body;
  }

  // Its next bytes, at most 64 KiB where the host can do that. No bytes at all mean the end.
  async next() {
    if (!this.body) return [new Uint8Array(), true];
    if (!this.reader && this.length <= 65536 && this.response.body) {
      this.reader = true;
      return [new Uint8Array(await this.response.arrayBuffer()), true];
    }
    if (!this.reader) {
      try {
        this.reader = this.body.getReader({ mode: "byob" });
        this.room = new Uint8Array(65536);
      } catch {
        this.reader = this.body.getReader();
      }
    }
    for (;;) {
      const { done, value } = await (this.room ? this.reader.read(this.room) : this.reader.read());
      if (done) return [new Uint8Array(), true];
      const bytes = bytesOf(value);
      if (this.room) this.room = new Uint8Array(bytes.buffer);
      if (bytes.length) return [bytes, false];
    }
  }

  drop() {
    if (this.done) return;
    quietly(() => this.abort?.abort());
    quietly(() => (this.abort ? (this.reader ?? this.body)?.cancel?.() : this.reader?.releaseLock()));
  }
}

// Begins fetch number `id` of `context`, by `by` if that is given, and reports its head.
export function send(context, id, source, url, init, by) {
  const { fetch = globalThis.fetch } = by ? { fetch: by } : context.options;
  const here = (response) => context.sources?.get(id) === source || quietly(() => response.body?.cancel());
  const take = (response) => {
    source.response = response;
    source.headers = response.headers;
    source.body = response.body;
  };
  const came = (response) => {
    if (here(response) !== true) return;
    take(response);
    const coding = source.headers.get("content-encoding");
    if (coding && init.method !== "HEAD" && source.body) source.coded = host.undone.test(coding);
    return host.odd?.({ context, id, source, url, init, fetch, here, take, report }, response, coding) ?? report(response.status);
  };
  const report = (status) => {
    const length = source.coded ? null : source.headers.get("content-length");
    source.length = /^\d+$/.test(length) ? Number(length) : NaN;
    context.reply(id, source, status, source.length >= 0 ? source.length : -1);
  };
  const failed = (error) => {
    const why = host.whyOf(error);
    if (!why[0] && error instanceof TypeError) {
      try {
        new Request(url, init.duplex ? { ...init, body: "" } : init);
      } catch {
        why[0] = 2; // no request can be made of that
      }
    }
    context.fail(id, source, ...why);
  };
  if (!fetch) return Promise.resolve().then(() => context.fail(id, source, 1, ""));
  let asked;
  try {
    asked = Promise.resolve(fetch(url, init));
  } catch (error) {
    asked = Promise.reject(error);
  }
  asked.then(came).catch(failed);
}
