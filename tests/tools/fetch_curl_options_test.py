#!/usr/bin/env python3
"""esc-fetch beside curl, option by option: globs, cookies, credentials, redirects, files, retries, proxies, --resolve.
What differs on purpose is in test_differences, and in docs/esc-fetch.md."""
import gzip
import hashlib
import os
import re
import subprocess
import tempfile
import unittest

from beside_curl import CURL, OK, BesideCurl
from programs import FETCH, closed_port, fetch, peer


def response(body=b"", status=b"200 OK", *fields):
    head = b"".join(field + b"\r\n" for field in (b"HTTP/1.1 " + status, *fields, b"Connection: close",
                                                  b"Content-Length: %d" % len(body)))
    return head + b"\r\n" + body


def moved(status=b"302 Found", to=b"/y", *fields):
    return response(b"", status, b"Location: " + to, *fields)


def named(disposition):
    return response(b"ok", b"200 OK", b"Content-Disposition: " + disposition)


ABSENT = response(b"no", b"404 Not Found")
BUSY = response(b"busy", b"503 Service Unavailable")
PARTIAL = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"


class Urls(BesideCurl):
    def test_globs(self):
        for arguments, count in ((["URL/{a,b}/[1-3]"], 6), (["URL/[a-c]", "-o", "o#1.txt"], 3),
                                 (["URL/[001-010:3]"], 4),
                                 (["URL/{a,b}", "-o", "#1_#2"], 2), (["URL/[a-c:2]"], 2), (["URL/[a-a]/[5-5]"], 1),
                                 (["URL/{a,b}", "-O"], 2), (["URL/{a,b}", "-w", "%{urlnum} %{url}\n"], 2),
                                 (["URL/{a,}x", "-o", "x#1", "URL/y", "-o", "z"], 3)):
            with self.subTest(arguments=arguments):
                self.same(*arguments, answers=[OK] * count, code=0)

    def test_globs_that_are_none(self):
        for wrong in ("{a", "[1", "[3-1]", "[1-", "a}", "b]", "{}", "[a-C]", "[1-2", "{a{b}}", "[x]", "[1-3:0]",
                      "[1-3:9]", "[0-0:2]", "{a]}", "[-1]", "[99999999999999999999-999999999999999999999]"):
            with self.subTest(wrong=wrong):
                self.same("URL/" + wrong, answers=(), code=3)
        self.assertIn(b"more than 100000 URLs", fetch("http://h/[1-1000]/[1-1000]").stderr)
        self.assertIn(b"more than 100000 URLs", fetch("http://h/[1-99999999]").stderr)

    def test_an_address_in_brackets_is_no_glob(self):
        self.same("http://[::1]:1/", answers=(), code=7)

    def test_outputs_in_order(self):
        for arguments in (["-o", "a", "-O"], ["-O", "-o", "a"], ["-OO"], ["-O"], ["-o", "a"], ["-o", "-", "-O"],
                          ["--remote-name-all", "-o", "a"]):
            self.same(*arguments, "URL/1", "URL/2", answers=[OK] * 2, code=0)

    def test_credentials_of_a_url(self):
        for url in ("http://u:p@127.0.0.1:PORT/", "http://u@127.0.0.1:PORT/", "http://:p@127.0.0.1:PORT/"):
            self.same(url)
        self.same("-u", "x:y", "http://u:p@127.0.0.1:PORT/")

    def test_queries(self):
        for arguments in (["--url-query", "a=b c"], ["--url-query", "+a=b%20c", "-d", "z"], ["-d", "a", "-G"],
                          ["--url-query", "=x y"]):
            self.same(*arguments, "URL/?x=1")

    def test_resolve(self):
        for entries in (["a.test:PORT:127.0.0.1"], ["a.test:PORT:[::1],127.0.0.1"], ["*:PORT:127.0.0.1"],
                        ["*:PORT:127.0.0.2", "a.test:PORT:127.0.0.1"], ["+a.test:PORT:127.0.0.1"],
                        ["-a.test:80", "a.test:PORT:127.0.0.1"]):
            arguments = [part for entry in entries for part in ("--resolve", entry)]
            self.same(*arguments, "http://a.test:PORT/", code=0)
        self.same("--resolve", "x", "URL", answers=(), code=49)


class Cookies(BesideCurl):
    JAR = (b"# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\ts\t1\n"
           b"127.0.0.1\tFALSE\t/\tFALSE\t4102444800\tp\t2\n127.0.0.1\tFALSE\t/sub\tFALSE\t4102444800\tq\t3\n"
           b"127.0.0.1\tFALSE\t/\tFALSE\t1000\told\t5\n#HttpOnly_127.0.0.1\tFALSE\t/\tFALSE\t4102444800\tho\t6\n"
           b"other.test\tTRUE\t/\tFALSE\t4102444800\tx\t7\n")

    def setUp(self):
        super().setUp()
        self.write("jar", self.JAR)
        self.write("bad", b"garbage\n127.0.0.1\tFALSE\t/\tFALSE\t0\ts\t1\nx\ty\n")

    def test_sent(self):
        for arguments in (["-b", "a=1"], ["-b", "a=1; b=2"], ["-b", "jar"], ["-b", "jar", "-j"], ["-b", "nofile"],
                          ["-b", "bad"], ["-b", "jar", "-b", "z=9"], ["-b", "z=9", "-H", "Cookie: mine=1"], ["-b", ""]):
            for path in ("/", "/sub/x"):
                with self.subTest(arguments=arguments, path=path):
                    self.same(*arguments, "URL" + path, code=0)

    def test_kept(self):
        sets = response(b"ok", b"200 OK", b"Set-Cookie: a=1", b"Set-Cookie: b=2; Max-Age=0",
                        b"Set-Cookie: d=4; HttpOnly",
                        b"Set-Cookie: f=6; Path=/x", b"Set-Cookie: g=7; Domain=example.org")
        drops = response(b"ok", b"200 OK", b"Set-Cookie: s=new; Path=/", b"Set-Cookie: n=1; Path=/sub")
        for arguments in (["-c", "out"], ["-c", "out", "-b", "jar"], ["-c", "jar", "-b", "jar"],
                          ["-c", "out", "-b", "jar", "-j"]):
            for answer in (sets, drops):
                with self.subTest(arguments=arguments):
                    self.same(*arguments, "URL/", answers=(answer,), code=0)
        self.same("-c", "out", "URL/1", "URL/2", answers=(response(b"", b"200 OK", b"Set-Cookie: a=1"), OK))
        self.same("-b", "", "-L", "URL", answers=(moved(b"302 Found", b"/y", b"Set-Cookie: n=1"), OK))
        self.same("-b", "a=1", "-L", "http://127.0.0.1:PORT/", answers=(moved(), OK))

    def test_the_file_is_the_owners_alone(self):
        self.run_one(FETCH, (OK,), ["-c", "new", "URL"])
        self.assertEqual(os.stat(os.path.join(self.folder.name, "new")).st_mode & 0o777, 0o600)

    def test_bad_lines_are_reported(self):
        with peer(OK) as (port, _):
            done = fetch("-b", "bad", f"http://127.0.0.1:{port}/", cwd=self.folder.name)
        self.assertEqual((done.returncode, done.stdout), (0, b"ok"))
        self.assertIn(b"-b: bad: line 1 is not a cookie", done.stderr)
        self.assertIn(b"-b: bad: line 3 is not a cookie", done.stderr)
        self.assertEqual(self.run_one(FETCH, (), ["-b", "/", "http://h/"])[0], 26)
        self.assertEqual(self.run_one(FETCH, (), ["-b", "a=\n", "http://h/"])[0], 2)


class Credentials(BesideCurl):
    CHALLENGE = b'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth", algorithm='

    def test_digest(self):
        for algorithm, digest in ((b"MD5", hashlib.md5), (b"SHA-256", hashlib.sha256)):
            for arguments, method in (([], "GET"), (["-d", "a=b"], "POST"), (["-I"], "HEAD")):
                ask = response(b"", b"401 Unauthorized", self.CHALLENGE + algorithm)
                for program in (CURL, FETCH):
                    code, _, requests = self.run_one(program, (ask, OK),
                                                     ["--digest", "-u", "me:pa ss", *arguments, "URL/x?y"])
                    self.assertEqual((code, len(requests)), (0, 2), (program, algorithm))
                    self.assertNotIn("authorization", dict(requests[0][2]))
                    said = dict(re.findall(r'(\w+)="?([^",]+)', dict(requests[1][2])["authorization"]))
                    def hashed(text):
                        return digest(text.encode()).hexdigest()
                    secret = hashed("me:r:pa ss")
                    wanted = hashed(f"{secret}:n:{said['nc']}:{said['cnonce']}:auth:" + hashed(method + ":/x?y"))
                    self.assertEqual(said["response"], wanted)
                    self.assertEqual(requests[1][3], "a=b" if arguments[:1] == ["-d"] else "")

    def test_a_wrong_password(self):
        ask = response(b"who?", b"401 Unauthorized", self.CHALLENGE + b"MD5")
        code, out, requests = self.same_codes("--digest", "-u", "me:wrong", "URL", answers=(ask, ask))
        self.assertEqual((code, out, requests), (0, b"who?", 2))
        self.assertEqual(self.same_codes("-f", "--digest", "-u", "me:wrong", "URL", answers=(ask, ask))[0], 22)
        self.assertEqual(self.same_codes("--digest", "URL", answers=(OK,))[0], 0)

    def same_codes(self, *arguments, answers):
        found = []
        for program in (CURL, FETCH):
            code, out, requests = self.run_one(program, answers, arguments)
            found.append((code, out, len(requests)))
        self.assertEqual(*found)
        return found[0]

    def test_others(self):
        for arguments in (["--oauth2-bearer", "tok"], ["-H", "Authorization: z", "-u", "a:b"], ["-u", ":"],
                          ["--basic", "-u", "a:b"]):
            self.same(*arguments, "URL", code=0)

    def test_nothing_goes_to_another_origin(self):
        for credentials in (["-u", "a:b"], ["-b", "c=d"], ["--oauth2-bearer", "t"], ["--digest", "-u", "a:b"]):
            with peer(OK) as (port, requests):
                away = moved(to=f"http://127.0.0.1:{port}/".encode())  # another port is another origin
                self.run_one(FETCH, (away,), ["-L", *credentials, "http://127.0.0.1:PORT/"])
            self.assertNotIn(b"uthorization", requests[0])
            self.assertNotIn(b"ookie", requests[0])


class Redirects(BesideCurl):
    def test_methods(self):
        for status in (b"301 Moved Permanently", b"302 Found", b"303 See Other", b"307 Temporary Redirect",
                       b"308 Permanent Redirect"):
            for arguments in ([], ["-d", "a"], ["-I"], ["-T", "f1"], ["-G", "-d", "a=b"], ["-X", "PATCH", "-d", "a"],
                              ["-i", "-w", "%{url_effective} %{redirect_url}|%{num_redirects}"], ["-F", "a=b"]):
                if arguments[:2] == ["-X", "PATCH"] and status[:3] in (b"301", b"302"):
                    continue  # a difference
                with self.subTest(status=status, arguments=arguments):
                    self.same("-L", *arguments, "URL/x", answers=(moved(status), OK), code=0)

    def test_targets(self):
        for target, code in ((b"", 0), (b"?z", 0), (b"http://", 3), (b"y z", 0)):
            with self.subTest(target=target):
                self.same("-L", "URL/x/w", answers=(moved(to=target), OK), code=code)
        self.same("-L", "-e", "r;auto", "URL/x", answers=(moved(), OK))
        self.assertEqual(self.run_one(FETCH, (moved(to=b"nonsense://h/"),), ["-L", "URL"])[0], 1)


class Files(BesideCurl):
    def test_names_in_the_response(self):
        for disposition in (b'attachment; filename="x.txt"', b"attachment; filename=x.txt", b"inline",
                            b'attachment; filename="../../e.txt"', b"attachment; filename*=UTF-8''z.txt",
                            b'attachment; filename="f1"', b"filename=lone.txt", b'attachment; filename="/"',
                            b"attachment; filename='s.txt'", b'attachment; filename="..\\\\..\\\\w.txt"'):
            with self.subTest(disposition=disposition):
                self.same("-OJ", "URL/name", answers=(named(disposition),))
        self.same("-OJ", "--output-dir", "d", "--create-dirs", "URL/name", answers=(named(b"attachment; filename=x"),))
        self.same("-OJ", "-w", "%{filename_effective}", "URL/name", answers=(named(b"attachment; filename=x"),))
        self.same("-OJ", "-i", "URL/name", answers=(), code=2)
        self.same("-J", "URL/name", answers=(named(b"attachment; filename=x"),), code=0)

    def test_a_name_is_never_a_folder(self):
        for name in (b"..", b".", b"a\\b/..", b"\x01"):
            code = self.run_one(FETCH, (named(b'attachment; filename="' + name + b'"'),), ["-OJ", "URL/name"])[0]
            if code == 0:
                self.assertIn("name", self.files())

    def test_folders(self):
        for arguments, code in ((["-o", "d/e/f", "--create-dirs"], 0), (["-o", "d/e/f"], 23),
                                (["--output-dir", "no", "-O"], 23), (["-o", "f1/x", "--create-dirs"], 23)):
            self.same(*arguments, "URL/x", code=code)

    def test_heads(self):
        for arguments, answers in ((["-D", "h"], (OK,)), (["-D", "-"], (OK,)), (["-D", "h", "-f"], (ABSENT,)),
                                   (["-D", "h", "-L"], (moved(), OK)), (["-D", "h", "-o", "out"], (OK,)),
                                   (["-I", "-o", "x"], (OK,)), (["-i", "-o", "x"], (OK,)), (["-I", "-i"], (OK,)),
                                   (["-I", "-X", "GET"], (OK,)), (["-I", "-O"], (OK,))):
            with self.subTest(arguments=arguments):
                self.same(*arguments, "URL/q", answers=answers)
        self.same("-D", "h", "URL/1", "URL/2", answers=(OK, response(b"b")))

    def test_failures(self):
        for arguments in (["-f"], ["--fail-with-body"], ["-f", "--fail-with-body"], ["--fail-with-body", "-o", "x"],
                          ["-f", "-o", "x"], ["-f", "-i"], ["--fail-with-body", "-i"], ["-f", "-w", "%{http_code}"],
                          ["-f", "-I"]):
            with self.subTest(arguments=arguments):
                self.same(*arguments, "URL", answers=(ABSENT,))
        self.same("-f", "URL", answers=(moved(),), code=0)
        for arguments in (["-o", "x"], ["--remove-on-error", "-o", "x"], ["--remove-on-error", "-o", "f1"]):
            self.same(*arguments, "URL", answers=(PARTIAL,), code=18)

    def test_uploads(self):
        for arguments in (["-T", "-", "URL/x"], ["-T", "f1", "URL"], ["-T", "f1", "URL/d/"], ["-T", "f1", "URL/d/?q"],
                          ["-F", "a=<-", "URL"], ["-F", "a=b", "-X", "PUT", "URL"], ["-d", "@f1", "-d", "@f1", "URL"],
                          ["-F", "a=b;type=text/plain;charset=utf-8", "URL"], ["-F", 'a"b=c', "URL"]):
            with self.subTest(arguments=arguments):
                self.same(*arguments, code=0)
        for arguments in (["-T", "f1", "-I"], ["-T", "f1", "-G", "-d", "x"]):
            self.same(*arguments, "URL", answers=(), code=2)

    def test_ranges(self):
        for arguments in (["-r", "0-1"], ["-r", "-5"], ["-r", "5"], ["-r", "0-1,4-5"]):
            self.same(*arguments, "URL", code=0)
        part = response(b"zz", b"206 Partial Content", b"Content-Range: bytes 13-14/15")
        self.same("-C", "-", "-o", "f1", "URL", answers=(part,), code=0)
        self.same("-C", "-", "-o", "new", "URL", code=0)
        self.same("-C", "-", "-f", "-O", "URL/f1", answers=(ABSENT,), code=22)

    def test_write_out(self):
        for text in ("%{http_connect} %{ssl_verify_result} %{referer}|", "%{time_total", "%{", r"\a\\"):
            self.same("-w", text, "-e", "r", "URL")
        self.write("format", b"a%{http_code}\r\nb\n")
        for program in (CURL, FETCH):
            self.assertEqual(self.run_one(program, (OK,), ["-w", "@format", "URL"])[1], b"oka200b")

    def test_compressed(self):
        packed = gzip.compress(b"words " * 1000)
        for body, coding in ((packed, b"gzip"), (gzip.compress(packed), b"gzip, gzip"), (b"ok", b"identity"),
                             (b"ok", b"nope"), (b"", b"gzip")):
            for arguments in ([], ["-i"], ["-w", "%{size_download}"]):
                if coding == b"nope" and arguments[:1] == ["-w"]:
                    continue  # curl has read none of it
                answer = response(body, b"200 OK", b"Content-Encoding: " + coding)
                with self.subTest(coding=coding, arguments=arguments):
                    self.same("--compressed", *arguments, "URL", answers=(answer,))
        bomb = response(gzip.compress(b"\0" * 50_000_000), b"200 OK", b"Content-Encoding: gzip")
        self.assertEqual(self.run_one(FETCH, (bomb,), ["--compressed", "--max-filesize", "1M", "URL"])[0], 63)


class Retries(BesideCurl):
    ONE = ("--retry", "1", "--retry-delay", "1")

    def test_statuses(self):
        for status, tried in ((b"408 X", True), (b"500 X", True), (b"504 X", True), (b"501 X", False),
                              (b"404 X", False)):
            with self.subTest(status=status):
                _, _, requests = self.same(*self.ONE, "-w", "%{http_code}", "-o", os.devnull, "URL",
                                           answers=(response(b"", status), OK))
                self.assertEqual(len(requests), 2 if tried else 1)

    def test_bodies(self):
        self.same(*self.ONE, "-o", "x", "URL", answers=(BUSY, OK), code=0)
        self.same(*self.ONE, "-o", "x", "URL", answers=(BUSY, BUSY), code=0)
        self.same(*self.ONE, "-f", "URL", answers=(BUSY, BUSY), code=22)
        _, _, requests = self.run_one(FETCH, (BUSY, OK), ["--retry", "2", "--retry-delay", "5", "--retry-max-time", "2",
                                                          "-o", "x", "URL"])
        self.assertEqual(len(requests), 1)

    def test_all_errors(self):
        for arguments, answers in ((["-f"], (ABSENT, OK)), (["-o", "x"], (PARTIAL, OK)), (["-d", "a"], (None, OK)),
                                   (["-o", "x"], (b"garbage\r\n\r\n", OK))):
            with self.subTest(arguments=arguments):
                self.same(*self.ONE, "--retry-all-errors", *arguments, "URL", answers=answers, code=0)
        self.same(*self.ONE, "--retry-connrefused", f"http://127.0.0.1:{closed_port()}/", answers=(), code=7)

    def test_max_time_is_for_each_attempt(self):
        slow = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"
        for program in (CURL, FETCH):
            for first in (b"", slow):
                with peer(first, OK, close=False, whole=True) as (port, requests):
                    done = subprocess.run([program, "-s", "-m", "1", *self.ONE, "-o", "x", f"http://127.0.0.1:{port}/"],
                                          capture_output=True, timeout=30, cwd=self.folder.name)
                self.assertEqual((done.returncode, len(requests)), (0, 2), (program, first))
                self.assertEqual(self.files()["x"], b"ok")

    def test_what_is_on_standard_output_stays_alone(self):
        with peer(PARTIAL, OK) as (port, requests):
            done = fetch("-s", *self.ONE, f"http://127.0.0.1:{port}/")
        self.assertEqual((done.returncode, done.stdout, len(requests)), (18, b"abc", 1))

    def test_standard_input_is_sent_once(self):
        code, _, requests = self.run_one(FETCH, (BUSY, OK), [*self.ONE, "-f", "-T", "-", "URL/x"])
        self.assertEqual((code, len(requests)), (22, 1))


class Connections(BesideCurl):
    def test_proxies(self):
        for arguments in (["-x", "127.0.0.1:PORT"], ["-x", "http://u:p@127.0.0.1:PORT"],
                          ["-x", "127.0.0.1:PORT", "-U", "u:p"]):
            self.same(*arguments, "http://a.test/x", code=0)
        self.same("-x", "127.0.0.1:PORT", "-L", "http://a.test/x", answers=(moved(to=b"http://b.test/z"), OK), code=0)
        for answer in (b"HTTP/1.1 407 X\r\n\r\n", b"HTTP/1.1 502 X\r\n\r\n", b""):
            self.same("-x", "127.0.0.1:PORT", "https://a.test/", answers=(answer,), code=56)
        for proxy, code in (("no.such.invalid:1", 5), (f"127.0.0.1:{closed_port()}", 7)):
            self.same("-x", proxy, "http://a.test/", answers=(), code=code)

    def test_socks(self):
        for answer in (b"\5\xff", b"\5\0\5\5\0\1\0\0\0\0\0\0"):
            for option in (["-x", "socks5h://127.0.0.1:PORT"], ["--socks5-hostname", "127.0.0.1:PORT"]):
                found = [self.run_one(program, (answer,), [*option, "http://a.test/"], whole=False)[0]
                         for program in (CURL, FETCH)]
                self.assertEqual(found, [97, 97])

    def test_no_proxy(self):
        for listed in ("a.test", ".test", ".a.test", "*", "b.test, a.test", "test", "x.a.test", " a.test ", "A.TEST",
                       ""):
            with self.subTest(listed=listed):
                self.same("http://a.test/", http_proxy="127.0.0.1:PORT", no_proxy=listed)
        for listed in ("127.0.0.1", "127.0.0.0/8", "127.0.0.1/32", "10.0.0.0/8", "127.0.0.0/33", "::1"):
            with self.subTest(listed=listed):
                self.same("URL/", http_proxy="127.0.0.1:PORT", no_proxy=listed)
        self.same("http://a.test/", ALL_PROXY="127.0.0.1:PORT")

    def test_differences(self):
        """Each with what curl does, so that a change of curl's is noticed."""
        for arguments, answers, ours, theirs in (
                (["-c", "/nowhere/x", "URL"], (OK,), 23, 0),                # the cookies are lost
                (["-T", "f1", "-C", "5", "URL/x"], (OK,), 2, 0),            # resumed uploads
                (["-F", "=b", "URL"], (OK,), 2, 0),                         # a part needs a name
                (["-F", "a=b;encoder=base64", "URL"], (OK,), 2, 0),
                (["-X", "A B", "URL"], (OK,), 2, 0),                        # would be two words on the wire
                (["-H", "X: a\nb", "URL"], (OK,), 2, 0),                    # would be two fields
                (["-H", "Content-Length: 9", "URL"], (), 2, None),          # would hang
                (["-w", "@nofile", "URL"], (), 26, None),
                (["http://127.1:PORT/"], (OK,), 3, 0),                      # says another host than it looks like
                (["--max-filesize", "3", "URL"], (b"HTTP/1.1 200 OK\r\n\r\n12345",), 63, None)):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.run_one(FETCH, answers, arguments)[0], ours)
                if theirs is not None:
                    self.assertEqual(self.run_one(CURL, answers, arguments)[0], theirs)
        self.assertEqual(len(self.run_one(FETCH, (moved(b"300 X"), OK), ["-L", "URL"])[2]), 1)  # a choice is the user's
        self.assertEqual(len(self.run_one(CURL, (moved(b"300 X"), OK), ["-L", "URL"])[2]), 2)


unittest.main()
