#!/usr/bin/env python3
"""esc-serve: its routes, its command line, its end."""
import contextlib
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from programs import SERVE, Serve, few_descriptors, read_all, without_ubsan


def head_and_body(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    fields = dict((name.lower(), value) for name, value in (line.split(": ", 1) for line in lines[1:]))
    return lines[0], fields, body


def dechunk(body):
    whole = b""
    while True:
        size, _, body = body.partition(b"\r\n")
        count = int(size, 16)
        if count == 0:
            return whole
        whole += body[:count]
        body = body[count + 2:]


class Routes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.serve = Serve()

    @classmethod
    def tearDownClass(cls):
        cls.serve.__exit__()

    def ask(self, target, method="GET", body=b"", fields=()):
        lines = [f"{method} {target} HTTP/1.1", "Host: h", "Connection: close", *fields]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        status, fields, said = head_and_body(self.serve.ask("\r\n".join(lines).encode() + b"\r\n\r\n" + body))
        if fields.get("transfer-encoding") == "chunked":
            said = dechunk(said)
        return int(status.split()[1]), fields, said

    def test_hello(self):
        self.assertEqual(self.ask("/hello")[2], b"hello")
        self.assertEqual(self.ask("/hello?name=a%20b")[2], b"hello a b")

    def test_echo(self):
        status, fields, body = self.ask("/echo", "POST", b"\0\xff bytes", ["Content-Type: x/y"])
        self.assertEqual((status, fields["content-type"], body), (200, "x/y", b"\0\xff bytes"))
        self.assertEqual(self.ask("/echo")[2], b"")

    def test_delay_and_stall(self):
        for route in ("delay", "stall"):
            began = time.monotonic()
            self.assertEqual(self.ask(f"/{route}/60")[2], b"after 60 ms\n")
            self.assertGreaterEqual(time.monotonic() - began, 0.06)
        self.assertEqual(self.ask("/delay/x")[2], b"after 0 ms\n")

    def test_drip(self):
        began = time.monotonic()
        self.assertEqual(self.ask("/drip?bytes=5&interval_ms=10")[2], b"*****")
        self.assertGreaterEqual(time.monotonic() - began, 0.05)
        self.assertEqual(self.ask("/drip?bytes=0")[2], b"")

    def test_status(self):
        self.assertEqual(self.ask("/status/418")[0], 418)
        self.assertEqual(self.ask("/status/204")[0], 204)
        for wrong in ("", "99", "199", "600", "x", "-1", "99999999999999999999"):
            self.assertEqual(self.ask(f"/status/{wrong}")[0], 400, wrong)

    def test_redirect(self):
        self.assertEqual(self.ask("/redirect/2")[1]["location"], "/redirect/1")
        self.assertEqual(self.ask("/redirect/1")[1]["location"], "/hello")
        self.assertEqual(self.ask("/redirect/0")[::2], (200, b"hello"))
        status, fields, _ = self.ask("/redirect-to?url=http%3A%2F%2Fx.test%2F&status=308")
        self.assertEqual((status, fields["location"]), (308, "http://x.test/"))
        self.assertEqual(self.ask("/redirect-to?url=/&status=200")[0], 400)

    def test_redirect_to_cannot_inject_a_field(self):
        status, fields, _ = self.ask("/redirect-to?url=/%0d%0aInjected:%20yes")
        self.assertNotIn("injected", fields)
        self.assertEqual(status, 500)

    def test_flaky(self):
        target = "/flaky/one?fail=2&status=503&retry_after=3"
        answers = [self.ask(target) for _ in range(3)]
        self.assertEqual([answer[0] for answer in answers], [503, 503, 200])
        self.assertEqual(answers[0][1]["retry-after"], "3")
        self.assertEqual([self.ask("/flaky/two?fail=1")[0] for _ in range(2)], [503, 200])

    def test_flaky_forgets(self):
        self.assertEqual(self.ask("/flaky/first?fail=1")[0], 503)
        self.assertEqual(self.ask("/flaky/first?fail=1")[0], 200)
        others = "".join(f"GET /flaky/{i} HTTP/1.1\r\nHost: h\r\n\r\n" for i in range(999))
        last = "GET /flaky/last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        self.assertEqual(self.serve.ask((others + last).encode()).count(b"HTTP/1.1 503"), 1000)
        self.assertEqual(self.ask("/flaky/first?fail=1")[0], 503)
        self.assertEqual(self.ask("/flaky/" + "x" * 101)[0], 400)

    def test_reset(self):
        plain = b"GET /reset/%s HTTP/1.1\r\nHost: h\r\n\r\n"
        self.assertEqual(self.serve.ask(plain % b"before-head"), b"")
        said = self.serve.ask(plain % b"after-head")
        self.assertTrue(said.startswith(b"HTTP/1.1 200 "), said)
        self.assertFalse(said.endswith(b"0\r\n\r\n"), said)

    def test_no_such_route(self):
        status, _, body = self.ask("/nonsense")
        self.assertEqual((status, body), (404, b"no such route; esc-serve --help lists them\n"))

    def test_head_has_no_body(self):
        answer = self.serve.ask(b"HEAD /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        _, fields, body = head_and_body(answer)
        self.assertEqual((fields["content-length"], body), ("5", b""))


class Echo(unittest.TestCase):
    """--echo answers whatever is well-formed."""

    @classmethod
    def setUpClass(cls):
        cls.serve = Serve("--echo")

    @classmethod
    def tearDownClass(cls):
        cls.serve.__exit__()

    def ask(self, head, body=b""):
        status, fields, said = head_and_body(self.serve.ask(head.replace("\n", "\r\n").encode() + b"\r\n" + body))
        return status.split()[1], dechunk(said) if fields.get("transfer-encoding") == "chunked" else said

    def test_any_method_and_target(self):
        for line in ("GET / ", "GET /any/where?at=all ", "DELETE /x ", "PROPFIND-X /a ", "M-SEARCH /a ", "get / ",
                     "OPTIONS * ", "OPTIONS / ", "GET http://h/absolute ", "GET http://h ",
                     "TRACE / ", "PURGE / ", "A!#$%&'*+-.^_`|~9 / ", "GET //double ", "GET /%7e ", "GET /? ",
                     "GET /[]{}|^ ",
                     "GET /?q=a\\b ", "GET /?x=100% ", "GET /?q=%zz ", "GET http://h/?q=a\\b% ",
                     "GET http://other.test:99/a?b ", "PATCH /;p=1 ", "LOCK /a/ "):
            said = self.ask(f"{line}HTTP/1.1\nHost: h\nConnection: close\n")
            self.assertEqual(said, ("200", b"hello"), line)

    def test_https_is_not_asked_for_without_tls(self):
        for target in ("https://h/s", "https://h", "HTTPS://h:443/"):
            said = self.ask(f"GET {target} HTTP/1.1\nHost: h\nConnection: close\n")
            self.assertEqual(said, ("421", b"Misdirected Request\n"), target)

    def test_targets_that_are_not_well_formed(self):
        for target in ("urn:a:b", "ftp://h/x", "/%zz", "/100%", "/a\\b", "/a\\b?q", "a",
                       "/a#b"):
            said = self.ask(f"GET {target} HTTP/1.1\nHost: h\nConnection: close\n")
            self.assertEqual(said, ("400", b"Bad Request\n"), target)

    def test_hosts(self):
        for host in ("h", "h:80", "h:", "127.0.0.1:1", "[::1]", "[::1]:80", "a_b.test", "UPPER.test", "a=b", "a,b",
                     "a%41", "!$&'()*+,;=~:80"):
            self.assertEqual(self.ask(f"GET / HTTP/1.1\nHost: {host}\nConnection: close\n"), ("200", b"hello"), host)
        for host in ("a%", "a%2fb", "a%00", "a b", "a\\b", "a@b", "a..b", "1.2.3"):
            self.assertEqual(self.ask(f"GET / HTTP/1.1\nHost: {host}\nConnection: close\n")[0], "400", host)

    def test_its_own_body(self):
        close = "Host: h\nConnection: close\n"
        self.assertEqual(self.ask(f"POST / HTTP/1.1\n{close}Content-Length: 3\n", b"a\0b"), ("200", b"a\0b"))
        self.assertEqual(self.ask(f"GET / HTTP/1.1\n{close}Content-Length: 2\n", b"hi"), ("200", b"hi"))
        chunks = b"2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n"
        self.assertEqual(self.ask(f"PUT / HTTP/1.1\n{close}Transfer-Encoding: chunked\n", chunks), ("200", b"hi!"))
        self.assertEqual(self.ask(f"PUT / HTTP/1.1\n{close}Content-Length: 0\n"), ("200", b"hello"))
        big = b"x" * 300_000
        self.assertEqual(self.ask(f"POST / HTTP/1.1\n{close}Content-Length: 300000\n", big), ("200", big))

    def test_an_empty_chunked_body_is_none(self):
        self.assertEqual(self.ask("POST / HTTP/1.1\nHost: h\nConnection: close\nTransfer-Encoding: chunked\n",
                                  b"0\r\n\r\n"), ("200", b"hello"))

    def test_later_versions(self):
        for version in ("1.2", "1.9"):
            said = self.ask(f"GET / HTTP/{version}\nHost: h\nConnection: close\n")
            self.assertEqual(said, ("200", b"hello"), version)
        self.assertEqual(self.ask("GET / HTTP/2.0\nHost: h\n")[0], "505")

    def test_head_and_old_versions(self):
        self.assertEqual(self.ask("HEAD / HTTP/1.1\nHost: h\nConnection: close\n"), ("200", b""))
        self.assertEqual(self.ask("GET / HTTP/1.0\n"), ("200", b"hello"))
        self.assertEqual(self.ask("POST / HTTP/1.0\nContent-Length: 2\n", b"hi"), ("200", b"hi"))

    def test_pipelined_in_order(self):
        one = "POST /{0} HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n{1}\r\n{0}"
        last = "Connection: close\r\n"
        said = self.serve.ask("".join(one.format(i, last if i == 3 else "") for i in range(4)).encode())
        self.assertEqual([part[-1:] for part in said.split(b"HTTP/1.1 200 OK")[1:]], [b"0", b"1", b"2", b"3"])


class Tasks(unittest.TestCase):
    """The task tree, of builds that have one; the others say so."""

    def test_route(self):
        with Serve("--tasks", "--threads", "2") as serve:
            with serve.connect() as waiting:
                waiting.sendall(b"GET /delay/60000 HTTP/1.1\r\nHost: h\r\n\r\n")
                time.sleep(0.2)
                _, fields, text = head_and_body(
                    serve.ask(b"GET /tasks HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))
                self.assertIn("text/plain", fields["content-type"])
                self.assertTrue(text.startswith(b"thread 0\n"), text)
                self.assertIn(b"thread 1\n", text)
                if b"no task tree" not in text:
                    self.assertRegex(text, rb"timer +[\d.]+ m?s +routes.cpp:\d+")
                _, fields, text = head_and_body(serve.ask(
                    b"GET /tasks HTTP/1.1\r\nHost: h\r\nAccept: application/json\r\nConnection: close\r\n\r\n"))
                self.assertEqual(fields["content-type"], "application/json")
                self.assertEqual(len(json.loads(text)), 2)

    def test_route_is_off_by_default(self):
        with Serve() as serve:
            status, _, _ = head_and_body(
                serve.ask(b"GET /tasks HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))
            self.assertIn("404", status)

    def test_signal(self):
        with Serve() as serve:
            serve.process.send_signal(signal.SIGUSR1)
            self.assertEqual(serve.process.stderr.readline(), "thread 0\n")
            self.assertIn(b"hello", serve.ask(b"GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))


class CommandLine(unittest.TestCase):
    def refused(self, *arguments, code=2, **options):
        done = subprocess.run([SERVE, *arguments], capture_output=True, text=True, timeout=20, **options)
        self.assertEqual((done.returncode, done.stdout), (code, ""))
        self.assertRegex(done.stderr, r"\Aesc-serve: [^\n]+\n\Z")
        return done.stderr

    def test_refusals(self):
        self.assertIn("--nonsense", self.refused("127.0.0.1:0", "--nonsense"))
        self.assertIn("HOST:PORT", self.refused())
        self.refused("127.0.0.1:0", "--grace", "-1")
        for option in ("--grace", "--watchdog", "--header-timeout", "--keep-alive", "--head-bytes-max",
                       "--body-bytes-max", "--connections-max", "--connections-per-peer-max", "--threads"):
            for value in ("many", "-1", "nan", "1x", "99999999999999999999x"):
                self.assertRegex(self.refused("127.0.0.1:0", option, value), f'"{value}" is not a (whole )?number')
        for option in ("--header-timeout", "--keep-alive", "--head-bytes-max", "--connections-max"):
            self.assertIn('"0" is not a', self.refused("127.0.0.1:0", option, "0"))
        for other in (["--metrics"], ["--root", "/"], ["--playground"]):
            for option in (["--echo"], ["--fixtures", "/"]):
                said = self.refused("127.0.0.1:0", *option, *other)
                self.assertIn(f"excludes", said)
                self.assertIn(other[0], said)
        self.assertIn("--no-such", self.refused("--no-such"))
        self.assertIn("-9", self.refused("-9"))
        self.refused("127.0.0.1:0", "--backend", "kqueue")
        for wrong in ("nonsense", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "::1:80", "name.test:80"):
            self.assertIn(wrong, self.refused(wrong, code=1))
        self.assertIn("/nowhere", self.refused("127.0.0.1:0", "--fixtures", "/nowhere", code=1))

    def test_playground(self):
        with tempfile.TemporaryDirectory() as folder:
            alone = pathlib.Path(folder) / "a" / "b" / "esc-serve"
            alone.parent.mkdir(parents=True)
            shutil.copy(SERVE, alone)
            done = subprocess.run([alone, "127.0.0.1:0", "--playground"], cwd=folder, capture_output=True, text=True,
                                  timeout=30)
            self.assertEqual(done.returncode, 2)
            self.assertIn("--target playground", done.stderr)
            page = pathlib.Path(folder) / "build" / "wasm" / "tools" / "playground" / "playground"
            page.mkdir(parents=True)
            (page / "index.html").write_text("the page")
            (page / "playground.wasm").write_text("the module")
            with Serve("--playground", cwd=folder) as serve:
                self.assertIn(b"the page", serve.ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))
                module = serve.ask(b"GET /playground.wasm HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                self.assertIn(b"application/wasm", module)

    def test_port_in_use(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            self.assertIn("in use", self.refused(address, code=1))
            self.assertIn("in use", self.refused(address, "--threads", "2", code=1))

    def test_port_in_use_by_one_with_threads(self):
        with Serve("--threads", "2") as serve:
            for threads in ("1", "2"):
                self.assertIn("in use", self.refused(f"127.0.0.1:{serve.port}", "--threads", threads, code=1))

    @without_ubsan
    def test_lack_of_descriptors(self):
        for count in (4, 5, 6, 30):
            said = self.refused("127.0.0.1:0", "--threads", "64", code=1, **few_descriptors(count))
            self.assertIn("Too many open files", said)

    def test_help(self):
        done = subprocess.run([SERVE, "--help"], capture_output=True, text=True, timeout=20)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("/flaky/ID", done.stdout)

    def test_every_backend(self):
        for backend in ("epoll", "poll"):
            with Serve("--backend", backend, "--log") as serve:
                said = serve.ask(b"GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                self.assertTrue(said.endswith(b"hello"), said)


class Limits(unittest.TestCase):
    def test_connections_per_peer(self):
        with Serve("--connections-per-peer-max", "1") as serve, serve.connect() as first:
            first.sendall(b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            self.assertIn(b" 200 ", first.recv(4096))
            said = b""
            with contextlib.suppress(ConnectionResetError):  # which may come before connect() has returned
                with serve.connect() as second:
                    said = read_all(second)
            self.assertEqual(said, b"")
            first.sendall(b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n")
            self.assertIn(b" 200 ", first.recv(4096))


class End(unittest.TestCase):
    """SIGTERM and SIGINT: what is in work finishes; a second one does not wait."""

    def begin_slow(self, serve, milliseconds):
        wire = serve.connect()
        wire.sendall(b"GET /delay/%d HTTP/1.1\r\nHost: h\r\n\r\n" % milliseconds)
        time.sleep(0.1)
        return wire

    def test_what_is_in_work_finishes(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with Serve() as serve, serve.connect() as idle, self.begin_slow(serve, 500) as wire:
                serve.process.send_signal(number)
                self.assertEqual(read_all(idle), b"")
                said = read_all(wire)
                self.assertTrue(said.endswith(b"after 500 ms\n"), said)
                self.assertIn(b"Connection: close", said)
                self.assertEqual(serve.process.wait(10), 0)
                self.assertIn("1 idle closed, 1 drained, 0 aborted", serve.process.stderr.read())
                with self.assertRaises(ConnectionRefusedError):
                    serve.connect()

    def test_a_second_signal_does_not_wait(self):
        with Serve() as serve, self.begin_slow(serve, 60_000) as wire:
            serve.process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
            self.assertIsNone(serve.process.poll())
            began = time.monotonic()
            serve.process.send_signal(signal.SIGTERM)
            self.assertEqual(serve.process.wait(5), 0)
            self.assertLess(time.monotonic() - began, 3)
            self.assertEqual(read_all(wire), b"")
            self.assertIn("0 drained, 1 aborted", serve.process.stderr.read())

    def test_the_grace_ends(self):
        with Serve("--grace", "0.2") as serve, self.begin_slow(serve, 60_000):
            serve.process.send_signal(signal.SIGTERM)
            self.assertEqual(serve.process.wait(5), 0)


unittest.main()
