// The JavaScript half of host_network.h. Only workerd has "cloudflare:sockets".

import { connect } from "cloudflare:sockets";
import { quietly } from "./host_fetch.mjs";
import { operate } from "./host_operation.mjs";
import { textOf, unpack } from "./packed.mjs";

// number -> {socket, writer}. A module that has trapped closes none: its context does.
const socketsOf = (context) => {
  if (!context.sockets) {
    const sockets = (context.sockets = new Map());
    (context.ends ??= []).push(() => sockets.forEach(({ socket }) => quietly(() => socket.close())));
  }
  return context.sockets;
};
const failed = (code) => (error) => {
  throw Object.assign(new Error(error?.message ?? String(error)), { code });
};

// Reports when it is open, with what it receives as the body of the operation.
function open(context, id, make, code) {
  let dropped = false;
  const begin = async () => {
    let socket;
    if (dropped) return;
    try {
      socket = make();
    } catch (error) {
      failed(code)(error);
    }
    socketsOf(context).set(id, { socket, writer: socket.writable.getWriter() });
    socket.closed.catch(() => {}); // its reader and writer are told
    await socket.opened.catch(failed(code));
    return { status: 0, body: socket.readable };
  };
  operate(context, id, begin, () => {
    dropped = true;
    close(context, id);
  });
}

function close(context, id) {
  const { socket } = socketsOf(context).get(id) ?? {};
  socketsOf(context).delete(id);
  quietly(() => socket?.close());
}

export const sockets = {
  module: "escapement_sockets",
  imports: {
    connect(id, at, length) {
      const [hostname, port] = unpack(this.bytes(at, length)).map(textOf);
      const target = { hostname: hostname.includes(":") ? `[${hostname}]` : hostname, port: Number(port) };
      open(this, id, () => connect(target, { secureTransport: "starttls", allowHalfOpen: true }), "unavailable");
    },
    start_tls(id, number, at, length) {
      const expectedServerHostname = this.text(at, length);
      const { socket, writer } = socketsOf(this).get(number);
      socketsOf(this).delete(number);
      const source = this.source(number);
      source.done = true;
      open(this, id, () => {
        writer.releaseLock();
        source.reader?.releaseLock();
        return socket.startTls({ expectedServerHostname });
      }, "untrusted");
    },
    write(id, number, at, length) {
      const bytes = this.bytes(at, length).slice();
      const { writer } = socketsOf(this).get(number);
      operate(this, id, async () => void (await writer.write(bytes)));
    },
    shutdown(id, number) {
      const { writer } = socketsOf(this).get(number);
      operate(this, id, async () => void (await writer.close()));
    },
    close(id) {
      close(this, id);
    },
  },
};
