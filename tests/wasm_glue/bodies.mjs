// Slow bodies, the same in every host: servers for it, and the checks.

import http from "node:http";
import { equal, test, that } from "./check.mjs";

const words = ["one ", "two ", "three ", "four ", "five"];
const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// /words: five words, 80 ms apart. /stops: a head, 3 of 10 bytes, silence. /silent: nothing at all.
export async function startSlowOrigin() {
  const server = http.createServer(async (request, response) => {
    if (request.url === "/silent") return;
    if (request.url === "/stops") return void response.writeHead(200, { "content-length": 10 }).write("abc");
    for (const word of words) {
      response.write(word);
      await after(80);
    }
    response.end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

// `ask(target, options)` sends a request to the probe's Worker and yields "STATUS text".
export async function testBodies(ask, origin) {
  const relayed = (what, path) => ask(`/${what}?url=` + encodeURIComponent(origin + path));

  await test("a read of a response's body that was given up loses nothing", async () => {
    equal(await relayed("insisted", "/words"), "200 " + words.join(""));
  });

  await test("a fetch that is not answered, and a body that stops, end at their limits", async () => {
    that((await relayed("hurried", "/silent")).startsWith("200 timed_out: waiting for the response of http://"), "no head");
    that((await relayed("hurried", "/stops")).startsWith("200 timed_out: reading the body from http://"), "3 of 10 bytes");
  });

  await test("a read of a request's body that was given up loses nothing", async () => {
    const body = new ReadableStream({
      async start(to) {
        for (const word of words) {
          to.enqueue(new TextEncoder().encode(word));
          await after(80);
        }
        to.close();
      },
    });
    equal(await ask("/insist", { method: "POST", body, duplex: "half" }), "200 " + words.join(""));
  });

  await test("a request's body that stops is a 408", async () => {
    const body = new ReadableStream({ start: (to) => to.enqueue(new TextEncoder().encode("abc")) });
    equal(await ask("/collect", { method: "POST", body, duplex: "half" }), "408 Request Timeout\n");
  });
}
