#!/usr/bin/env python3
"""esc-serve: threads, static files, compression, access log, metrics. Argument: esc-serve."""
import contextlib
import gzip
import http.client
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

SERVE = sys.argv.pop(1)
LINES = "line of text\n" * 5000


class Serve:
    def __init__(self, *options, address="127.0.0.1:0"):
        self.process = subprocess.Popen([SERVE, address, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on http://(.*):(\d+)\n", line)
        if not found:
            raise AssertionError(f"esc-serve said {line!r} and {self.process.communicate()[1]!r}")
        self.port = int(found[2])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            pipe.close()

    @contextlib.contextmanager
    def connection(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            yield connection
        finally:
            connection.close()

    def ask(self, target, method="GET", body=None, **fields):
        with self.connection() as connection:
            connection.request(method, target, body, {name.replace("_", "-"): value for name, value in fields.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        said = self.process.communicate(timeout=20)
        return self.process.returncode, *said


def lines_of(log, count):
    """What is in the log once it has so many lines: a line comes when the answer has gone out."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        text = log.read_text()
        if text.count("\n") >= count:
            break
        time.sleep(0.01)
    return text


class Site(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = pathlib.Path(self.folder.name) / "root"
        self.root.mkdir()
        (self.root / "index.html").write_text("<h1>index</h1>")
        (self.root / "lines.txt").write_text(LINES)
        (self.root.parent / "secret").write_text("secret")

    def test_static_files(self):
        with Serve("--root", str(self.root)) as serve:
            self.assertEqual(serve.ask("/")[2], b"<h1>index</h1>")
            status, fields, body = serve.ask("/lines.txt")
            self.assertEqual((status, fields["content-length"], body), (200, str(len(LINES)), LINES.encode()))
            self.assertEqual(serve.ask("/lines.txt", Range="bytes=5-8")[2], b"of t")
            self.assertEqual(serve.ask("/lines.txt", Range="bytes=99999999-")[0], 416)
            self.assertEqual(serve.ask("/lines.txt", If_None_Match=fields["etag"])[0], 304)
            self.assertEqual(serve.ask("/lines.txt", "HEAD")[1]["content-length"], str(len(LINES)))
            for escape in ("/../secret", "/%2e%2e/secret", "/..%2fsecret", "/x/..%2f..%2fsecret"):
                self.assertEqual(serve.ask(escape)[0], 404, escape)
            self.assertEqual(serve.ask("/hello")[2], b"hello")  # routes come first

    def test_gzip(self):
        with Serve("--root", str(self.root), "--gzip") as serve:
            _, fields, body = serve.ask("/lines.txt", Accept_Encoding="gzip")
            self.assertEqual((fields["content-encoding"], fields["vary"]), ("gzip", "Accept-Encoding"))
            self.assertEqual(gzip.decompress(body).decode(), LINES)
            self.assertNotIn("content-encoding", serve.ask("/lines.txt")[1])

    def test_access_log(self):
        log = self.root.parent / "log"
        with Serve("--access-log", str(log), "--access-log-query", "names") as serve:
            serve.ask("/hello?name=s3cret", User_Agent="test")
            self.assertRegex(lines_of(log, 1), r'^\S+ - - \[.*\] "GET /hello\?name=\* HTTP/1\.1" 200 12 "-" "test"\n$')
        log.unlink()
        with Serve("--access-log", str(log), "--metrics") as serve:
            with socket.create_connection(("127.0.0.1", serve.port)) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            self.assertRegex(lines_of(log, 1), r'^127\.0\.0\.1 - - \[.*\] "-" 400 0 "-" "-"\n$')
            self.assertIn('http_requests_total{method="none",status="400"} 1', serve.ask("/metrics")[2].decode())
        log.unlink()
        with Serve("--access-log", str(log), "--access-log-json", "--threads", "2") as serve:
            threads = [threading.Thread(target=serve.ask, args=(f"/hello?name={i}",)) for i in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            lines = [json.loads(line) for line in lines_of(log, 20).splitlines()]
            self.assertEqual(sorted(line["target"] for line in lines), sorted(f"/hello?name={i}" for i in range(20)))

    def test_access_log_that_cannot_be_opened(self):
        tried = subprocess.run([SERVE, "127.0.0.1:0", "--access-log", "/nowhere/log"], capture_output=True, text=True)
        self.assertEqual((tried.returncode, tried.stdout), (1, ""))
        self.assertIn("open /nowhere/log", tried.stderr)

    def test_access_log_whose_reader_goes(self):
        with Serve("--access-log", "-") as serve:
            serve.process.stdout.close()
            for _ in range(3):
                self.assertEqual(serve.ask("/hello")[2], b"hello")
            serve.process.send_signal(signal.SIGTERM)
            said = serve.process.stderr.read()
            self.assertEqual(serve.process.wait(10), 0)
            self.assertEqual(said.count("the access log - loses lines: Broken pipe"), 1, said)

    def test_log_whose_reader_goes(self):
        with Serve("--log") as serve:
            serve.process.stderr.close()
            for _ in range(3):
                self.assertEqual(serve.ask("/hello")[2], b"hello")
            serve.process.send_signal(signal.SIGTERM)
            self.assertEqual(serve.process.wait(10), 0)

    def test_root_that_does_not_exist(self):
        tried = subprocess.run([SERVE, "127.0.0.1:0", "--root", "/nowhere"], capture_output=True, text=True)
        self.assertEqual(tried.returncode, 1)
        self.assertIn("open the folder /nowhere", tried.stderr)


class Threads(unittest.TestCase):
    def test_metrics_of_all_threads(self):
        with Serve("--metrics", "--threads", "3") as serve:
            for _ in range(30):
                serve.ask("/status/418")
            wanted = 'http_requests_total{method="GET",status="418"} 30\n'
            deadline = time.monotonic() + 10  # an answer counts when it has gone out
            text = ""
            while wanted not in text and time.monotonic() < deadline:
                text = serve.ask("/metrics")[2].decode()
            self.assertIn(wanted, text)
            self.assertGreaterEqual(int(re.search(r"^http_connections_total (\d+)$", text, re.M)[1]), 31)
            self.assertRegex(text, r"\nreactor_turns_total [1-9]")
            self.assertRegex(text, r"\ntimers_live \d")
            self.assertEqual(serve.ask("/metrics", "POST")[0], 405)

    def test_shutdown_lets_requests_finish_on_every_thread(self):
        with Serve("--threads", "3") as serve:
            answers = []
            threads = [threading.Thread(target=lambda: answers.append(serve.ask("/delay/700")[0])) for _ in range(12)]
            for thread in threads:
                thread.start()
            time.sleep(0.4)
            code, _, said = serve.stop()
            for thread in threads:
                thread.join()
            self.assertEqual((code, answers), (0, [200] * 12))
            self.assertIn("12 requests on 12 connections; at shutdown 0 idle closed, 12 drained, 0 aborted", said)

    def test_second_signal_is_immediate(self):
        with Serve("--threads", "2") as serve:
            wires = []
            for _ in range(6):
                wire = http.client.HTTPConnection("127.0.0.1", serve.port, timeout=20)
                wire.request("GET", "/stall/60000")
                wires.append(wire)
            time.sleep(0.3)
            serve.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            self.assertIsNone(serve.process.poll())
            began = time.monotonic()
            code, _, said = serve.stop()
            self.assertLess(time.monotonic() - began, 5)
            self.assertEqual(code, 0)
            self.assertIn("6 aborted", said)
            for wire in wires:
                wire.close()

    def test_any_address_and_the_taken_one(self):
        with Serve("--threads", "2", address=":0") as serve:
            self.assertEqual(serve.ask("/hello")[2], b"hello")
            taken = subprocess.run([SERVE, f"127.0.0.1:{serve.port}"], capture_output=True, text=True)
            self.assertEqual(taken.returncode, 1)

    def test_numbers_that_are_refused(self):
        for wrong in ("-1", "x", "5000"):
            tried = subprocess.run([SERVE, "127.0.0.1:0", "--threads", wrong], capture_output=True, text=True)
            self.assertEqual(tried.returncode, 2, wrong)


unittest.main()
