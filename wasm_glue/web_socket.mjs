// The JavaScript half of host_web_socket.h.

import { run } from "./runtime.mjs";
import { operate } from "./host_operation.mjs";
import { pack, textOf, unpack } from "./packed.mjs";

const textKind = 1;
const bytesKind = 2;
const tooMuch = 3;

const failure = (code, text) => Object.assign(new Error(text), { code });
const sizeOf = (data) => data.length ?? data.byteLength;

// A socket, with the messages that nobody has received yet.
class Socket {
  waiting = []; // {status, data}
  bytes = 0;
  closed = false; // by either side: nothing can be sent

  constructor(socket, messagesMax, bytesMax) {
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => {
      this.bytes += sizeOf(data);
      if (this.waiting.length >= messagesMax || this.bytes > bytesMax) {
        this.waiting = [];
        this.give({ status: tooMuch });
        return this.close(1009, "too much to keep");
      }
      this.give({ status: typeof data === "string" ? textKind : bytesKind, data });
    });
    socket.addEventListener("close", ({ code, reason }) => this.end(code || 1005, reason));
    socket.addEventListener("error", () => this.end(1006, ""));
  }

  give(outcome) {
    if (!this.taker || this.ended) return void (this.ended || this.waiting.push(outcome));
    const { taker } = this;
    this.taker = null;
    this.bytes -= outcome.data ? sizeOf(outcome.data) : 0;
    taker(outcome);
  }
  end(code, reason) {
    this.close(code === 1005 || code === 1006 ? 1000 : code, "");
    this.give({ status: code, data: reason });
    this.ended = true;
  }
  receive() {
    const outcome = this.waiting.shift();
    if (!outcome) return new Promise((taker) => (this.taker = taker));
    this.bytes -= outcome.data ? sizeOf(outcome.data) : 0;
    return outcome;
  }
  close(code, reason) {
    if (this.closed) return;
    this.closed = true;
    try {
      this.socket.close(code, reason);
    } catch {
      try {
        this.socket.close(1000);
      } catch {}
    }
  }
}

// Opens a client's socket: by fetch in workerd, which has no events of an opening one at hand otherwise.
async function connect(url, protocols) {
  if (!/^(wss?|https?):/i.test(url)) throw failure("invalid_argument", "not a WebSocket's URL: " + url);
  if (globalThis.WebSocketPair) {
    const headers = { Upgrade: "websocket" };
    if (protocols.length) headers["Sec-WebSocket-Protocol"] = protocols.join(", ");
    const response = await fetch(url.replace(/^ws/i, "http"), { headers }).catch((error) => {
      throw failure("unavailable", error.message);
    });
    const { webSocket } = response;
    if (!webSocket) throw failure("unavailable", "the server answers a WebSocket with " + response.status);
    webSocket.accept();
    return webSocket;
  }
  if (!globalThis.WebSocket) throw failure("unsupported", "this host has no WebSocket");
  const socket = new WebSocket(url.replace(/^http/i, "ws"), protocols);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve, reject) => {
    socket.addEventListener("open", resolve);
    socket.addEventListener("error", () => reject(failure("unavailable", "the WebSocket cannot be opened")));
  });
  return socket;
}

// A module that has trapped closes none: its context does.
const socketsOf = (context) => {
  if (!context.webSockets) {
    const sockets = (context.webSockets = new Map());
    (context.ends ??= []).push(() => sockets.forEach((socket) => socket.close(1011, "")));
  }
  return context.webSockets;
};

export const webSockets = {
  module: "escapement_web_socket",
  imports: {
    open(id, at, length) {
      const [url, messagesMax, bytesMax, ...protocols] = unpack(this.bytes(at, length)).map(textOf);
      const sockets = socketsOf(this);
      let dropped = false;
      const begin = async () => {
        const host = url ? await connect(url, protocols) : this.options.webSocket;
        const socket = new Socket(host, Number(messagesMax), Number(bytesMax));
        if (!url) host.accept();
        if (dropped) return socket.close(1001, "");
        sockets.set(id, socket);
      };
      operate(this, id, begin, () => (dropped = true));
    },
    receive(id) {
      const socket = socketsOf(this).get(id);
      operate(this, id, () => socket.receive());
    },
    send(id, isText, at, length) {
      const socket = socketsOf(this).get(id);
      if (!socket || socket.closed) return 0;
      try {
        socket.socket.send(isText ? this.text(at, length) : this.bytes(at, length).slice());
        return 1;
      } catch {
        return 0;
      }
    },
    close(id, code, at, length) {
      socketsOf(this).get(id)?.close(code, length ? this.text(at, length) : "");
    },
  },
};

// Returns a fetch handler: requests for a WebSocket go to the module's ESC_WEB_SOCKET, all others to `otherwise`.
export const upgrades = (module, otherwise, options) => (request, env, ctx) => {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") return otherwise(request, env, ctx);
  const { 0: client, 1: server } = new WebSocketPair();
  const packed = pack([request.method, request.url, ...[...request.headers].flat()]);
  const failed = (error) => {
    (options?.onError ?? console.error)(error);
    try {
      server.close(1011, "Internal Error");
    } catch {}
  };
  ctx.waitUntil(run(module, "web_socket", packed, { ...options, env, webSocket: server }).catch(failed));
  return new Response(null, { status: 101, webSocket: client });
};
