// The JavaScript half of hibernating_object.h: a class that a Worker exports as a Durable Object with WebSockets that
// the host keeps while the object sleeps.

import { bindings as objects, classFor, instanceOf } from "./durable_object.mjs";
import { quietly } from "./host_fetch.mjs";
import { pack, textOf, unpack } from "./packed.mjs";

const upgrade = 3;
const message = 4;
const closed = 5;
const broken = 6;

// The numbers of an instance's sockets.
class Sockets {
  numbers = new Map(); // socket -> number
  sockets = new Map(); // number -> socket
  last = 0;

  numberOf(socket) {
    let number = this.numbers.get(socket);
    if (!number) {
      number = ++this.last;
      this.numbers.set(socket, number);
      this.sockets.set(number, socket);
    }
    return number;
  }
  forget(socket) {
    this.sockets.delete(this.numbers.get(socket));
    this.numbers.delete(socket);
  }
}
const socketsOf = (instance) => (instance.sockets ??= new Sockets());

// Writes a list to the module's `room` bytes, if they are enough. Returns its length.
function put(context, fields, to, room) {
  const bytes = pack(fields);
  if (bytes.length <= room) context.bytes(to, bytes.length).set(bytes);
  return bytes.length;
}

// Returns 1, or 0 if the host refuses what `call` asks for: an import that threw would end the whole object.
function taken(call) {
  try {
    call();
    return 1;
  } catch {
    return 0;
  }
}

const hibernation = {
  module: "escapement_hibernation",
  imports: {
    accept(number, at, length) {
      const { instance } = this.options;
      const [attachment, protocol, ...tags] = unpack(this.bytes(at, length)).map(textOf);
      const { 0: client, 1: server } = new WebSocketPair();
      try {
        instance.state.acceptWebSocket(server, tags);
        if (attachment) server.serializeAttachment(attachment);
      } catch (error) {
        quietly(() => server.close(1011, "")); // if it was accepted
        return instance.settle(number, null, error);
      }
      socketsOf(instance).numberOf(server);
      const fields = protocol ? ["Sec-WebSocket-Protocol", protocol] : [];
      instance.settle(number, { status: 101, fields, body: null, webSocket: client });
    },
    all(at, length, to, room) {
      const { instance } = this.options;
      const sockets = instance.state.getWebSockets(length ? this.text(at, length) : undefined);
      return put(this, sockets.filter(({ readyState }) => readyState === 1).map((socket) => socketsOf(instance).numberOf(socket)), to, room);
    },
    send(number, isText, at, length) {
      const socket = socketsOf(this.options.instance).sockets.get(number);
      return taken(() => socket.send(isText ? this.text(at, length) : this.bytes(at, length).slice()));
    },
    close(number, code, at, length) {
      const reason = length ? this.text(at, length) : "";
      quietly(() => socketsOf(this.options.instance).sockets.get(number)?.close(code, reason));
    },
    state(number, to, room) {
      const { instance } = this.options;
      const socket = socketsOf(instance).sockets.get(number);
      if (!socket) return put(this, [""], to, room);
      let tags = [];
      quietly(() => void (tags = instance.state.getTags(socket)));
      return put(this, [socket.deserializeAttachment() ?? "", ...tags], to, room);
    },
    attach(number, at, length) {
      return taken(() => socketsOf(this.options.instance).sockets.get(number)?.serializeAttachment(this.text(at, length)));
    },
    auto_response(at, length) {
      const both = unpack(this.bytes(at, length)).map(textOf);
      return taken(() => this.options.instance.state.setWebSocketAutoResponse(both[0] ? new WebSocketRequestResponsePair(...both) : undefined));
    },
  },
};

// The bindings of a module that has an ESC_HIBERNATING_OBJECT, for `worker` too.
export const bindings = [...objects, hibernation];

// Returns the class for the ESC_HIBERNATING_OBJECT(name) of the module.
export function hibernatingObject(module, name, options) {
  const all = { ...options, bindings: [...(options?.bindings ?? []), hibernation] };
  return class extends classFor("hibernating_object_" + name, module, all) {
    fetch(incoming) {
      if (incoming.headers.get("upgrade")?.toLowerCase() !== "websocket") return super.fetch(incoming);
      return this[instanceOf].request(upgrade, incoming);
    }
    async webSocketMessage(socket, data) {
      const instance = this[instanceOf];
      const text = typeof data === "string" ? "1" : "";
      // One after the other for each connection.
      const before = (instance.handling ??= new Map()).get(socket);
      const own = (async () => {
        await before?.catch(() => {});
        await instance.deliver(message, [socketsOf(instance).numberOf(socket), text, data]);
      })();
      instance.handling.set(socket, own);
      try {
        await own;
      } finally {
        if (instance.handling.get(socket) === own) instance.handling.delete(socket);
      }
    }
    async webSocketClose(socket, code, reason) {
      const instance = this[instanceOf];
      await instance.handling?.get(socket)?.catch(() => {});
      try {
        await instance.deliver(code === 1006 ? broken : closed, [socketsOf(instance).numberOf(socket), code, reason]);
      } finally {
        quietly(() => socket.close(code === 1005 || code === 1006 ? 1000 : code, ""));
        socketsOf(instance).forget(socket);
      }
    }
    async webSocketError(socket) {
      const instance = this[instanceOf];
      await instance.handling?.get(socket)?.catch(() => {});
      try {
        await instance.deliver(broken, [socketsOf(instance).numberOf(socket)]);
      } finally {
        socketsOf(instance).forget(socket);
      }
    }
  };
}
