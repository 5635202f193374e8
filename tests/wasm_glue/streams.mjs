// Bodies that pass through, up and down, the same in every host that can stream both ways: a server for it, and the
// checks.

import http from "node:http";
import { equal, test, that } from "./check.mjs";

const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// /large: 4 MiB. /endless: pieces until the client leaves. /collect: the length of what it is sent. /slow: after 50 ms,
// a word. /gzip: coded. Counts in `seen`.
export async function startStreamOrigin() {
  const seen = { left: 0, sent: 0, open: 0, most: 0 };
  const large = Buffer.alloc(4 << 20, "large ");
  const server = http.createServer(async (request, response) => {
    response.on("close", () => response.writableFinished || ++seen.left);
    if (request.url === "/large") return void response.writeHead(201, { "x-mark": "as it came" }).end(large);
    if (request.url === "/endless") {
      const more = () => {
        while (!response.destroyed && ((seen.sent += 65536), response.write(large.subarray(0, 65536))));
      };
      response.on("drain", more);
      return more();
    }
    if (request.url === "/slow") {
      seen.most = Math.max(seen.most, ++seen.open);
      await after(50);
      --seen.open;
      return void response.end("slow");
    }
    let length = 0;
    let pieces = 0;
    let first;
    request.on("data", (data) => {
      first ??= performance.now();
      length += data.length;
      ++pieces;
    });
    request.on("error", () => {});
    request.on("end", () => response.end(`${length} ${request.headers["content-length"] ?? "streamed"}`));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    seen,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

// `ask(target, init)` yields the Response of the Worker.
export async function testStreams(ask, origin) {
  const through = (what, path, init, more = "") => ask(`/${what}?url=${encodeURIComponent(origin.url + path)}${more}`, init);

  await test("a response passes through as it is, and one that C++ reads has the same bytes", async () => {
    const passed = await through("relay", "/large");
    equal(passed.status, 201);
    equal(passed.headers.get("x-mark"), "as it came");
    const bytes = Buffer.from(await passed.arrayBuffer());
    equal(bytes.length, 4 << 20);
    const pumped = Buffer.from(await (await through("pumped", "/large")).arrayBuffer());
    that(bytes.equals(pumped), "pumped bytes differ");
    equal(await (await through("counted", "/large")).text(), String(4 << 20));
  });

  for (const what of ["relay", "pumped"]) {
    await test(`a reader that stops reading holds its origin back, and one that leaves ends it (${what})`, async () => {
      const { left, sent } = origin.seen;
      const response = await through(what, "/endless");
      const reader = response.body.getReader();
      await reader.read();
      await after(300);  // until the buffers on the way are full
      that(origin.seen.sent - sent < 32 << 20, `${origin.seen.sent - sent} bytes for nobody`);
      await reader.cancel();
      for (let i = 0; i < 100 && origin.seen.left === left; ++i) await after(20);
      equal(origin.seen.left, left + 1, "origins that were left");
    });
  }

  await test("a request's body goes up as it is, and comes back", async () => {
    const whole = await (await through("upload", "/collect", { method: "POST", body: "b".repeat(3 << 20) })).text();
    that(whole.startsWith(`${3 << 20} `), whole);
    const body = () => {
      let left = 8;
      return new ReadableStream({ pull: (to) => (left-- ? to.enqueue(new Uint8Array(100000)) : to.close()) });
    };
    equal(await (await through("upload", "/collect", { method: "POST", body: body(), duplex: "half" })).text(), "800000 streamed");
    const echoed = await ask("/echo", { method: "POST", body: body(), duplex: "half" });
    equal((await echoed.arrayBuffer()).byteLength, 800000);
  });

  await test("a body that C++ makes streams up, and one that breaks off fails its fetch", async () => {
    equal(await (await through("generate", "/collect", {}, "&n=20&ms=1")).text(), `${20 * 65536} streamed`);
    const broken = await through("generate", "/collect", {}, "&n=2&ms=-1");
    equal(broken.status, 500);
    await broken.text();
  });

  await test("60 fetches of 50 ms under a cap of six: their queue takes nothing of the 200 ms for each attempt", async () => {
    origin.seen.most = 0;
    let right;
    for (let i = 0; i < 3 && right !== "60"; ++i) right = await (await through("parallel", "/slow", {}, "&n=60")).text();  // a busy machine is slow
    // With the limit running in the queue, 24 at most could be right. A busy machine is slow, and loses some:
    // host_fetch_test counts all 60 with a clock that moves only when it is told to.
    that(Number(right) >= 54, `${right} were right`);
    that(origin.seen.most <= 8, `${origin.seen.most} at once`);  // six, and what was given up
  });
}
