// The server that boundary.mjs asks: an origin whose answers break off, lie, are coded, or never come.

import http from "node:http";
import net from "node:net";
import zlib from "node:zlib";

export async function startOrigin() {
  const seen = { left: 0 }; // requests that were given up by the client
  const text = "forty-two bytes, all of them of plain text";
  const server = http.createServer((request, response) => {
    response.on("close", () => response.writableFinished || ++seen.left);
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-expose-headers", "*");
    const { pathname } = new URL(request.url, "http://origin");
    if (pathname === "/short") {
      response.writeHead(200, { "content-length": 1000 }).write("four");
      return void setTimeout(() => response.destroy(), 30);
    }
    if (pathname === "/never") return;
    if (pathname === "/dribble") return void response.write("some");
    if (pathname === "/reset") return void request.socket.resetAndDestroy();
    if (pathname === "/nonsense") return void request.socket.end("nonsense\r\n\r\n");
    if (pathname === "/gzip") return void response.writeHead(200, { "content-encoding": "gzip" }).end(zlib.gzipSync(text));
    if (pathname === "/gzip-length") {
      const bytes = zlib.gzipSync(text);
      return void response.writeHead(200, { "content-encoding": "gzip", "content-length": bytes.length }).end(request.method === "HEAD" ? undefined : bytes);
    }
    if (pathname === "/zstd") {
      const frame = Buffer.from("28b52ffd200d690000" + Buffer.from("zstd's plain!").toString("hex"), "hex"); // stored
      return void response.writeHead(200, { "content-encoding": "zstd", "content-length": frame.length }).end(frame);
    }
    if (pathname === "/odd-coding") return void response.writeHead(200, { "content-encoding": "rot13", "content-length": 4 }).end("four");
    if (pathname === "/name") return void response.writeHead(200, { "x-name": "caf\u00c3\u00a9" }).end("ok"); // UTF-8 on the wire
    if (pathname === "/left") return void response.end(String(seen.left));
    response.end("hello");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A port where nobody listens.
  const free = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => free.on("listening", resolve));
  const refusing = `http://127.0.0.1:${free.address().port}/`;
  await new Promise((resolve) => free.close(resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    refusing,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
