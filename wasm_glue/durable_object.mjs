// The JavaScript half of durable_object.h: a class that a Worker exports as a Durable Object.
//
// Events wait in a queue until the instance's context asks for them. A context that closes, because it was idle or has
// trapped, leaves those that it has not taken to the next one.

import { run } from "./runtime.mjs";
import { quietly } from "./host_fetch.mjs";
import { operate } from "./host_operation.mjs";
import { pack, textOf, unpack } from "./packed.mjs";
import { storage } from "./storage.mjs";

const request = 1;
const alarm = 2;

const object = {
  module: "escapement_object",
  imports: {
    next(id) {
      const { instance } = this.options;
      operate(this, id, () => new Promise((give) => instance.ask(give)), () => instance.ask(null));
    },
    take(number) {
      const { instance } = this.options;
      instance.waiting = instance.waiting.filter((event) => event.number !== number);
    },
    body(number, id) {
      const source = this.hold(id);
      source.body = this.options.instance.events.get(number)?.body;
      source.abort = { abort() {} };
    },
    respond(number, id, at, length, bodyAt, bodyLength) {
      const [status, ...fields] = unpack(this.bytes(at, length)).map(textOf);
      const source = this.hold(id);
      source.left = () => this.reply(id, source, 0, 0);
      const body = bodyLength ? this.content(id, bodyAt, bodyLength) : null;
      // It breaks off if the handler ends before its body does.
      source.abort = { abort: () => source.controller?.error(new Error("reset: the object has ended")) };
      this.options.instance.settle(number, { status: Number(status), fields, body });
    },
    done(number) {
      this.options.instance.settle(number);
    },
    failed(number, at, length) {
      const text = this.text(at, length);
      this.options.instance.settle(number, null, Object.assign(new Error(text), { code: text.split(":", 1)[0] }));
    },
  },
};

// The bindings of a module that has an ESC_DURABLE_OBJECT, for `worker` too: the module's instance is one for both.
export const bindings = [storage, object];

class Instance {
  waiting = []; // events that no context has taken
  events = new Map(); // number -> event, until it was settled
  last = 0;
  give = null; // asks for the next event
  offered = 0; // the event that was given last

  constructor(task, module, state, env, options) {
    this.state = state;
    this.start = () => run(module, task, "", options);
    options = { ...options, bindings: [...(options?.bindings ?? []), ...bindings], env, ctx: state, instance: this };
  }

  // Passes an event on, and yields what its handler gives.
  deliver(kind, fields, body) {
    const number = ++this.last;
    return new Promise((resolve, reject) => {
      const event = { number, kind, data: pack([number, ...fields]), body, resolve, reject };
      this.events.set(number, event);
      this.waiting.push(event);
      this.offer();
      this.keepRunning();
    });
  }

  ask(give) {
    this.give = give;
    this.offer();
  }
  offer() {
    const event = this.waiting.find(({ number }) => number > this.offered);
    if (!this.give || !event) return;
    const { give } = this;
    this.give = null;
    this.offered = event.number;
    give({ status: event.kind, data: event.data });
  }

  keepRunning() {
    if (this.running || !this.waiting.length) return;
    this.offered = 0;
    this.running = this.start();
    const ended = (error) => {
      this.running = this.give = null;
      // Those in flight are lost with it. One that fails before it takes any would fail again.
      const taken = (number) => this.waiting.every((event) => event.number !== number);
      const lost = new Set([...this.events.keys()].filter((number) => error || taken(number)));
      this.waiting = this.waiting.filter(({ number }) => !lost.has(number));
      for (const number of lost) this.settle(number, null, error ?? new Error("internal: the object has ended"));
      this.keepRunning();
    };
    this.running.then(() => ended(), ended);
  }

  settle(number, result, error) {
    const event = this.events.get(number);
    this.events.delete(number);
    if (!event) quietly(() => result?.body?.cancel());
    error ? event?.reject(error) : event?.resolve(result);
  }

  // Passes a request on, as an event of that kind, and yields the response; `webSocket` where one was accepted.
  async request(kind, incoming) {
    const given = [incoming.method, incoming.url, incoming.body ? "1" : "", ...[...incoming.headers].flat()];
    const { status, fields, body, webSocket } = await this.deliver(kind, given, incoming.body);
    const headers = new Headers();
    for (let i = 0; i < fields.length; i += 2) headers.append(fields[i], fields[i + 1]);
    return new Response(body, { status, headers, encodeBody: "manual", ...(webSocket && { webSocket }) });
  }
}

// For classes of other kinds.
export const instanceOf = Symbol("instance");
export const classFor = (task, module, options) =>
  class {
    constructor(state, env) {
      this[instanceOf] = new Instance(task, module, state, env, options);
    }
    fetch(incoming) {
      return this[instanceOf].request(request, incoming);
    }
    async alarm() {
      await this[instanceOf].deliver(alarm, []);
    }
  };

// Returns the class for the ESC_DURABLE_OBJECT(name) of the module.
export const durableObject = (module, name, options) => classFor("durable_object_" + name, module, options);
