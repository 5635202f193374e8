// Durable Objects and durable timers in workerd:  node durable_test.mjs PROBE.wasm [--kills N] [--timers N]
//
// The killed run kills workerd N times (20 by default) at random instants while N timers (1,000 by default) are set and
// fire, and starts it again on the same disk. --kills 1000 --timers 10000 is the whole claim, and takes some minutes.

import http from "node:http";
import { gzipSync } from "node:zlib";
import { equal, finish, test, that } from "../check.mjs";
import { durableWorkerd } from "./durable_workerd.mjs";

const option = (name, otherwise) => Number(process.argv[process.argv.indexOf("--" + name) + 1 || -1] ?? otherwise);
const kills = option("kills", 20);
const timers = option("timers", 1000);

const fired = new Map(); // name -> key -> {due, calls}
let early = 0;
let refuse = () => false;
const receiver = http.createServer((request, response) => {
  const now = Date.now();
  const { searchParams } = new URL(request.url, "http://receiver");
  const [name, key, due] = ["name", "key", "due"].map((each) => searchParams.get(each));
  request.resume();
  if (now < Number(due)) ++early;
  if (!fired.has(name)) fired.set(name, new Map());
  const firing = fired.get(name).get(key) ?? { due: Number(due), calls: 0 };
  fired.get(name).set(key, firing);
  ++firing.calls;
  response.writeHead(refuse(name) ? 500 : 200).end();
});
await new Promise((resolve) => receiver.listen(0, "127.0.0.1", resolve));

const workerd = await durableWorkerd({
  main: `import { worker } from "./escapement.mjs";
import { bindings as objects, durableObject } from "./durable_object.mjs";
import { namespaces } from "./namespaces.mjs";
import module from "./probe.wasm";
const bindings = [namespaces, ...objects];
export const Reminders = durableObject(module, "Reminders", { bindings: [namespaces] });
const inner = worker(module, { bindings });
export default {
  fetch(request, env, ctx) {
    const url = new URL(request.url);
    if (["/", "/namespace", "/failures", "/through"].includes(url.pathname)) return inner.fetch(request, env, ctx);
    const [, name, ...rest] = url.pathname.split("/");
    url.pathname = "/" + rest.join("/");
    return env.OBJECT.get(env.OBJECT.idFromName(name)).fetch(new Request(url, request));
  },
};
`,
  probe: process.argv[2],
  className: "Reminders",
  glue: ["namespaces.mjs"],
  variables: { RECEIVER: `http://127.0.0.1:${receiver.address().port}` },
});
const ask = async (target, options) => {
  const response = await fetch(workerd.url + target, options);
  return `${response.status} ${await response.text()}`;
};
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const until = async (condition, ms) => {
  for (const end = Date.now() + ms; !condition() && Date.now() < end; ) await pause(20);
  return condition();
};

await test("the Worker beside the object", async () => equal(await ask("/"), "200 the Worker"));

await test("requests to an object: fields, bodies, failures, traps", async () => {
  const response = await fetch(workerd.url + "/a/echo", { method: "POST", body: "b\0dy\u20ac", headers: { "x-there": "and back" } });
  equal(response.status, 201);
  equal(response.headers.get("x-back"), "and back");
  equal(await response.text(), "b\0dy\u20ac");
  equal(await ask("/a/nothing"), "404 ");
  that((await ask("/a/fail")).startsWith("500 "), "a failure");
  const neighbour = ask("/a/slow?ms=300").catch(() => "");
  await pause(50);
  that((await ask("/a/trap")).startsWith("500 "), "a trap");
  that((await neighbour).startsWith("500 "), "in flight at a trap");
  equal(await ask("/a/slow?ms=1"), "200 slept");
});

await test("C++ calls the objects of a namespace", async () => {
  equal(await ask("/namespace?name=OBJECT"), "200 ");
  equal(await ask("/namespace?name=NONE"), "200 invalid_argument: the Worker has no Durable Object namespace NONE");
  equal(await ask("/namespace?name=RECEIVER"), "200 invalid_argument: the Worker has no Durable Object namespace RECEIVER");
  equal(await ask("/failures"), "200 reset timed_out 201 next and back");
  const large = new Uint8Array(12 * 1024 * 1024).fill(7);
  const back = new Uint8Array(await (await fetch(workerd.url + "/through", { method: "POST", body: large })).arrayBuffer());
  equal(back.length, large.length);
  that(back.every((byte) => byte === 7), "the body");
});

await test("bodies of an object stream both ways", async () => {
  const large = new Uint8Array(12 * 1024 * 1024).fill(7);
  for (const way of ["echo", "through", "piecewise"]) {
    const response = await fetch(`${workerd.url}/a/${way}`, { method: "POST", body: large });
    const back = new Uint8Array(await response.arrayBuffer());
    equal(back.length, large.length, way);
    that(back.every((byte) => byte === 7), way);
  }
  const reader = (await fetch(workerd.url + "/a/trickle")).body.getReader();
  const began = Date.now();
  const first = await reader.read();
  equal(new TextDecoder().decode(first.value), "piece 0\n");
  that(Date.now() - began < 250, "the first piece comes before the last");
  let rest = "";
  for (let read; !(read = await reader.read()).done; ) rest += new TextDecoder().decode(read.value);
  equal(rest, "piece 1\npiece 2\n");
  let broken = "whole";
  await (await fetch(workerd.url + "/a/breaks")).text().catch(() => (broken = "broken"));
  equal(broken, "broken", "a body that fails");
});

await test("a reader that leaves costs its response alone, which ends at once", async () => {
  const before = await ask("/a/trickles");
  that(before.startsWith("200 0 alive, "), before);
  const neighbour = ask("/a/slow?ms=1000");
  const left = new AbortController();
  const reader = (await fetch(workerd.url + "/a/endless", { signal: left.signal })).body.getReader();
  equal(new TextDecoder().decode((await reader.read()).value), "piece 0\n");
  left.abort();
  await reader.read().catch(() => {});
  equal(await neighbour, "200 slept", "the one beside it");
  const now = await ask("/a/trickles");
  that(now.startsWith("200 0 alive, "), now);
});

await test("of an answer to HEAD no body is read", async () => {
  const before = await ask("/a/trickles");
  const response = await fetch(workerd.url + "/a/trickle", { method: "HEAD" });
  equal(response.status, 200);
  await pause(100);
  equal(await ask("/a/trickles"), before);
});

await test("a body that is encoded is not encoded again", async () => {
  for (const target of ["/a/coded", "/"]) {
    const response = await fetch(workerd.url + target, { method: "POST", body: gzipSync("encoded once") });
    equal(response.headers.get("content-encoding"), "gzip", target);
    equal(await response.text(), "encoded once", target);
  }
});

await test("what may not be sent is a failure of the handler; a body that breaks is reported", async () => {
  that((await ask("/a/bad-field")).startsWith("500 "), "a bad field");
  that(workerd.log().includes("its body breaks on purpose"), "reported");
});

await test("100 transactions at once lose nothing; two objects are apart", async () => {
  const counts = await Promise.all(Array.from({ length: 100 }, () => ask("/b/count")));
  equal(new Set(counts).size, 100, "different counts");
  equal(await ask("/b/count"), "200 101");
  equal(await ask("/c/count"), "200 1");
});

await test("a value that is too long is refused", async () => {
  equal(await ask("/b/big"), "200 limit_exceeded: the value of storage key big has 131073 bytes");
});

await test("1,000 timers fire once each, and none early", async () => {
  await ask("/d/set?name=many&count=1000&in=100&step=1");
  that(await until(() => fired.size >= 1000, 20000), `${fired.size} of 1000`);
  await pause(200);
  const calls = [...fired.values()].flatMap((firings) => [...firings.values()]).reduce((sum, { calls }) => sum + calls, 0);
  equal(calls, 1000, "calls");
  equal(early, 0, "early ones");
  equal(await ask("/d/left"), "200 0");
  fired.clear();
});

await test("a timer whose receiver fails is repeated with its key; one that is cancelled does not fire", async () => {
  refuse = (name) => fired.get(name).size + [...fired.get(name).values()][0].calls < 4;
  await ask("/e/set?name=again&count=1&in=10&step=1");
  await ask("/e/set?name=not&count=1&in=500&step=1");
  equal(await ask("/e/cancel?name=not-0"), "200 cancelled");
  that(await until(() => fired.get("again-0")?.values().next().value.calls === 3, 15000), "three calls");
  refuse = () => false;
  await pause(300);
  equal(fired.get("again-0").size, 1, "keys");
  that(!fired.has("not-0"), "the cancelled one");
  fired.clear();
});

await test("an object that was idle wakes up for its alarm", async () => {
  await ask("/f/set?name=idle&count=1&in=6500&step=1");
  that(await until(() => fired.has("idle-0"), 15000), "it has fired");
  fired.clear();
});

await test(`${timers} timers through ${kills} kills: none lost, none early`, async () => {
  const promised = new Map(); // name -> due
  const each = 10;
  let killed = 0;
  // The timers are set as the kills go on, so that there are always some that are being set and that fire.
  const clients = Array.from({ length: 4 }, async (_, client) => {
    for (let batch = client; batch * each < timers; ) {
      while (killed < Math.floor((kills * batch * each) / timers)) await pause(5);
      const text = await ask(`/k/set?name=k${batch}&count=${each}&in=${Math.floor(Math.random() * 400)}&step=3`).catch(() => "");
      if (!text.startsWith("200 ")) {
        await pause(5);
        continue; // the same names again: it is not known whether they were set
      }
      for (const line of text.slice(4).trim().split("\n")) promised.set(...line.split(" "));
      batch += 4;
    }
  });
  for (; killed < kills; ++killed) {
    await pause(Math.random() * 400);
    await workerd.kill();
    await workerd.start();
  }
  await Promise.all(clients);
  const missing = () => [...promised].filter(([name, due]) => ![...(fired.get(name)?.values() ?? [])].some((firing) => firing.due === Number(due)));
  // One that was killed while its handler had failed waits for its next attempt.
  await until(() => missing().length === 0, 60000);
  const lost = missing();
  const calls = [...fired.values()].flatMap((firings) => [...firings.values()]).reduce((sum, firing) => sum + firing.calls, 0);
  console.log(`# ${killed} kills, ${promised.size} timers promised, ${calls} calls, ${lost.length} lost, ${early} early`);
  equal(lost.length, 0, "lost ones");
  equal(early, 0, "early ones");
  equal(promised.size, timers, "timers");
});

await workerd.stop();
receiver.close();
finish();
