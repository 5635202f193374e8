// The JavaScript halves by themselves, without a module of C++:  node halves_test.mjs

import { register } from "node:module";
import { instanceOf } from "../../wasm_glue/durable_object.mjs";
import { d1 } from "../../wasm_glue/d1.mjs";
import { run, worker } from "../../wasm_glue/escapement.mjs";
import { bindings as objects, hibernatingObject } from "../../wasm_glue/hibernation.mjs";
import { fieldsOf, Source } from "../../wasm_glue/host_fetch.mjs";
import { operate } from "../../wasm_glue/host_operation.mjs";
import { pack } from "../../wasm_glue/packed.mjs";
import { webSockets } from "../../wasm_glue/web_socket.mjs";
import { moduleByHand, withSteps } from "./by_hand.mjs";
import { equal, finish, test, that } from "./check.mjs";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// A context whose module has the bytes `packed` at 0. `outcome` comes with its first operation's.
function contextOf(packed, more) {
  const context = {
    sources: new Map(),
    hold(id) {
      const source = new Source();
      context.sources.set(id, source);
      return source;
    },
    bytes: (at, length) => packed.subarray(at, at + length),
    text: (at, length) => new TextDecoder().decode(packed.subarray(at, at + length)),
    ...more,
  };
  context.outcome = new Promise((resolve) => {
    context.reply = (id, source, status) => resolve("status " + status);
    context.fail = (id, source, kind, text) => resolve(text);
  });
  return context;
}

await test("field lines that fail leave nothing to the next message", () => {
  const lines = "a: 1\nb: 2";
  equal(fieldsOf(lines).get("b"), "2");
  let failed = false;
  try {
    fieldsOf("c: 3\nbad name: 4");
  } catch {
    failed = true;
  }
  that(failed, "a bad name");
  equal([...fieldsOf(lines)].join(), "a,1,b,2");
});

await test("an operation that is dropped breaks the body off that it is given", async () => {
  for (const ended of [false, true]) {
    const context = contextOf(new Uint8Array());
    let drops = 0;
    let reason;
    operate(context, 1, () => (ended ? "done" : new Promise(() => {})), () => ++drops);
    const source = context.sources.get(1);
    source.controller = { error: (error) => (reason = error) };
    if (ended) await context.outcome;
    source.drop();
    equal(drops, ended ? 0 : 1, "drops");
    equal(reason?.message, ended ? undefined : "reset: it was given up");
  }
});

await test("D1's errors are told apart by its own words, not by those of the SQL", async () => {
  const kinds = {
    "D1_ERROR: no such column: timeout: SQLITE_ERROR": "invalid_argument",
    "D1_ERROR: UNIQUE constraint failed: overloaded.reset: SQLITE_CONSTRAINT": "invalid_argument",
    'D1_ERROR: near "exceed": syntax error at offset 0: SQLITE_ERROR': "invalid_argument",
    "D1_ERROR: Wrong number of parameter bindings for SQL query.": "invalid_argument",
    "D1_ERROR: string or blob too big: SQLITE_TOOBIG": "limit_exceeded",
    "D1_ERROR: D1 DB is overloaded. Too many requests queued.": "unavailable",
    "D1_ERROR: Network connection lost.": "reset",
    "D1 DB storage operation exceeded timeout which caused object to be reset.": "reset",
  };
  for (const [message, kind] of Object.entries(kinds)) {
    const packed = pack(["PEOPLE", "SELECT", 0]);
    const all = async () => { throw new Error(message); };
    const context = contextOf(packed, { env: { PEOPLE: { prepare: () => ({ all }) } } });
    d1.imports.execute.call(context, 1, 0, packed.length);
    equal(await context.outcome, kind + ": " + message);
  }
});

await test("the end of a WebSocket waits for its messages, however it comes", async () => {
  for (const end of ["webSocketClose", "webSocketError"]) {
    const room = new (hibernatingObject(null, "Room"))({}, {});
    const seen = [];
    let handled;
    room[instanceOf].deliver = (kind) => {
      seen.push(kind);
      return kind === 4 ? new Promise((resolve) => (handled = resolve)) : Promise.resolve();
    };
    const socket = { close() {} };
    const message = room.webSocketMessage(socket, "text");
    await pause(1);
    const ended = room[end](socket, 1000, "");
    await pause(1);
    equal(seen.join(), "4", end);
    handled();
    await Promise.all([message, ended]);
    equal(seen.join(), end === "webSocketError" ? "4,6" : "4,5", end);
  }
});

await test("what the host refuses of a hibernating object's WebSockets ends no object", () => {
  const { imports } = objects.find(({ module }) => module === "escapement_hibernation");
  const refuse = () => { throw new RangeError("too large"); };
  const settled = [];
  const state = { acceptWebSocket: refuse, setWebSocketAutoResponse: refuse };
  const instance = { state, settle: (...all) => settled.push(all), sockets: { sockets: new Map([[1, { serializeAttachment: refuse, send: refuse }]]) } };
  const packed = pack(["ping", "pong"]);
  const context = contextOf(packed, { options: { instance } });
  globalThis.WebSocketRequestResponsePair = class {};
  globalThis.WebSocketPair = class { 0 = { close() {} }; 1 = { close() {} }; };
  try {
    equal(imports.auto_response.call(context, 0, packed.length), 0, "an automatic response");
    equal(imports.attach.call(context, 1, 0, 4), 0, "an attachment");
    equal(imports.send.call(context, 1, 1, 0, 4), 0, "a message");
    imports.accept.call(context, 17, 0, packed.length);
    equal(settled.length, 1, "settled");
    equal(settled[0][0], 17);
    equal(settled[0][2].message, "too large");
    state.setWebSocketAutoResponse = () => {};
    equal(imports.auto_response.call(context, 0, packed.length), 1, "an automatic response");
  } finally {
    delete globalThis.WebSocketRequestResponsePair;
    delete globalThis.WebSocketPair;
  }
});

await test("the WebSockets of a context close at its end, and one that takes no message is closed", async () => {
  const packed = pack(["", 10, 10]);
  const closes = [];
  const webSocket = {
    accept() {},
    addEventListener() {},
    close: (code) => closes.push(code),
    send() { throw new Error("too large"); },
  };
  const context = contextOf(packed, { options: { webSocket } });
  webSockets.imports.open.call(context, 1, 0, packed.length);
  equal(await context.outcome, "status 0");
  equal(webSockets.imports.send.call(context, 1, 1, 0, 4), 0, "sent");
  for (const end of context.ends) end();
  for (const end of context.ends) end();
  equal(closes.join(), "1011");
});

await test("the sockets of a context close at its end", async () => {
  const inPlace = "export const connect = (target) => globalThis.connectInTest(target);";
  const hook = `export const resolve = (name, context, next) => name === "cloudflare:sockets"
    ? { url: ${JSON.stringify("data:text/javascript," + encodeURIComponent(inPlace))}, shortCircuit: true } : next(name, context);`;
  register("data:text/javascript," + encodeURIComponent(hook));
  const { sockets } = await import("../../wasm_glue/sockets.mjs");
  let closes = 0;
  globalThis.connectInTest = () => ({
    readable: new ReadableStream(),
    writable: new WritableStream(),
    opened: Promise.resolve(),
    closed: new Promise(() => {}),
    close: () => ++closes,
  });
  const packed = pack(["example.org", "80"]);
  const context = contextOf(packed);
  sockets.imports.connect.call(context, 1, 0, packed.length);
  equal(await context.outcome, "status 0");
  for (const source of context.sources.values()) source.drop(); // as Context.end does
  equal(closes, 0, "by the end of reading alone");
  for (const end of context.ends) end();
  equal(closes, 1, "closes");
  delete globalThis.connectInTest;
});

await test("a reader that leaves a body costs its sender nothing, and only a response has left", () =>
  withSteps([20, 20], async () => {
    let cancelled = false;
    const options = {
      ctx: { waitUntil() {} },
      waitUntilMax: 5,
      fetch: (_, { body }) => {
        body.cancel("enough");
        cancelled = true;
        return new Promise(() => {});
      },
    };
    const failure = await run(moduleByHand(), "y", "", options).catch((error) => error);
    that(cancelled, "cancelled");
    equal(failure.message, "cancelled"); // its steps have ended
  }));

await test("a request to a module without an ESC_WORKER fails, and nothing beside it", () =>
  withSteps([20], async () => {
    const module = moduleByHand();
    const beside = run(module, "x", "", { fetch: () => new Promise(() => {}) }).catch((error) => error);
    const told = [];
    const response = await worker(module, { onError: (error) => told.push(error) }).fetch(new Request("http://worker/"), {}, {});
    equal(response.status, 500);
    await pause(0);
    equal(told.map(({ message }) => message).join(), "invalid_argument: the module has no ESC_WORKER");
    equal((await beside).message, "cancelled"); // its steps have ended
  }));

finish();
