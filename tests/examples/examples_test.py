#!/usr/bin/env python3
"""Runs the README's programs:  examples_test.py FOLDER_OF_PROGRAMS"""
import pathlib
import signal
import socket
import subprocess
import sys
import time
import unittest

programs = pathlib.Path(sys.argv.pop(1))


def run(name, *arguments, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([programs / name, *arguments], capture_output=True, text=True, timeout=30, **options)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port):
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            time.sleep(0.01)
    raise TimeoutError(f"nobody listens on {port}")


class Examples(unittest.TestCase):
    def test_compose(self):
        done = run("compose")
        self.assertEqual((done.returncode, done.stdout), (0, "42, then timed_out: nothing within 5ms, then answer\n"))

    def test_client_and_server(self):
        port = free_port()
        with subprocess.Popen([programs / "server", f"127.0.0.1:{port}"]) as server:
            wait_for(port)
            done = run("client", f"http://127.0.0.1:{port}/there")
            self.assertEqual((done.returncode, done.stdout), (0, "hello /there\n"))
            server.send_signal(signal.SIGTERM)
            self.assertEqual(server.wait(10), 0)

    def test_client_says_what_is_wrong(self):
        done = run("client", "http://")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("invalid_argument: malformed URL", done.stderr)

    def test_foreign_loop(self):
        with subprocess.Popen([programs / "foreign_loop"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True) as quiet:
            self.assertEqual(quiet.stdout.read(), "3\n2\n1\nlift-off\n")
        self.assertEqual(run("foreign_loop").stdout, "3\nstopped\n")  # its standard input has ended


unittest.main()
