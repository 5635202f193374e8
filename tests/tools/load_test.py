#!/usr/bin/env python3
"""esc-load: counts, rates, stalls that it must not hide, its forms of output and its mistakes."""
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree

LOAD = sys.argv.pop(3)
from programs import Serve, closed_port  # noqa: E402, takes the other two paths from the command line

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def load(*arguments):
    return subprocess.run([LOAD, *arguments], capture_output=True, timeout=60, stdin=subprocess.DEVNULL)


class Stalling:
    """A server of kept connections that stops once, `after` seconds from its first request, for `length` seconds."""

    def __init__(self, after, length):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.after, self.length, self.began, self.stalled = after, length, None, threading.Lock()
        self.until = None
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                wire, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(wire,), daemon=True).start()

    def serve(self, wire):
        try:
            while wire.recv(65536):
                now = time.monotonic()
                with self.stalled:
                    self.began = self.began or now
                    if self.until is None and now - self.began > self.after:
                        self.until = now + self.length
                if self.until and now < self.until:
                    time.sleep(self.until - now)
                wire.sendall(OK)
        except OSError:
            pass

    def close(self):
        self.listener.close()


class Load(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.serve = Serve()

    @classmethod
    def tearDownClass(cls):
        cls.serve.__exit__()

    def measure(self, *arguments, code=0):
        done = load("--json", "--warm-up", "0", *arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        return json.loads(done.stdout)

    def test_at_a_rate(self):
        said = self.measure("-r", "100", "-t", "1", "-c", "4", self.serve.url + "/hello")
        self.assertEqual((said["responses"], said["statuses"], said["failed"]), (100, {"200": 100}, 0))
        self.assertEqual(said["body_bytes"], 500)
        self.assertLessEqual(said["connections_made"], 4)

    def test_as_fast_as_possible(self):
        said = self.measure("-t", "0.5", "-c", "2", self.serve.url + "/hello")
        self.assertGreater(said["responses"], 20)
        self.assertEqual(said["connections_made"], 2)

    def test_a_stall_counts_for_every_request_that_was_due(self):
        server = Stalling(0.5, 1.0)
        said = self.measure("-r", "100", "-t", "2.5", "-c", "1", server.url)
        server.close()
        self.assertEqual(said["responses"], 250)
        # A stall of 1 s is some 100 requests of 250; measured from when they were sent it is one.
        self.assertGreater(said["latency"]["percentiles_ms"]["75"], 200)
        self.assertLess(said["service"]["percentiles_ms"]["95"], 200)
        self.assertGreater(said["service"]["percentiles_ms"]["100"], 900)

    def test_a_time_limit_of_any_length(self):
        said = self.measure("-r", "20", "-t", "0.2", "-m", "1e300", self.serve.url + "/hello")
        self.assertEqual((said["responses"], said["failed"]), (4, 0))

    def test_requests(self):
        said = self.measure("-r", "20", "-t", "0.5", "-d", "12345", "-H", "X: y", self.serve.url + "/echo")
        self.assertEqual(said["body_bytes"], 50)
        said = self.measure("-r", "20", "-t", "0.5", "-X", "DELETE", self.serve.url + "/status/404")
        self.assertEqual(said["statuses"], {"404": 10})

    def test_failures(self):
        said = self.measure("-r", "20", "-t", "0.5", f"http://127.0.0.1:{closed_port()}/", code=1)
        self.assertEqual((said["responses"], said["failures"]), (0, {"unavailable": 10}))
        self.assertIn("Connection refused", said["first_failure"])
        said = self.measure("-r", "20", "-t", "0.2", "-m", "0.1", self.serve.url + "/delay/30000", code=1)
        self.assertEqual(said["failures"], {"timed_out": 4})

    def test_text_and_picture(self):
        with tempfile.TemporaryDirectory() as folder:
            picture = os.path.join(folder, "x.svg")
            done = load("-r", "50", "-t", "0.5", "--warm-up", "0.1", "--svg", picture, self.serve.url + "/hello?a&b")
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            text = done.stdout.decode()
            for wanted in ("25 responses", "200: 25", "99.9 %", "from when a request was due", "#"):
                self.assertIn(wanted, text)
            root = xml.etree.ElementTree.parse(picture).getroot()
            self.assertEqual(len(root.findall(".//{http://www.w3.org/2000/svg}polyline")), 2)
        self.assertEqual(load("-t", "0.1", "--warm-up", "0", "--svg", "/nowhere/x", self.serve.url).returncode, 1)

    def test_mistakes(self):
        for wrong in ([], ["-r", "0", "http://h/"], ["-c", "0", "http://h/"], ["-t", "x", "http://h/"], ["nonsense"],
                      ["-H", "x", "http://h/"], ["--nope", "http://h/"]):
            done = load(*wrong)
            self.assertEqual((done.returncode, done.stdout), (2, b""), wrong)
            self.assertRegex(done.stderr.decode(), r"\Aesc-load: [^\n]+\n\Z")
        done = load("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"coordinated omission", done.stdout)


unittest.main()
