#!/usr/bin/env python3
"""esc-fetch: every option, and one sentence and its own exit code for everything that goes wrong."""
import base64
import json
import os
import re
import socket
import subprocess
import tempfile
import time
import unittest

from programs import FETCH, Serve, closed_port, fetch, few_descriptors, peer, without_ubsan

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class WithServe(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.serve = Serve()
        cls.url = cls.serve.url

    @classmethod
    def tearDownClass(cls):
        cls.serve.__exit__()

    def body(self, *arguments, **options):
        done = fetch(*arguments, **options)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout

    def fails(self, code, *arguments, out=b"", **options):
        """Exactly one sentence, which is returned; nothing but `out` on standard output."""
        done = fetch(*arguments, **options)
        self.assertEqual((done.returncode, done.stdout), (code, out), done.stderr)
        said = done.stderr.decode()
        self.assertRegex(said, r"\Aesc-fetch: [^\n]+\n\Z")
        return said


def request_of(*arguments, answer=OK):
    """What esc-fetch sends."""
    with peer(answer) as (port, requests):
        done = fetch(*arguments, f"http://127.0.0.1:{port}/x")
    return done, requests[0].decode()


class Proxies(WithServe):
    def through(self, *arguments, answer=OK, url="http://a.test/x", **options):
        """What the proxy hears, and the exit code."""
        with peer(answer) as (port, requests):
            arguments = [argument.replace("PROXY", f"127.0.0.1:{port}") for argument in arguments]
            environment = options.get("env")
            if environment:
                environment = {k: v.replace("PROXY", f"127.0.0.1:{port}") for k, v in environment.items()}
            done = fetch(*arguments, url, **({"env": environment} if environment else {}))
            return (requests[0].decode() if requests else ""), done.returncode

    def test_http(self):
        heard, code = self.through("-x", "PROXY")
        self.assertTrue(heard.startswith("GET http://a.test/x HTTP/1.1\r\nHost: a.test\r\n"), heard)
        self.assertNotIn("Proxy-Authorization", heard)
        self.assertEqual(code, 0)
        credentials = base64.b64encode(b"us:p:w").decode()
        for arguments in (["-x", "PROXY", "--proxy-user", "us:p:w"], ["-x", "http://us:p%3Aw@PROXY"]):
            heard, code = self.through(*arguments)
            self.assertIn(f"\r\nProxy-Authorization: Basic {credentials}\r\n", heard)

    def test_the_environment(self):
        heard, code = self.through(env={"http_proxy": "http://PROXY"})
        self.assertTrue(heard.startswith("GET http://a.test/x "), heard)
        heard, code = self.through("--noproxy", "*", url=self.url + "/hello", env={"http_proxy": "http://PROXY"})
        self.assertEqual((heard, code), ("", 0))
        heard, code = self.through("-x", "", url=self.url + "/hello", env={"all_proxy": "http://PROXY"})
        self.assertEqual((heard, code), ("", 0))
        heard, code = self.through(url=self.url + "/hello", env={"HTTP_PROXY": "http://PROXY"})
        self.assertEqual((heard, code), ("", 0))

    def test_a_tunnel_that_is_refused(self):
        heard, code = self.through("-x", "PROXY", url="https://a.test/", answer=b"HTTP/1.1 407 \r\n\r\n")
        self.assertTrue(heard.startswith("CONNECT a.test:443 HTTP/1.1\r\n"), heard)
        self.assertEqual(code, 56)

    def test_what_is_no_proxy(self):
        self.assertIn("--proxy", self.fails(2, "-x", "ftp://p", self.url))
        self.assertIn("proxy http://127.0.0.1", self.fails(7, "-x", f"127.0.0.1:{closed_port()}", "http://a.test/"))

    def test_certificates(self):
        self.assertIn("--cert", self.fails(58, "--cert", "/nonexistent", "https://a.test/"))
        self.assertIn("no pin", self.fails(77, "--pinnedpubkey", "md5//x", "https://a.test/"))


class Options(WithServe):
    def test_a_body(self):
        self.assertEqual(self.body(self.url + "/hello"), b"hello")
        self.assertEqual(self.body(self.url.removeprefix("http://") + "/hello"), b"hello")
        self.assertEqual(self.body(self.url + "/hello", self.url + "/hello?name=2"), b"hellohello 2")

    def test_any_complete_answer_is_success(self):
        for status in (200, 404, 500, 503):
            self.assertNotEqual(self.body(f"{self.url}/status/{status}"), b"")
        self.assertEqual(self.body(self.url + "/status/204"), b"")

    def test_silent(self):
        done = fetch("-s", f"http://127.0.0.1:{closed_port()}/")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (7, b"", b""))

    def test_max_time(self):
        began = time.monotonic()
        ended = "esc-fetch: the whole transfer did not end within 200ms; "
        self.assertEqual(self.fails(28, "-m", "0.2", self.url + "/delay/30000"),
                         ended + "it was waiting for the response\n")
        said = self.fails(28, "-m", "0.2", "-o", os.devnull, self.url + "/drip?bytes=2&interval_ms=30000")
        self.assertRegex(said, ended + r"[01] bytes? of the body had arrived\n")
        self.assertLess(time.monotonic() - began, 10)
        self.assertEqual(self.body("-m", "30", self.url + "/hello"), b"hello")

    def test_redirects(self):
        self.assertEqual(self.body(self.url + "/redirect/2"), b"")
        self.assertEqual(self.body("-L", self.url + "/redirect/2"), b"hello")
        self.assertEqual(self.body("-L", "--max-redirs", "3", self.url + "/redirect/3"), b"hello")
        self.fails(47, "-L", "--max-redirs", "2", self.url + "/redirect/3")
        self.fails(47, "-L", "--max-redirs", "0", self.url + "/redirect/1")

    def test_headers(self):
        _, said = request_of("-H", "X-One: 1", "-H", "x-two:2", "-H", "User-Agent: me")
        self.assertIn("X-One: 1\r\n", said)
        self.assertIn("x-two: 2\r\n", said)
        self.assertEqual(said.lower().count("user-agent"), 1)
        self.assertIn("colon", self.fails(2, "-H", "nonsense", self.url))
        for wrong in ("X: a\r\nInjected: b", ": b", "Content-Length: 5", "A b: c"):
            self.fails(2, "-H", wrong, self.url + "/hello")

    def test_headers_left_out_and_empty(self):
        for line in ("User-Agent:", "user-agent: "):
            self.assertNotIn("user-agent", request_of("-H", line)[1].lower())
        self.assertNotIn("accept", request_of("-H", "Accept:")[1].lower())
        self.assertNotIn("content-type", request_of("-H", "Content-Type:", "-d", "x")[1].lower())
        self.assertIn("X-None: \r\n", request_of("-H", "X-None;")[1])

    def test_methods(self):
        self.assertTrue(request_of("-X", "PURGE")[1].startswith("PURGE /x HTTP/1.1\r\n"))
        self.fails(2, "-X", "NOT ONE", self.url + "/hello")

    def test_data(self):
        for option in ("--data-binary", "-d", "--data", "--data-raw"):
            _, said = request_of(option, "a=b")
            self.assertTrue(said.startswith("POST /x HTTP/1.1\r\n"), said)
            self.assertIn("Content-Length: 3\r\n", said)
            self.assertIn("application/x-www-form-urlencoded", said)
            self.assertTrue(said.endswith("\r\n\r\na=b"), said)
        self.assertIn("Content-Length: 0\r\n", request_of("--data-binary", "")[1])
        self.assertTrue(request_of("-d", "a=1", "--data", "b=2", "-d", "")[1].endswith("\r\n\r\na=1&b=2&"))
        self.assertTrue(request_of("-X", "PUT", "--data-binary", "x")[1].startswith("PUT "))

    def test_data_of_a_file(self):
        with tempfile.NamedTemporaryFile() as file:
            file.write(b"\0binary\n\xff" * 10_000)
            file.flush()
            said = self.body("--data-binary", "@" + file.name, self.url + "/echo")
            self.assertEqual(said, b"\0binary\n\xff" * 10_000)
        self.assertEqual(self.body("--data-binary", "@-", self.url + "/echo", stdin=None, input=b"piped\n"), b"piped\n")
        self.assertIn("/nowhere/at-all", self.fails(26, "--data-binary", "@/nowhere/at-all", self.url + "/echo"))
        self.fails(26, "--data-binary", "@/", self.url + "/echo")

    def test_user(self):
        self.assertIn("Authorization: Basic dTpw\r\n", request_of("-u", "u:p")[1])
        with peer(OK) as (port, requests):
            fetch(f"http://u:p@127.0.0.1:{port}/")
        self.assertIn(b"Authorization: Basic dTpw\r\n", requests[0])
        with peer(OK) as (port, requests):
            fetch(f"http://u%40x:p%3aq@127.0.0.1:{port}/")
        self.assertIn(b"Authorization: Basic " + base64.b64encode(b"u@x:p:q") + b"\r\n", requests[0])

    def test_head(self):
        head = self.body("-I", self.url + "/hello").decode()
        self.assertTrue(head.startswith("HTTP/1.1 200 OK\r\n"), head)
        self.assertTrue(head.endswith("\r\n\r\n"), head)
        self.assertTrue(request_of("-I")[1].startswith("HEAD "))
        self.assertTrue(self.body("-i", self.url + "/hello").endswith(b"\r\n\r\nhello"))

    def test_output(self):
        with tempfile.TemporaryDirectory() as folder:
            name = os.path.join(folder, "out")
            self.assertEqual(self.body("-o", name, self.url + "/hello"), b"")
            with open(name, "rb") as file:
                self.assertEqual(file.read(), b"hello")
        self.fails(23, "-o", "/nowhere/at-all", self.url + "/hello")

    def test_output_to_standard_output(self):
        self.assertEqual(self.body("-o", "-", self.url + "/hello"), b"hello")

    def test_output_that_is_full_or_closed(self):
        for arguments in ([], ["-I"], ["--report"], ["-i"]):
            for path in ("/hello", "/echo"):
                with self.subTest(arguments=arguments, path=path), open("/dev/full", "wb") as full:
                    done = subprocess.run([FETCH, *arguments, self.url + path], stdout=full, stderr=subprocess.PIPE,
                                          timeout=20)
                    wanted = 0 if path == "/echo" and not arguments else 23
                    self.assertEqual(done.returncode, wanted, done.stderr)
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run([FETCH, self.url + "/hello"], stdout=writer, stderr=subprocess.PIPE, timeout=20)
        os.close(writer)
        self.assertEqual((done.returncode, done.stderr.count(b"\n")), (23, 1), done.stderr)

    def test_output_is_made_when_the_answer_comes(self):
        with tempfile.TemporaryDirectory() as folder:
            name = os.path.join(folder, "out")
            self.fails(7, "-o", name, f"http://127.0.0.1:{closed_port()}/")
            self.assertFalse(os.path.exists(name))
            self.assertEqual(self.body("-o", name, self.url + "/echo"), b"")
            self.assertEqual(os.path.getsize(name), 0)

    def test_bodies_that_are_too_large(self):
        endless = b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (65 << 20)
        with peer(endless) as (port, _):
            done = fetch("--report", f"http://127.0.0.1:{port}/")
        self.assertEqual((done.returncode, json.loads(done.stdout)["error"]["kind"]), (63, "limit_exceeded"))
        self.fails(63, "--max-filesize", "4", self.url + "/hello")
        self.assertEqual(self.body("--max-filesize", "5", self.url + "/hello"), b"hello")

    def test_address_families(self):
        self.assertEqual(self.body("-4", self.url + "/hello"), b"hello")
        self.fails(6, "-6", self.url + "/hello")
        self.fails(2, "-4", "-6", self.url + "/hello")

    def test_resolve(self):
        port = self.serve.port
        self.assertEqual(self.body("--resolve", f"some.test:{port}:127.0.0.1", f"http://some.test:{port}/hello"),
                         b"hello")
        with peer(OK) as (other, requests):
            fetch("--resolve", f"+some.test:{other}:127.0.0.1", f"http://some.test:{other}/")
        self.assertIn(f"Host: some.test:{other}\r\n".encode(), requests[0])
        for wrong in ("nonsense", "h:80", "h:80:name", "h:x:127.0.0.1", ":80:", "h:80:1.2.3.4,", "h:80:1.2.3.4,x"):
            self.fails(49, "--resolve", wrong, self.url)

    def test_connect_timeout(self):
        # A listener whose backlog is full: the kernel drops what comes.
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = []
        for _ in range(4):
            wire = socket.socket()
            wire.setblocking(False)
            wire.connect_ex(("127.0.0.1", port))
            waiting.append(wire)
        time.sleep(0.1)
        began = time.monotonic()
        said = self.fails(28, "--connect-timeout", "0.2", f"http://127.0.0.1:{port}/")
        self.assertIn("200ms", said)
        self.assertLess(time.monotonic() - began, 10)
        for wire in (*waiting, listener):
            wire.close()

    def test_retries(self):
        url = self.url + "/flaky/{}?fail=2"
        self.assertEqual(self.body("--retry", "2", "--retry-delay", "0.01", url.format("r1")), b"fine\n")
        self.assertEqual(self.body("--retry", "1", "--retry-delay", "0.01", url.format("r2")), b"not yet\n")
        with peer(None, None, OK) as (port, requests):
            self.assertEqual(self.body("--retry", "2", "--retry-delay", "0.01", f"http://127.0.0.1:{port}/"), b"ok")
        self.assertEqual(len(requests), 3)

    def test_per_try_timeout(self):
        with peer(b"", OK, close=False) as (port, requests):
            self.assertEqual(self.body("--retry", "1", "--retry-delay", "0.01", "--per-try-timeout", "0.2", "-I",
                                       f"http://127.0.0.1:{port}/")[:15], b"HTTP/1.1 200 OK")
        self.assertEqual(len(requests), 2)
        with peer(b"", close=False) as (port, _):
            self.assertIn("200ms", self.fails(28, "--per-try-timeout", "0.2", f"http://127.0.0.1:{port}/"))

    def test_trace(self):
        done = fetch("--trace", "--retry", "1", "--retry-delay", "0.01", self.url + "/flaky/t?fail=1")
        self.assertEqual((done.returncode, done.stdout), (0, b"fine\n"))
        # A slow machine also shows the time before the connection was begun.
        lines = [line for line in done.stderr.decode().splitlines() if "  queue  " not in line]
        found = [re.fullmatch(r" *([\d.]+) ms +([\d.]+) ms  (\w+) +\|([ =]{40})\|(?:  )?(.*)", line) for line in lines]
        self.assertTrue(all(found), lines)
        names = [match[3] for match in found]
        self.assertEqual([name for name in names if name != "pause"], ["connect", "wait", "wait", "body"])
        self.assertRegex(found[1][5], r"^GET .*/flaky/t\?fail=1  503$")
        self.assertTrue(found[-2][5].endswith("  200"), lines)
        self.assertEqual(found[-1][5], "5 bytes")
        for match in found:
            self.assertLessEqual(float(match[1]), float(match[2]))
            self.assertIn("=", match[4])

    def test_explain(self):
        done = fetch("--explain", "--retry", "1", "--retry-delay", "0.01", self.url + "/flaky/e?fail=1")
        self.assertEqual((done.returncode, done.stdout), (0, b"fine\n"))
        said = done.stderr.decode()
        for wanted in ("1. GET ", "over a new connection to 127.0.0.1:", "; 503 after", "it is tried again after",
                       "2. GET ", "over a kept connection; 200 after", "retries: 1 of 1", "body: 5 bytes",
                       "outcome: a complete response, 200"):
            self.assertIn(wanted, said)
        said = fetch("--explain", f"http://127.0.0.1:{closed_port()}/").stderr.decode()
        self.assertIn("a connection was tried for", said)
        self.assertIn("Connection refused", said)

    def test_report(self):
        said = json.loads(self.body("--report", self.url + "/hello"))
        self.assertEqual((said["complete"], said["status"], said["body"], said["bytes"]), (True, 200, "hello", 5))
        self.assertEqual([attempt["outcome"] for attempt in said["attempts"]], ["200"])
        done = fetch("--report", f"http://127.0.0.1:{closed_port()}/")
        said = json.loads(done.stdout)
        self.assertEqual((done.returncode, said["complete"], said["error"]["kind"]), (7, False, "unavailable"))

    def test_report_of_bytes_that_are_no_text(self):
        report = self.body("--report", "--data-binary", "@-", self.url + "/echo", stdin=None, input=b"\xff\0a")
        said = json.loads(report)
        self.assertEqual(said["bytes"], 3)

    def test_every_backend(self):
        for backend in ("epoll", "poll"):
            self.assertEqual(self.body("--backend", backend, self.url + "/hello"), b"hello")


class Failures(WithServe):
    def test_command_line(self):
        for wrong in (["--nonsense", self.url], [], ["--backend", "kqueue", self.url]):
            self.fails(2, *wrong)
        for wrong in (["--no-such"], ["-9"], ["-9", self.url]):
            self.assertIn(wrong[0], self.fails(2, *wrong))
        for option in ("-m", "--max-redirs", "--connect-timeout", "--retry", "--retry-delay", "--per-try-timeout",
                       "--max-filesize"):
            for value in ("x", "-2", "nan", "inf", "1x", ""):
                said = self.fails(2, option, value, self.url)
                self.assertRegex(said, f'"{value}" is not a (whole )?number')
        self.assertIn('"0" is not a number above 0', self.fails(2, "--per-try-timeout", "0", self.url))

    def test_malformed_urls(self):
        for wrong in ("http://", "http:///x", "http://h:x/", "http://h:70000/", "http://[::1/", "http://a b/",
                      "http://h\r\nX: y/", "http://u@/"):
            self.assertIn("URL", self.fails(3, wrong), wrong)
        self.fails(1, "nonsense://h/")

    def test_a_scheme_stands_before_everything_else(self):
        for given in ("/?u=http://x/", "/http://x/", "?u=http://x/", "/#http://x/"):
            with peer(OK) as (port, requests):
                self.body(f"127.0.0.1:{port}{given}")
            sent = given.split("#")[0]
            sent = sent if sent.startswith("/") else "/" + sent
            self.assertEqual(requests[0].split(b"\r\n")[0].decode(), f"GET {sent} HTTP/1.1")
        self.assertIn("no such host", self.fails(6, "some.onion/?u=http://x/"))

    def test_urls_go_out_as_given_and_what_is_missing_is_encoded(self):
        for given, sent in ((r"/?a=\b", "/?a=%5Cb"), ("/?x=100%&q=%zz", "/?x=100%&q=%zz"),
                            ("/f%2Dile%7E?sig=a%2Db%3d&x=%2e", "/f%2Dile%7E?sig=a%2Db%3d&x=%2e"),
                            ("/caf\u00e9?a b", "/caf%C3%A9?a%20b"), ("/a/%2e%2E/b#c", "/b")):
            with peer(OK, OK) as (port, requests):
                self.body(f"http://127.0.0.1:{port}{given}")
                self.body(f"127.0.0.1:{port}{given}")
            for request in requests:
                self.assertEqual(request.split(b"\r\n")[0].decode(), f"GET {sent} HTTP/1.1")

    def test_a_location_is_read_as_browsers_read_it(self):
        for location, sent in ((b"/caf\xc3\xa9", "/caf%C3%A9"), (b"/caf\xe9", "/caf%E9"), (b"/a b", "/a%20b"),
                               (b"/a?q=50%", "/a?q=50%"), (b"/a\\b", "/a/b"), (b"/%2D?%2d", "/%2D?%2d")):
            redirect = b"HTTP/1.1 302 Found\r\nLocation: " + location + b"\r\nContent-Length: 0\r\n\r\n"
            with peer(redirect, OK) as (port, requests):
                self.body("-L", f"http://127.0.0.1:{port}/")
            self.assertEqual(requests[1].split(b"\r\n")[0].decode(), f"GET {sent} HTTP/1.1")

    def test_what_the_path_says_decides_nothing(self):
        with peer(b"nonsense\r\n\r\n") as (port, _):
            self.fails(8, f"http://127.0.0.1:{port}/TLS")
        with peer(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000) as (port, _):
            self.fails(56, f"http://127.0.0.1:{port}/redirects")
        for code, location in ((47, "/TLS"), (1, "nonsense://h/"), (3, "http://")):
            answer = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
            with peer(answer, answer) as (port, _):
                self.fails(code, "-L", "--max-redirs", "1", f"http://127.0.0.1:{port}/TLS")

    def test_nobody_there(self):
        port = closed_port()
        said = self.fails(7, f"http://127.0.0.1:{port}/")
        self.assertIn(f"127.0.0.1:{port}: Connection refused", said)

    @without_ubsan
    def test_more_origins_than_descriptors(self):
        with Serve(address="0.0.0.0:0") as serve:
            urls = [f"http://127.0.0.{host}:{serve.port}/hello" for host in range(1, 60)]
            self.assertEqual(self.body(*urls, **few_descriptors(20)), b"hello" * len(urls))

    def test_report_says_which_limit_it_was(self):
        done = fetch("--report", "-m", "0.25", self.url + "/delay/30000")
        error = json.loads(done.stdout)["error"]
        self.assertEqual((error["limit"]["name"], error["limit"]["length_ms"]), ("overall", 250))
        self.assertGreaterEqual(error["limit"]["elapsed_ms"], 250)
        done = fetch("--report", "--per-try-timeout", "0.1", "--retry", "1", "--retry-delay", "0",
                     self.url + "/delay/30000")
        error = json.loads(done.stdout)["error"]
        self.assertEqual((error["limit"]["name"], error["attempt"], error["peer"]), ("per_try", 2, self.url))
        done = fetch("--report", f"http://127.0.0.1:{closed_port()}/")
        self.assertFalse(json.loads(done.stdout)["error"]["maybe_sent"])

    @without_ubsan
    def test_lack_of_descriptors(self):
        for count in (4, 5):
            said = self.fails(7, f"http://127.0.0.1:{closed_port()}/", **few_descriptors(count))
            self.assertIn("Too many open files", said)

    def test_no_such_host(self):
        self.assertIn("no such host", self.fails(6, "http://some.onion/"))  # not asked for (RFC 7686)

    def test_no_answer(self):
        with peer(b"") as (port, _):
            self.fails(52, f"http://127.0.0.1:{port}/")
        with peer(None) as (port, _):
            self.fails(56, f"http://127.0.0.1:{port}/")

    def test_garbage(self):
        for garbage in (b"SSH-2.0-OpenSSH_9.2\r\n", b"\x15\x03\x03\0\2\2\x16", b"HTTP/1.1 2x0 OK\r\n\r\n", b"<html>",
                        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
                        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"HTTP/9.9 200 OK\r\n\r\n"):
            with peer(garbage) as (port, _):
                self.fails(8, f"http://127.0.0.1:{port}/")

    def test_broken_off(self):
        for broken, out in ((b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", b"hel"),
                            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"abc"),
                            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n", b"abc")):
            with peer(broken) as (port, _):
                self.fails(18, f"http://127.0.0.1:{port}/", out=out)
        with peer(b"HTTP/1.1 200 OK\r\nContent-Le") as (port, _):
            self.fails(56, f"http://127.0.0.1:{port}/")

    def test_a_head_without_end(self):
        with peer(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000) as (port, _):
            self.fails(56, f"http://127.0.0.1:{port}/")

    def test_the_worst_of_several(self):
        done = fetch(self.url + "/hello", f"http://127.0.0.1:{closed_port()}/", self.url + "/hello")
        self.assertEqual((done.returncode, done.stdout), (7, b"hellohello"))
        self.assertEqual(done.stderr.count(b"\n"), 1)

    def test_help_and_version(self):
        done = fetch("--help")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertIn(b"--max-redirs", done.stdout)
        self.assertIn(b"Exit codes", done.stdout)
        self.assertTrue(fetch("--version").stdout.startswith(b"esc-fetch "))


unittest.main()
