#!/usr/bin/env python3
"""esc-fetch, esc-serve and esc-timers without enough descriptors or room for threads: each does what it should, or ends
with a sentence on standard error and an exit code that says so.

    limits_test.py SERVE FETCH TIMERS
"""
import pathlib
import resource
import signal
import subprocess
import sys
import unittest

SERVE, FETCH, TIMERS = sys.argv[1:4]
del sys.argv[1:4]
MEGABYTE = 1 << 20


def limited(command, kind, limit):
    def lower():
        resource.setrlimit(kind, (limit, limit))
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            preexec_fn=lower)


class Limits(unittest.TestCase):
    def ends_well(self, process, codes):
        said, errors = process.communicate(timeout=60)
        self.assertGreaterEqual(process.returncode, 0, errors)
        if process.returncode != 0:
            self.assertIn(process.returncode, codes, errors)
            self.assertIn(pathlib.Path(process.args[0]).name.encode() + b": ", errors)
        return process.returncode, said

    def serve_ends_well(self, *arguments):
        process = limited(*arguments)
        if process.stdout.readline().startswith(b"listening on "):
            try:
                process.wait(0.3)  # threads start after that line
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGTERM)
        return self.ends_well(process, {1})[0]

    def fetch_codes(self, url):
        codes = set()
        for limit in range(4, 24):
            code, said = self.ends_well(limited([FETCH, url], resource.RLIMIT_NOFILE, limit), {6, 7, 77})
            if code == 0:
                self.assertEqual(said, b"hello")
            codes.add(code)
        return codes

    def test_fetch_without_descriptors(self):
        with subprocess.Popen([SERVE, "127.0.0.1:0"], stdout=subprocess.PIPE) as server:
            url = server.stdout.readline().decode().split()[-1] + "/hello"
            try:
                self.assertIn(0, self.fetch_codes(url))
                self.assertIn(0, self.fetch_codes(url.replace("127.0.0.1", "localhost")))
            finally:
                server.kill()

    def test_serve_without_descriptors(self):
        codes = {self.serve_ends_well([SERVE, "127.0.0.1:0", "--threads", "2"], resource.RLIMIT_NOFILE, limit)
                 for limit in range(4, 24)}
        self.assertEqual(codes, {0, 1})

    def test_serve_without_threads(self):
        codes = {self.serve_ends_well([SERVE, "127.0.0.1:0", "--threads", "200"], resource.RLIMIT_AS, size * MEGABYTE)
                 for size in (100, 200, 400, 800)}
        self.assertEqual(codes, {1})

    def test_timers_without_descriptors(self):
        # Only ours: other event loops may abort the program.
        command = [TIMERS, "--targets", "0.2", "--count", "2", "--only", "epoll;poll"]
        for limit in range(4, 16):
            self.ends_well(limited(command, resource.RLIMIT_NOFILE, limit), {1, 2})

    def test_timers_without_threads(self):
        command = [TIMERS, "--targets", "0.2", "--count", "2", "--load", "200", "--only", "epoll"]
        self.assertIn(self.ends_well(limited(command, resource.RLIMIT_AS, 200 * MEGABYTE), {1, 2})[0], {1, 2})


unittest.main()
