// WebSockets that outlive a Durable Object's instance, in workerd:  node hibernation_test.mjs HIBERNATION_PROBE.wasm
//
// workerd puts the object to sleep some 10 s after its last event; the test waits for that once.

import { createRequire } from "node:module";
import path from "node:path";
import { equal, finish, test, that } from "../check.mjs";
import { root } from "../hosts.mjs";
import { durableWorkerd } from "./durable_workerd.mjs";

const require = createRequire(path.join(root, "tests/npm/package.json"));
const WebSocket = globalThis.WebSocket ?? createRequire(require.resolve("wrangler/package.json"))("miniflare").WebSocket;
const { fetch } = createRequire(require.resolve("wrangler/package.json"))("miniflare");

const workerd = await durableWorkerd({
  main: `import { bindings, hibernatingObject } from "./hibernation.mjs";
import module from "./probe.wasm";
let instances = 0;
export class Room extends hibernatingObject(module, "Room") {
  constructor(state, env) {
    super(state, env);
    ++instances;
  }
}
export default {
  fetch(request, env) {
    if (new URL(request.url).pathname === "/instances") return new Response(String(instances));
    return env.OBJECT.get(env.OBJECT.idFromName("room")).fetch(request);
  },
};
`,
  probe: process.argv[2],
  className: "Room",
  glue: ["hibernation.mjs"],
});
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const instances = async () => (await fetch(workerd.url + "/instances")).text();

// A client: what it receives, as text.
async function connect(query) {
  const response = await fetch(`${workerd.url}/?${query}`, { headers: { Upgrade: "websocket" } });
  const { webSocket: socket } = response;
  if (!socket) return { status: response.status };
  const received = [];
  let wake = () => {};
  const came = (text) => received.push(text) && wake();
  socket.addEventListener("message", ({ data }) => came(data));
  socket.addEventListener("close", ({ code }) => came("end " + code));
  socket.accept();
  return {
    send: (data) => socket.send(data),
    close: (code, reason) => socket.close(code, reason),
    async next() {
      for (const end = Date.now() + 5000; !received.length && Date.now() < end; ) {
        await Promise.race([new Promise((resolve) => (wake = resolve)), pause(500)]);
      }
      return received.shift() ?? "nothing";
    },
    waiting: () => received.length,
  };
}

const ada = await connect("name=Ada&tag=red");
const bob = await connect("name=Bob&tag=blue");
await test("messages reach all, and those with a tag", async () => {
  ada.send("all hello");
  equal(await ada.next(), "Ada says hello (1)");
  equal(await bob.next(), "Ada says hello (1)");
  bob.send("red to you");
  equal(await ada.next(), "Bob says to you (2)");
  bob.send(new Uint8Array(7));
  equal(await bob.next(), "Bob sent 7 bytes");
  equal(bob.waiting(), 0);
  equal(await instances(), "1");
});
await test("tags, attachments and their limits", async () => {
  bob.send("rename Robert");
  bob.send("tags");
  equal(await bob.next(), "Robert blue everybody");
  bob.send("attach much");
  equal(await bob.next(), "limit_exceeded");
  bob.send("receive");
  equal(await bob.next(), "unsupported");
});
await test("a handler that fails costs its message, not the connection", async () => {
  bob.send("fail");
  bob.send("tags");
  equal(await bob.next(), "Robert blue everybody");
});
await test("requests beside the sockets; what is refused", async () => {
  equal(await (await fetch(workerd.url)).text(), "2 sockets");
  equal((await fetch(workerd.url + "/refuse", { headers: { Upgrade: "websocket" } })).status, 403);
  equal((await connect("name=x&tag=" + "t".repeat(257))).status, 500);
});
await test("closes by both sides", async () => {
  const eve = await connect("name=Eve");
  eve.close(4001, "bye");
  equal(await ada.next(), "Eve left 4001 bye");
  equal(await bob.next(), "Eve left 4001 bye");
  const dan = await connect("name=Dan");
  dan.send("close me");
  equal(await dan.next(), "end 3000");
  equal(await ada.next(), "Dan left 3000 as asked");
  equal(await bob.next(), "Dan left 3000 as asked");
});
await test("a trap costs its message, not the open connections", async () => {
  bob.send("trap");
  await pause(200);
  for (const from of [ada, bob]) {
    from.send("all here");
    const heard = [await ada.next(), await bob.next()];
    that(heard.every((text) => text.includes("says here")), heard.join("; "));
  }
  equal(await (await fetch(workerd.url)).text(), "2 sockets");
  const eve = await connect("name=Eve");
  eve.close(4001, "bye");
  equal(await ada.next(), "Eve left 4001 bye");
  equal(await bob.next(), "Eve left 4001 bye");
  equal(await instances(), "1", "instances of the class");
});
await test("the connections outlive the instance, and an automatic response wakes nobody", async () => {
  ada.send("pings on");
  equal(await ada.next(), "pings on");
  await pause(16000);
  ada.send("ping");
  equal(await ada.next(), "pong");
  equal(await instances(), "1", "instances before");
  ada.send("all again");
  equal(await ada.next(), "Ada says again (1)");
  equal(await bob.next(), "Ada says again (1)");
  equal(await instances(), "2", "instances");
  bob.send("tags");
  equal(await bob.next(), "Robert blue everybody");
});

await workerd.stop();
finish();
