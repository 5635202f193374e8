"""The programs under test, as processes, and peers that misbehave. Tests are called with the paths of
esc-serve and esc-fetch."""
import contextlib
import os
import pathlib
import re
import resource
import socket
import subprocess
import sys
import threading
import unittest

SERVE, FETCH = sys.argv[1:3]
del sys.argv[1:3]


class Serve:
    """A running esc-serve on a free port."""

    def __init__(self, *options, address="127.0.0.1:0", cwd=None):
        self.process = subprocess.Popen([SERVE, address, *options], cwd=cwd, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on (http://[\d.]+:(\d+))\n", line)
        if not found:
            raise AssertionError(f"esc-serve said {line!r} and {self.process.communicate()[1]!r}")
        self.url, self.port = found[1], int(found[2])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def ask(self, request):
        """Sends bytes and reads to the end of the connection."""
        with self.connect() as wire:
            wire.sendall(request)
            return read_all(wire)


def read_all(wire):
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := wire.recv(65536):
            said += piece
    return said


def fetch(*arguments, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    # The proxies of the user who runs the tests do not count.
    options.setdefault("env", {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")})
    return subprocess.run([FETCH, *arguments], capture_output=True, timeout=60, **options)


def whole_request(wire):
    """Reads a head and the body that its Content-Length or its chunks announce. Asks for one that waits for a 100."""
    said = b""
    while b"\r\n\r\n" not in said:
        piece = wire.recv(65536)
        if not piece:
            return said
        said += piece
    head, _, body = said.partition(b"\r\n\r\n")
    if b"expect: 100-continue" in head.lower():
        wire.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
    chunked = re.search(rb"(?i)\r\ntransfer-encoding: chunked", head)
    while (chunked and not body.endswith(b"0\r\n\r\n")) or (length and len(body) < int(length[1])):
        piece = wire.recv(65536)
        if not piece:
            break
        body += piece
    return head + b"\r\n\r\n" + body


@contextlib.contextmanager
def peer(*answers, close=True, whole=False):
    """A server that answers its connections with the given bytes, one after the other, whatever they ask;
    None: it resets. Yields its port and the requests that it has seen: one read of each, or `whole` ones."""
    listener = socket.create_server(("127.0.0.1", 0))
    requests = []
    left_open = []

    def serve():
        for answer in answers:
            try:
                wire, _ = listener.accept()
            except OSError:
                return
            wire.settimeout(20)
            with contextlib.suppress(OSError):
                requests.append(whole_request(wire) if whole else wire.recv(65536))
                if answer is not None:
                    wire.sendall(answer)
            if answer is None:
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            if close:
                wire.close()
            else:
                left_open.append(wire)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], requests
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(20)
        for wire in left_open:
            wire.close()


# To look at a virtual call UBSan makes a pipe, and takes the object for a bad one where it cannot.
def without_ubsan(test):
    if b"__ubsan_handle" not in pathlib.Path(SERVE).read_bytes():
        return test
    reason = "UBSan itself needs the descriptors that the test takes away"
    print(f"skipped: {test.__name__}: {reason}", file=sys.stderr)
    return unittest.skip(reason)(test)


def few_descriptors(count):
    """For a process to be begun: it may have so many. (Mark the test with `without_ubsan`.)"""
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))}


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]
