"""The servers that tools/bench_http puts beside ours: what a user might pick instead. Each answers every GET with the
same 13 bytes, on one thread, with no access log, and never ends a connection that is kept alive."""
import contextlib
import pathlib
import shutil
import socket
import time

NGINX = """
worker_processes 1; master_process off; daemon off; pid {folder}/pid; error_log stderr crit;
worker_rlimit_nofile 20000;
events {{ worker_connections 16000; multi_accept on; use epoll; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 75s; tcp_nodelay on; default_type text/plain;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 "Hello, World!"; }} }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 9000
defaults
  mode http
  timeout client 75s
  timeout http-request 10s
  timeout http-keep-alive 75s
frontend hello
  bind 127.0.0.1:{port} backlog 4096
  http-request return status 200 content-type text/plain string "Hello, World!"
"""

NODE = """
const answer = (_, response) =>
  response.writeHead(200, {{"Content-Type": "text/plain", "Content-Length": 13}}).end("Hello, World!");
const server = require("http").createServer({{keepAliveTimeout: 75000}}, answer);
server.maxRequestsPerSocket = 0;
server.listen({{port: {port}, host: "127.0.0.1", backlog: 4096}});
process.on("SIGTERM", () => process.exit(0));
"""

# Program, its configuration, the command line. All from Debian's packages: tools/setup --bench.
PEERS = {
    "nginx": ("nginx", NGINX, ["-p", "{folder}", "-e", "stderr", "-c", "{file}"]),
    "haproxy": ("haproxy", HAPROXY, ["-db", "-f", "{file}"]),
    "node": ("node", NODE, ["{file}"]),
}


def find(name):
    """The program of that name, or None."""
    return shutil.which(PEERS[name][0]) or shutil.which(PEERS[name][0], path="/usr/sbin:/sbin")


def command(name, folder):
    """Writes the peer's configuration into `folder`; the command that runs it, and its port."""
    program, text, arguments = PEERS[name]
    with contextlib.closing(socket.socket()) as free:
        free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = pathlib.Path(folder) / f"{name}.conf"
    file.write_text(text.format(folder=folder, port=port))
    return [find(name), *(part.format(folder=folder, file=file) for part in arguments)], port


def wait_for(port, seconds=10):
    """Until something listens there."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        with contextlib.suppress(OSError), contextlib.closing(socket.create_connection(("127.0.0.1", port), 1)):
            return True
        time.sleep(0.02)
    return False
