// The part of runtime.mjs that fetches, and where bodies come from.

export const encoder = new TextEncoder();
export const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
export const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

export const textOf = (error) => String(error?.message || error);

const { Cloudflare } = globalThis;
export const flags = Cloudflare?.compatibilityFlags;

// The differences between hosts, as they are in a Worker; hosts.mjs has those of the others.
export const host = {
  // Special about this host (abi.h).
  traits: Cloudflare ? 3 : 1,
  // Heads are bytes. workerd takes a field's value for UTF-8, and else each code unit for a byte.
  headOf(bytes) {
    try {
      return strict.decode(bytes);
    } catch {
      return unitsOf(bytes);
    }
  },
  bytesOfHead: (head) => encoder.encode(head),
  // The content codings that fetch() undoes without a word in the fields.
  undone: flags?.brotli_content_encoding === false ? /^gzip$/i : /^(gzip|br)$/i,
  // Why a fetch failed: its number in abi.h (FetchFailure), and the text.
  whyOf: (error) => [error?.why ?? (/\bconnect\b/i.test(textOf(error)) ? 4 : 0), textOf(error)],
};
export const unitsOf = (bytes) => String.fromCharCode(...bytes);

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

// Bytes as any host may hand them out: of a string, a view, or a buffer, also a shared one.
export const bytesOf = (data) => {
  if (typeof data === "string") return encoder.encode(data);
  if (data?.byteLength >= 0) return new Uint8Array(data.buffer ?? data, data.byteOffset, data.byteLength);
  throw new TypeError("neither bytes nor a string: " + String(data));
};

// For what may throw, and is over already.
export const quietly = (call) => {
  try {
    call()?.catch?.(() => {});
  } catch {}
};

// Brings bytes, under a number: a fetch, a request, an operation of a binding (host_operation.mjs). It may have:
//
//   response, headers, body   as they came; without a `body` of its own, a stream, it is that of `response`, which is
//                             not looked at before it is needed: that costs
//   length                    stated; -1 or NaN: not known
//   abort                     an AbortController; none: the body is the caller's, and is left as it is
//   reader, room              of the body; the place for its next bytes, a view of a buffer that goes to and fro
//   done                      nothing is to be aborted any more
//   controller, left          of what streams to the host; null: its reader has left, and has called `left`
export class Source {
  // Gives the body away.
  take() {
    this.done = true;
    return this.stream;
  }
  get stream() {
    return (this.body ??= this.response?.body);
  }

  // Its next bytes, at most 64 KiB where the host can do that. It is done with the last ones.
  async next() {
    if (!this.reader) {
      const { stream, response, length } = this;
      if (!stream || (length >= 0 && length <= 65536 && response.body)) {
        this.reader = true;
        const bytes = stream ? await response.arrayBuffer() : "";
        this.done = true;
        return bytes;
      }
      try {
        this.reader = stream.getReader({ mode: "byob" });
        this.room = new Uint8Array(65536);
      } catch {
        this.reader = stream.getReader();
      }
    }
    for (;;) {
      const { done, value = "" } = await this.reader.read(this.room);
      const bytes = bytesOf(value);
      if (this.room) this.room = new Uint8Array(bytes.buffer);
      this.done = done;
      if (done || bytes.length) return bytes;
    }
  }

  drop() {
    if (this.done) return;
    quietly(() => this.abort?.abort());
    quietly(() => (this.abort ? (this.reader ?? this.stream)?.cancel?.() : this.reader?.releaseLock()));
  }
}

// Begins fetch number `id` of `context`, and reports its head.
export async function send(context, id, source, url, init, fetch) {
  const isGone = () => context.sources.get(id) !== source && (quietly(() => source.stream?.cancel()), true);
  try {
    if (!fetch) return context.fail(id, source, 1, "");
    const response = await fetch(url, init);
    const { headers, status } = response;
    Object.assign(source, { response, headers });
    if (isGone()) return;
    const coding = headers.get("content-encoding");
    let coded = coding && init.method !== "HEAD" && source.stream && host.undone.test(coding);
    const odd = host.odd?.({ source, response, coding, url, init, fetch });
    if (odd) {
      coded = await odd;
      if (isGone()) return;
    }
    if (coded) {
      source.headers = new Headers(headers);
      for (const name of ["content-encoding", "content-length"]) source.headers.delete(name);
    }
    source.length = Number(source.headers.get("content-length") ?? -1);
    context.reply(id, source, odd ? source.response.status : status, source.length);
  } catch (error) {
    const why = host.whyOf(error);
    if (!why[0] && error instanceof TypeError) {
      try {
        new Request(url, { ...init, body: init.body && "" });
      } catch {
        why[0] = 2; // no request can be made of that
      }
    }
    context.fail(id, source, ...why);
  }
}
