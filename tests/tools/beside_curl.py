"""A base for tests that give the same command line to esc-fetch and to curl, and compare what the server sees, the
output, the files and the exit code."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from programs import FETCH, peer

CURL = shutil.which("curl")
if CURL is None:
    print("skipped: curl is not installed", file=sys.stderr)
    sys.exit(77)

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BAD = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"
MOVED = b"HTTP/1.1 302 Found\r\nLocation: /y\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

def normal(request):
    """A request without what may differ: the order of the fields, their names' case, User-Agent, the boundary."""
    head, _, body = request.decode("latin-1").partition("\r\n\r\n")
    first, *fields = head.split("\r\n")
    pairs = [[part.strip() for part in field.split(":", 1)] for field in fields]
    pairs = [(name, "; ".join(sorted(value.split("; "))) if name.lower() == "cookie" else value)
             for name, value in pairs]
    boundary = re.search(r"boundary=(\S+)", head)
    if boundary:
        body = body.replace(boundary[1], "BOUNDARY")
        pairs = [[name, re.sub("boundary=.*", "boundary=", value)] for name, value in pairs if name != "Content-Length"]
    # curl greets proxies with Proxy-Connection, and knows as many codings as it was built with.
    # curl asks for 100 before it sends a file; esc-fetch sends it.
    # A POST without a body says so here, and nothing in curl.
    pairs = [(name.lower(), value) for name, value in pairs
             if name.lower() not in ("expect", "proxy-connection", "accept-encoding")
             and (name.lower(), value) != ("content-length", "0")
             and not value.startswith(("curl/", "esc-fetch/"))]
    host = [re.sub(r":(\d+|PORT)$", "", value) for name, value in pairs if name == "host"]
    return first, host, sorted(pair for pair in pairs if pair[0] != "host"), body


class BesideCurl(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.write("f1", b"hello\r\nworld\n")
        self.write("name.txt", b"a=b & c\n")
        self.write("a;b.txt", b"a;b")
        self.write("fields", b"X: y\r\n\r\nAccept:\nZ: q")

    def write(self, name, content):
        with open(os.path.join(self.folder.name, name), "wb") as file:
            file.write(content)

    def run_one(self, program, answers, arguments, whole=True, **environment):
        """URL in the arguments is the server's, PORT its port, there and in the environment."""
        with peer(*answers, whole=whole) as (port, requests):
            def filled(text):
                return text.replace("URL", f"http://127.0.0.1:{port}").replace("PORT", str(port))
            env = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
            env.update({key: filled(value) for key, value in environment.items()})
            done = subprocess.run([program, "-s", *map(filled, arguments)], input=b"stdin", capture_output=True,
                                  timeout=30, cwd=self.folder.name, env=env)
        here, anywhere = f"127.0.0.1:{port}".encode(), b"127.0.0.1:PORT"
        return (done.returncode, done.stdout.replace(here, anywhere),
                [normal(request.replace(here, anywhere)) for request in requests])

    def files(self):
        """The content of each file in the folder; of a file of cookies the lines, in order."""
        found = {}
        for folder, _, names in os.walk(self.folder.name):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    content = file.read()
                if content.startswith(b"# Netscape"):
                    content = sorted(line for line in content.split(b"\n") if line and not line.startswith(b"# "))
                found[os.path.relpath(path, self.folder.name)] = content
        return found

    def same(self, *arguments, answers=(OK,), code=None, **environment):
        self.setUp()
        curls = self.run_one(CURL, answers, arguments, **environment)
        files = self.files()
        self.setUp()
        self.assertEqual(self.run_one(FETCH, answers, arguments, **environment), curls, arguments)
        self.assertEqual(self.files(), files, arguments)
        if code is not None:
            self.assertEqual(curls[0], code, arguments)
        return curls
