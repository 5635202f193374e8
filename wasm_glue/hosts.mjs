// For browsers, Node, Deno and Bun, which need more than a Worker does: hooks of `host` (host_fetch.mjs), which escapement.mjs
// puts there.

import { bytesOf, decoder, encoder, textOf, unitsOf } from "./host_fetch.mjs";

// Timers under 4 ms are stretched to 4 by browsers once they nest; a message first makes the next one not
// nested. Elsewhere there is no such clamp, and a message costs more than it saves. (A port that has `unref`
// is no browser's, whatever globals there are, and would keep its process alive.)
let channel = globalThis.importScripts || globalThis.document ? new MessageChannel() : null;
if (channel?.port1.unref) channel = channel.port1.close();
const hops = [];
if (channel) channel.port1.onmessage = () => hops.shift()();
// Node's timers of less than a millisecond take one, and longer ones may fire up to one early: the rest is spent in
// turns of the loop.
const immediate = !channel && globalThis.setImmediate;

const isAscii = (text) => /^[\0-\x7f]*$/.test(text);

// Where zstd is among the codings that fetch() undoes depends on the host's version: the body tells, which begins with
// zstd's or gzip's own bytes as long as nobody has decoded it.
const isCoded = (piece) => piece && /^(40,181,47,253|31,139)\b/.test(bytesOf(piece).subarray(0, 4));
async function peek(source) {
  const reader = source.body.getReader();
  let piece = await reader.read();
  const coded = !isCoded(piece.value);
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
  return coded;
}

// A browser hides where a redirect goes: it is followed, to learn where it ends.
async function follow({ source, url, init, fetch }) {
  if (!/^(GET|HEAD)$/.test(init.method)) throw Object.assign(new Error("this browser hides redirects"), { why: 8 });
  const { url: location, body } = await fetch(url, { ...init, redirect: "follow" });
  Object.assign(source, { response: { status: 307 }, headers: new Headers({ location }), body });
}

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
function whyOf(error) {
  if (error?.why) return [error.why, textOf(error)];
  const cause = error?.cause ?? error;
  const first = cause?.errors?.[0] ?? cause;
  const code = [cause?.code, first?.code].find((each) => typeof each === "string");
  const said = code ? `${code} ${first.syscall ?? ""}` : `${first?.name} ${textOf(first)}`.replace(/https?:\/\/[^\s)]*/g, "");
  const texts = [textOf(error), textOf(first)].filter((text, i, all) => text !== all[i - 1] && text !== "fetch failed");
  return [reasons.find(([, words]) => words.test(said))?.[0] ?? 0, texts.join(": ") || textOf(error)];
}

export const others = {
  traits: channel ? 0 : 1,
  keeps: Boolean(channel), // contexts are never dropped
  // Heads are bytes: each is a code unit of its own.
  headOf(bytes) {
    const text = decoder.decode(bytes);
    return isAscii(text) ? text : unitsOf(bytes);
  },
  bytesOfHead: (head) => (isAscii(head) ? encoder.encode(head) : Uint8Array.from(head, (unit) => unit.charCodeAt(0))),
  undone: /^((x-)?gzip|deflate|br)( *, *((x-)?gzip|deflate|br))*$/i,
  whyOf,
  // Takes responses over that need more than their head. Resolves to whether a coding was undone. Undefined: this is none.
  odd(fetched) {
    const { source, response, coding, init } = fetched;
    if (/\bzstd\b/i.test(coding) && init.method !== "HEAD" && source.stream) return peek(source);
    if (response.type === "opaqueredirect") return follow(fetched);
  },
  // Lets a timer hold the process, unless it is idle: Node and its like have `ref` and `unref` for that.
  hold(timer, idle) {
    idle ? timer?.unref?.() : timer?.ref?.();
  },
  // Arranges a call that is nearer than the host's timers are exact; false: a timer does. Delay -1: of an idle timer.
  soon(context, delay, fire, wait) {
    if (delay < 0) return others.hold(wait(), true), true;
    const { setTimeout = globalThis.setTimeout } = context.options;
    if (!channel && (!immediate || setTimeout !== globalThis.setTimeout)) return false;
    if (channel ? delay >= 4 : delay >= 1) return !channel && precisely(delay, wait);
    const hop = (context.timer = { hop: true });
    const land = () => {
      if (context.timer !== hop) return;
      if (!delay || !channel) return fire();
      try {
        wait();
      } catch (error) {
        context.end({ error });
      }
    };
    if (!channel) immediate(land);
    else {
      hops.push(land);
      channel.port2.postMessage(0);
    }
    return true;
  },
};

// A system's timers may be a thousandth late, and Node's half a millisecond more: long ones are set that much nearer, and
// the step that then comes early asks for the rest, which is rounded down and ends in turns of the loop.
function precisely(delay, wait) {
  if (delay >= 100) wait(Math.floor(delay * 0.999 - 1));
  else if (delay < 3) wait(Math.floor(delay));
  else return false;
  return true;
}
