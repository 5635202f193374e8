// The part of escapement.mjs that fetches: what the host says of its responses and failures, and where bodies come from.

export const encoder = new TextEncoder();
export const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
export const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

export const textOf = (error) => String(error?.message || error);

// The content codings that fetch() undoes without a word in the fields. Where zstd is among them that depends on the
// host's version: the body tells, which begins with zstd's or gzip's own bytes as long as nobody has decoded it.
const { Cloudflare } = globalThis;
const flags = Cloudflare?.compatibilityFlags;
const workerds = flags?.brotli_content_encoding === false ? /^gzip$/i : /^(gzip|br)$/i;
const undone = Cloudflare ? workerds : /^((x-)?gzip|deflate|br)( *, *((x-)?gzip|deflate|br))*$/i;
const isCoded = (piece) => piece && /^(40,181,47,253|31,139)\b/.test(bytesOf(piece).subarray(0, 4));

// Heads are bytes. Hosts make each a code unit of its own, but for workerd, which takes a field's value for UTF-8.
const ascii = /^[\0-\x7f]*$/;
export const isAscii = (text) => ascii.test(text);
export const headOf = (bytes) => {
  const text = decoder.decode(bytes);
  if (ascii.test(text)) return text;
  try {
    if (Cloudflare) return strict.decode(bytes);
  } catch {}
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
};
export const bytesOfHead = (head) => (Cloudflare ? encoder.encode(head) : Uint8Array.from(head, (unit) => unit.charCodeAt(0)));

// Field lines as what fetch() and Response take. The last ones are kept: most messages have the same ones.
let lastLines, lastFields;
export const fieldsOf = (lines) => {
  if (lines === lastLines) return lastFields;
  lastFields = new Headers();
  for (const line of lines.split("\n")) {
    const colon = line.indexOf(": ");
    if (colon > 0) lastFields.append(line.slice(0, colon), line.slice(colon + 2));
  }
  lastLines = lines;
  return lastFields;
};

// Why a fetch failed, as far as the host says: its number in abi.h (FetchFailure), and the text. Node has codes, of
// the cause, and sometimes one for each address; others have sentences.
const reasons = [
  [2, /bad port|port \d+ are blocked|UND_ERR_INVALID|UND_ERR_REQ_|ERR_INVALID_/],
  [3, /ENOTFOUND|ENODATA|dns error/],
  [5, /CERT|SELF_SIGNED|UNABLE_TO_|certificate/],
  [4, /ECONNREFUSED|EAI_AGAIN|E(HOST|NET)UNREACH|UND_ERR_CONNECT|ConnectionRefused|FailedToOpenSocket|\bconnect\b/i],
  [6, /TIMEOUT|TimeoutError/],
  [7, /^(HPE_|Z_DATA|UND_ERR_RES|UND_ERR_HEADERS_OVERFLOW)|invalid HTTP/],
];
export function whyOf(error) {
  const cause = error?.cause ?? error;
  const first = cause?.errors?.[0] ?? cause;
  const code = [cause?.code, first?.code].find((each) => typeof each === "string");
  const said = code ? `${code} ${first.syscall ?? ""}` : `${first?.name} ${textOf(first)}`.replace(/https?:\/\/[^\s)]*/g, "");
  const texts = [textOf(error), textOf(first)].filter((text, i, all) => text !== all[i - 1] && text !== "fetch failed");
  return [reasons.find(([, words]) => words.test(said))?.[0] ?? 0, texts.join(": ") || textOf(error)];
}

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
  controller; // of what streams to the host

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
    if (coding && init.method !== "HEAD" && source.body) {
      source.coded = undone.test(coding);
      if (/\bzstd\b/i.test(coding)) return peek();
    }
    if (response.type !== "opaqueredirect") return report(response.status);
    if (!/^(GET|HEAD)$/.test(init.method)) return context.fail(id, source, 8, "this browser hides redirects");
    return fetch(url, { ...init, redirect: "follow" }).then((response) => {
      if (here(response) !== true) return;
      take(response);
      source.headers = new Headers({ location: response.url });
      report(307);
    });
  };
  // Finds out by the first bytes whether the host has undone zstd.
  const peek = async () => {
    const reader = source.body.getReader();
    let piece = await reader.read();
    source.coded = !isCoded(piece.value);
    source.response = { status: source.response.status };
    source.body = new ReadableStream({
      async pull(to) {
        const { done, value } = piece ?? (await reader.read());
        piece = null;
        if (done) to.close();
        else to.enqueue(value);
      },
      cancel: (reason) => reader.cancel(reason),
    });
    report(source.response.status);
  };
  const report = (status) => {
    const length = source.coded ? null : source.headers.get("content-length");
    source.length = /^\d+$/.test(length) ? Number(length) : NaN;
    context.reply(id, source, status, source.length >= 0 ? source.length : -1);
  };
  const failed = (error) => {
    const why = whyOf(error);
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
