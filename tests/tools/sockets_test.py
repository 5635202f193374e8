#!/usr/bin/env python3
"""esc-serve and esc-fetch on Unix sockets, with a socket from a supervisor, and behind a proxy that says PROXY."""
import os
import pathlib
import signal
import socket
import stat
import subprocess
import tempfile
import unittest

from programs import SERVE, Serve, fetch, read_all

REQUEST = b"GET /hello HTTP/1.0\r\nHost: h\r\n\r\n"


class Quiet:
    """A running esc-serve that listens elsewhere than at an address."""

    def __init__(self, *command, **options):
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, **options)
        self.said = self.process.stdout.readline()
        if not self.said:
            raise AssertionError(f"esc-serve said {self.process.communicate()[1]!r}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def refused(*options):
    done = subprocess.run([SERVE, *options], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    return done.returncode, done.stderr


class UnixSockets(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = str(pathlib.Path(self.folder.name) / "s")

    def tearDown(self):
        self.folder.cleanup()

    def test_serves_and_fetches(self):
        with Quiet(SERVE, "--unix", self.path, "--unix-mode", "640") as serve:
            self.assertEqual(serve.said, f"listening on http://unix:{self.path}\n")
            self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o640)
            got = fetch("--unix", self.path, "http://any.host/hello")
            self.assertEqual((got.returncode, got.stdout), (0, b"hello"))
            code, said = refused("--unix", self.path)
            self.assertEqual(code, 1)
            self.assertIn("another program listens there", said)
            serve.process.send_signal(signal.SIGTERM)
            self.assertEqual(serve.process.wait(20), 0)
        self.assertFalse(os.path.exists(self.path))
        self.assertEqual(fetch("--unix", self.path, "http://any.host/").returncode, 7)

    def test_abstract_name(self):
        name = f"@escapement-test-{os.getpid()}"
        with Quiet(SERVE, "--unix", name):
            self.assertEqual(fetch("--unix-socket", name, "http://h/hello").stdout, b"hello")

    def test_takes_over_what_a_killed_server_left(self):
        with Quiet(SERVE, "--unix", self.path) as serve:
            serve.process.kill()
            serve.process.wait(20)
        self.assertTrue(os.path.exists(self.path))
        with Quiet(SERVE, "--unix", self.path):
            self.assertEqual(fetch("--unix", self.path, "http://h/hello").stdout, b"hello")

    def test_mistakes(self):
        for options, said in [(("--unix", "/" + "x" * 200), "at most 107"),
                              (("--unix", self.path, "--threads", "2"), "one thread"),
                              (("--systemd",), "0 were passed")]:
            self.assertEqual(refused(*options)[0], 1)
            self.assertIn(said, refused(*options)[1])
        for options in [("--unix", self.path, "127.0.0.1:0"), ("--unix", self.path, "--systemd"), (),
                        ("--unix-mode", "600", "127.0.0.1:0"), ("--unix", self.path, "--unix-mode", "8")]:
            self.assertEqual(refused(*options)[0], 2)


class Activation(unittest.TestCase):
    def test_serves_the_socket_that_was_passed(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            # As systemd does it: the shell's process becomes the server's, whose id it knows.
            script = f"exec 3<&{listener.fileno()}; LISTEN_FDS=1 LISTEN_PID=$$ exec {SERVE} --systemd"
            with Quiet("/bin/sh", "-c", script, pass_fds=[listener.fileno()]) as serve:
                self.assertEqual(serve.said, f"listening on http://127.0.0.1:{port}\n")
                self.assertEqual(fetch(f"http://127.0.0.1:{port}/hello").stdout, b"hello")


class ProxyProtocol(unittest.TestCase):
    def ask(self, serve, header):
        """Returns the response; nothing where the server resets the connection, at once or later."""
        try:
            with serve.connect() as wire:
                wire.sendall(header + REQUEST)
                return read_all(wire)
        except (ConnectionResetError, BrokenPipeError):
            return b""

    def test_the_client_is_in_the_log(self):
        line = b"PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n"
        binary = (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + socket.inet_aton("203.0.113.8") +
                  socket.inet_aton("198.51.100.1") + (4711).to_bytes(2, "big") + (443).to_bytes(2, "big"))
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder) / "log"
            with Serve("--proxy-protocol", "127.0.0.0/8", "--access-log", str(log)) as serve:
                for header in (line, binary):
                    self.assertTrue(self.ask(serve, header).endswith(b"\r\n\r\nhello"))
                self.assertEqual(self.ask(serve, b""), b"")
                serve.process.send_signal(signal.SIGTERM)
                serve.process.wait(20)
            clients = [entry.split()[0] for entry in log.read_text().splitlines()]
            self.assertEqual(clients, ["203.0.113.7", "203.0.113.8"])

    def test_others_are_refused(self):
        with Serve("--proxy-protocol", "203.0.113.1", "--proxy-protocol", "::1") as serve:
            self.assertEqual(self.ask(serve, b"PROXY UNKNOWN\r\n"), b"")
        code, said = refused("--proxy-protocol", "somewhere", "127.0.0.1:0")
        self.assertEqual(code, 1)
        self.assertIn("somewhere", said)


if __name__ == "__main__":
    unittest.main()
