#!/usr/bin/env python3
"""esc-fetch beside curl: the same command lines, the same bytes on the wire, the same exit codes. What differs on
purpose is listed with its reason (docs/esc-fetch.md)."""
import gzip
import json
import os
import subprocess
import time
import unittest
import zlib

from beside_curl import BAD, CURL, MOVED, OK, BesideCurl as Beside
from programs import FETCH, closed_port, peer

SHORT = (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" +
         gzip.compress(b"words " * 5000)[:20])


class BesideCurl(Beside):
    def test_requests(self):
        for arguments in (
                ["URL/x"], ["-d", "@f1", "URL/x"], ["-d", "a=1", "-d", "b=2", "URL"], ["-d", "", "URL"],
                ["--data-binary", "@f1", "URL"], ["--data-raw", "@f1", "URL"], ["-d", "-x", "URL"],
                ["--data-urlencode", "a=b c", "--data-urlencode", "@f1", "--data-urlencode", "n@f1",
                 "--data-urlencode", "=x&", "--data-urlencode", "pl ain", "URL"],
                ["--json", "{}", "URL/x"], ["--json", "{", "--json", "}", "-H", "Accept: x/y", "URL"],
                ["-G", "-d", "a=b", "-d", "c=d", "URL/x?y"], ["-G", "-d", "a=b", "URL/x"],
                ["-G", "-I", "-d", "a=b", "URL/x"], ["-I", "URL"],
                ["-F", "a=b", "-F", "g=<f1", "-F", "h=@f1;type=text/x;filename=q", "URL/x"],
                ["-F", "a=\"x;y\"", "-F", "b=z;type=a/b", "--form-string", "c=@x;type=y", "-F", "t=@name.txt", "URL"],
                ["-e", "http://r/", "-A", "me", "URL"], ["-A", "", "URL"], ["-u", "a:b", "-r", "1-2", "URL"],
                ["-u", "a:", "URL"], ["-X", "PUT", "-d", "x", "-H", "Content-Type: a/b", "URL"],
                ["-X", "DELETE", "URL/a"], ["-H", "X-Empty;", "-H", "Accept:", "-H", "X: y", "URL"],
                ["-C", "0", "URL"], ["-XPOST", "-dx", "URL"], ["--url", "URL/u"],
                ["-F", 'a=@"a;b.txt"', "-F", 'b=<"a;b.txt"', "-F", 'c="@f1"', "-F", '"d"="x";type=a/b', "URL"],
                ["-H", "@fields", "-H", "A: b", "URL"], ["-d", "-K", "URL"], ["-X", "POST", "URL"],
                ["-m", "0", "--connect-timeout", "0", "--retry-max-time", "0", "--max-filesize", "0", "URL"],
                ["-T", "f1", "URL/"], ["-T", "f1", "URL/y"], ["-T", "f1", "-X", "POST", "URL/y"]):
            with self.subTest(arguments=arguments):
                self.same(*arguments)

    def test_redirects(self):
        self.same("-L", "-d", "a", "URL/x", answers=(MOVED, OK))
        self.same("-L", "URL/x", answers=(MOVED, OK))
        self.same("-L", "-X", "DELETE", "URL/x", answers=(MOVED, OK))
        self.same("-L", "-X", "POST", "URL/x", answers=(MOVED, OK))
        self.same("-L", "-X", "POST", "-d", "a", "URL/x", answers=(MOVED, MOVED, OK))
        see_other = MOVED.replace(b"302 Found", b"303 See Other")
        self.same("-L", "-X", "PATCH", "-d", "a", "URL/x", answers=(see_other, OK))
        self.same("-L", "--max-redirs", "-1", "URL/x", answers=(*[MOVED] * 60, OK))
        self.same("URL/x", answers=(MOVED,))
        self.same("-L", "--max-redirs", "1", "URL/x", answers=(MOVED, MOVED))

    def test_exit_codes_of_statuses(self):
        for options in (["-f"], ["-f", "-S"], []):
            code, out, _ = self.same(*options, "URL", answers=(BAD,))
            self.assertEqual((code, out), (22, b"") if options else (0, b"no"))

    def test_exit_codes_of_peers(self):
        for answer, code in ((None, 56), (b"", 52), (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", 18),
                             (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 18)):
            self.assertEqual(self.same("URL", answers=(answer,))[0], code, answer)

    def test_exit_codes_without_a_peer(self):
        closed = f"http://127.0.0.1:{closed_port()}/"
        for arguments, code in (([closed], 7), (["-f", closed], 7), (["nonsense://h/"], 1), (["http://"], 3),
                                (["http://a b/"], 3), (["--nonsense", closed], 2), ([], 2), ([closed, "-d"], 2),
                                (["http://no.such.host.invalid/"], 6), (["-m", "x", closed], 2),
                                (["-T", "/nowhere", closed], 26), (["-F", "nonsense", closed], 2),
                                (["-F", "a=@/nowhere", closed], 26), (["-d", "a", "-F", "b=c", closed], 2),
                                (["-I", "-d", "a", closed], 2), (["-T", "f1", "-d", "a", closed], 2),
                                (["-O", closed], 23)):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.same(*arguments, answers=())[0], code)

    def test_exit_codes_of_outputs(self):
        self.assertEqual(self.same("-o", "/nowhere/x", "URL")[0], 23)

    def test_limited_size(self):
        for limit, code, left in (("1", 63, b"hello\r\nworld\n"), ("2", 0, b"ok"), ("1k", 0, b"ok"), ("0", 0, b"ok")):
            self.assertEqual(self.same("--max-filesize", limit, "-o", "f1", "URL")[0], code)
            with open(os.path.join(self.folder.name, "f1"), "rb") as file:
                self.assertEqual(file.read(), left)

    def test_resuming(self):
        rest = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 13-14/15\r\nContent-Length: 2\r\n\r\nok"
        complete = b"HTTP/1.1 416 Range\r\nContent-Range: bytes */13\r\nContent-Length: 2\r\n\r\nno"
        unsaid = b"HTTP/1.1 416 Range\r\nContent-Length: 2\r\n\r\nno"
        other = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 5-6/15\r\nContent-Length: 2\r\n\r\nok"
        for answer, code, left in ((rest, 0, b"hello\r\nworld\nok"), (complete, 0, b"hello\r\nworld\n"),
                                   (unsaid, 0, b"hello\r\nworld\n"),
                                   (OK, 33, b"hello\r\nworld\n"), (other, 33, b"hello\r\nworld\n")):
            self.assertEqual(self.same("-C", "-", "-o", "f1", "URL", answers=(answer,))[0], code, answer)
            with open(os.path.join(self.folder.name, "f1"), "rb") as file:
                self.assertEqual(file.read(), left)

    def test_files_named_by_the_url(self):
        self.same("-O", "URL/a/b.txt?x")
        with open(os.path.join(self.folder.name, "b.txt"), "rb") as file:
            self.assertEqual(file.read(), b"ok")
        self.same("-o", "one", "-o", "two", "URL/1", "URL/2", answers=(OK, OK))
        self.assertTrue(os.path.exists(os.path.join(self.folder.name, "two")))
        self.same("--remote-name-all", "--output-dir", ".", "URL/n1", "URL/n2", answers=(OK, OK))
        self.assertTrue(os.path.exists(os.path.join(self.folder.name, "n2")))

    def test_heads(self):
        self.same("-i", "URL")
        self.same("-L", "-i", "URL/x", answers=(MOVED, OK))

    def test_write_out(self):
        for text in ("%{http_code} %{response_code} %{size_download} %{method} %{content_type}|%{exitcode}",
                     "%{num_redirects} %{num_connects} %{num_headers} %{scheme} %{http_version} %{urlnum}",
                     r"%{nope}%% %a 100%\n\t\r\x", "%header{content-length}|%header{nope}", "%{remote_ip} %{errormsg}|",
                     "%{size_upload} %{filename_effective} %{onerror}none", "%{stderr}x%{stdout}y"):
            with self.subTest(text=text):
                self.same("-w", text, "URL/x")
        self.same("-L", "-w", "%{num_redirects} %{http_code} %{redirect_url}", "URL/x", answers=(MOVED, OK))
        self.same("-w", "%{num_redirects} %{http_code}", "URL/x", answers=(MOVED,))
        self.same("-f", "-w", "%{exitcode} %{onerror}failed", "URL/x", answers=(BAD,))
        self.write("format", b"%{http_code}\\n")
        self.assertEqual(self.run_one(FETCH, (OK,), ["-w", "@format", "URL"])[1], b"ok200\n")

    def test_write_out_as_json(self):
        moved = MOVED.replace(b"Location", b"Content-Type: a/b\r\nLocation")
        for answers, url in (((OK,), "URL"), ((moved,), "URL"), ((), f"http://127.0.0.1:{closed_port()}/")):
            said = [json.loads(self.run_one(program, answers, ["-o", "out", "-w", "%{json}", url])[1])
                    for program in (FETCH, CURL)]
            theirs = {key: type(value) for key, value in said[1].items() if key in said[0]}
            if not answers:
                theirs["scheme"] = str  # curl's is known once it has connected
            self.assertEqual({key: type(said[0][key]) for key in theirs}, theirs)
            self.assertEqual(said[0]["http_code"], said[1]["http_code"])

    def test_compressed(self):
        words = b"words " * 5000
        for coding, packed in (("gzip", gzip.compress(words)), ("deflate", zlib.compress(words))):
            head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(packed)}\r\n\r\n"
            answer = head.encode() + packed
            code, out, _ = self.run_one(FETCH, (answer,), ["--compressed", "URL"])
            self.assertEqual((code, out), (0, b"words " * 5000))
            self.assertEqual(self.run_one(FETCH, (answer,), ["URL"])[1], packed)
            broken = answer.replace(packed, b"x" * len(packed))
            for program in (FETCH, CURL):
                self.assertEqual(self.run_one(program, (broken,), ["--compressed", "URL"])[0], 61)
        short = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + packed[:20]
        self.assertEqual(self.run_one(FETCH, (short,), ["--compressed", "URL"])[0], 61)

    def test_beside_each_other(self):
        urls = [f"URL/{i}" for i in range(5)]
        with peer(*[OK] * 5, whole=True) as (port, requests):
            named = (f"http://127.0.0.1:{port}/p{i}" for i in range(5))
            done = subprocess.run([FETCH, "-Z", "--remote-name-all", *named],
                                  capture_output=True, timeout=30, cwd=self.folder.name)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        self.assertEqual(len(requests), 5)
        for i in range(len(urls)):
            with open(os.path.join(self.folder.name, f"p{i}"), "rb") as file:
                self.assertEqual(file.read(), b"ok")

    def test_limited_rate(self):
        body = b"x" * 60_000
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n" + body
        began = time.monotonic()
        code, out, _ = self.run_one(FETCH, (answer,), ["--limit-rate", "100k", "URL"])
        self.assertEqual((code, out), (0, body))
        self.assertGreater(time.monotonic() - began, 0.55)
        for wrong in ("x", "0", "-1", "1kk", ""):
            self.assertEqual(self.run_one(FETCH, (), ["--limit-rate", wrong, "http://h/"])[0], 2)

    def test_a_long_file_is_streamed(self):
        self.write("long", b"0123456789" * 300_000)
        for arguments in (["-T", "long", "URL/"], ["-F", "a=@long", "URL"]):
            curls = self.run_one(CURL, (OK,), arguments)
            ours = self.run_one(FETCH, (OK,), arguments)
            self.assertEqual(ours, curls)

    def test_configuration(self):
        text = b'# comment\nurl = "URL/k"\n-d "a \\"b\\""\nheader: X:y\nuser-agent=me\nsilent\n'
        self.write("outer", b"config = config\nsilent\n")
        ways = (["-K", "config"], ["-Kconfig"], ["-sKconfig"], ["-sK", "config"], ["--config", "config"],
                ["-K", "outer"])
        for program, way in [(program, way) for program in (CURL, FETCH) for way in ways]:
            with peer(OK, whole=True) as (port, requests):
                self.write("config", text.replace(b"URL", f"http://127.0.0.1:{port}".encode()))
                done = subprocess.run([program, *way], capture_output=True, timeout=30, cwd=self.folder.name)
            self.assertEqual((done.returncode, done.stdout), (0, b"ok"), done.stderr)
            self.assertIn(b"POST /k HTTP/1.1\r\n", requests[0])
            self.assertIn(b"X: y\r\n" if program == FETCH else b"X:y\r\n", requests[0])
            self.assertIn(b"User-Agent: me\r\n", requests[0])
            self.assertTrue(requests[0].endswith(b'a "b"'))
        self.write("itself", b"-K itself\n")
        self.assertEqual(self.run_one(FETCH, (), ["-K", "itself", "http://h/"])[0], 2)

    def test_retries(self):
        busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        self.same("--retry", "2", "--retry-delay", "1", "-w", "%{http_code}", "URL", answers=(busy, OK))

    def test_differences(self):
        """Each with what curl does, so that a change of curl's is noticed."""
        for arguments, answers, ours, theirs in (
                ([f"http://127.0.0.1:{closed_port()}/", "URL"], (OK,), 7, 0),   # a failure is not forgotten
                (["-d", "@/nowhere", "URL"], (OK,), 26, None),                  # older curls send an empty body
                (["-H", "@/nowhere", "URL"], (OK,), 26, 0),                     # only a warning
                (["--fail-with-body", "-d", "@", "URL"], (OK,), 26, None),
                (["--compressed", "URL"], (SHORT,), 61, 0),                     # half a body is no body
                (["URL"], (b"garbage\r\n\r\n",), 8, 1),                         # any malformed response is 8
                (["URL"], (b"HTTP/1.1 200 OK\r\nContent-Le",), 56, 0)):         # half a head is no response
            with self.subTest(arguments=arguments):
                self.assertEqual(self.run_one(FETCH, answers, arguments)[0], ours)
                code = self.run_one(CURL, answers, arguments)[0]
                self.assertIn(theirs, (None, code))


unittest.main()
