#!/usr/bin/env python3
"""Runs the programs that README and docs/ quote:  examples_test.py FOLDER_OF_PROGRAMS

A NAME.session beside a source is a session in a shell: lines that begin with "$ " are typed, the others are what comes
back. "&" at the end starts a server, which gets SIGTERM at the end of the session. 8080 stands for a free port, and
curl is played by this file.
"""
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

sources = pathlib.Path(__file__).resolve().parent
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

    def test_synchronisation(self):
        done = run("synchronisation")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.splitlines(), [
            "channel: 10 jobs done", "one-shot: 12", "watch: new;connecting;open;closed;",
            "broadcast: (1 missed)is too fast", "guarded: 130", "condition: 6", "barrier: 3 rounds", "delay: closed",
            "timeout_at: timed_out", "task_local: req-7: stored in the background"])

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

    def test_files(self):
        port = free_port()
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "a.txt").write_text("a file")
            with subprocess.Popen([programs / "howto/files", folder, f"127.0.0.1:{port}"], stdout=subprocess.PIPE,
                                  text=True) as server:
                wait_for(port)
                self.assertEqual(curl([f"http://127.0.0.1:{port}/a.txt"]), "a file")
                self.assertIn("http_requests_total", curl([f"http://127.0.0.1:{port}/metrics"]))
                server.send_signal(signal.SIGTERM)
                self.assertIn('"GET /a.txt HTTP/1.1" 200 6', server.stdout.read())
                self.assertEqual(server.wait(10), 0)

    @unittest.skipUnless((programs / "howto/https").exists() and shutil.which("openssl"), "no TLS, or no openssl")
    def test_https_client_does_not_trust_anybody(self):
        port = free_port()
        with tempfile.TemporaryDirectory() as folder:
            names = [f"{folder}/certificate.pem", f"{folder}/key.pem"]
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", names[0],
                            "-keyout", names[1]], check=True, capture_output=True)
            with subprocess.Popen([programs / "howto/https", *names, f"127.0.0.1:{port}"]) as server:
                wait_for(port)
                done = run("howto/https", f"https://localhost:{port}/")
                server.kill()
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn("untrusted", done.stderr)


def curl(arguments):
    """curl [-X METHOD] [-d TEXT] URL"""
    method, text, url = "GET", None, None
    rest = iter(arguments)
    for argument in rest:
        if argument == "-X":
            method = next(rest)
        elif argument == "-d":
            text = next(rest).encode()
        else:
            url = argument
    try:
        with urllib.request.urlopen(urllib.request.Request(url, text, method=method), timeout=20) as response:
            return response.read().decode()
    except urllib.error.HTTPError as error:
        return error.read().decode()


class Session:
    def __init__(self, path):
        self.folder = programs / path.parent.relative_to(sources)
        self.port = free_port()
        self.lines = path.read_text().splitlines()
        self.servers = []

    def type(self, command):
        words = shlex.split(command.replace("8080", str(self.port)))
        if words[0] == "curl":
            return curl(words[1:])
        program = self.folder / words[0].removeprefix("./build/")
        if words[-1] == "&":
            self.servers.append(subprocess.Popen([program, *words[1:-1]], stdout=subprocess.DEVNULL))
            wait_for(self.port)
            return ""
        done = subprocess.run([program, *words[1:]], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL)
        return done.stdout + done.stderr

    def play(self):
        printed = []
        for line in self.lines:
            if line.startswith("$ "):
                printed.append(line)
                printed += self.type(line[2:]).replace(str(self.port), "8080").splitlines()
        for server in self.servers:
            server.send_signal(signal.SIGTERM)
            if server.wait(10) != 0:
                printed.append(f"the server ended with {server.returncode}")
        return printed


class Sessions(unittest.TestCase):
    maxDiff = None

    def test_sessions(self):
        found = sorted(sources.rglob("*.session"))
        self.assertGreater(len(found), 5)
        for path in found:
            with self.subTest(path.name):
                session = Session(path)
                self.assertEqual(session.play(), session.lines)


unittest.main()
