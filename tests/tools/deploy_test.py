#!/usr/bin/env python3
"""nginx and haproxy in front of two esc-serve, configured as in tools/deploy. Arguments: which of the two, esc-serve,
the folder with the configurations. Ends with 77, which ctest counts as skipped, where the program is missing."""
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

WHICH, SERVE, FOLDER = sys.argv[1:4]
TRIES = 100


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def start_serve(port):
    process = subprocess.Popen([SERVE, f"127.0.0.1:{port}", "--grace", "5"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    assert process.stdout.readline().startswith("listening on "), "esc-serve did not start"
    return process


def configuration(name, ports, scratch):
    text = (pathlib.Path(FOLDER) / name).read_text()
    for there, here in zip((8080, 8081, 8082), ports):
        assert f":{there}" in text
        text = text.replace(f":{there}", f":{here}")
    if name == "nginx.conf":  # what only root may write elsewhere
        places = "".join(f"  {kind}_temp_path {scratch}/{kind};\n"
                         for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        text = f"pid {scratch}/pid;\nerror_log stderr;\n" + text.replace(
            "http {\n", "http {\n  access_log off;\n" + places)
    path = scratch / name
    path.write_text(text)
    return str(path)


def commands(program, path, scratch):
    if WHICH == "nginx":
        common = [program, "-p", str(scratch), "-c", path]
        return [*common, "-t"], [*common, "-g", "daemon off; master_process off;"]
    return [program, "-c", "-f", path], [program, "-db", "-f", path]


def ask(port, target, data=None):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{target}", data=data, timeout=10) as answer:
        return answer.status, answer.read()


def wait_until_it_answers(port):
    for _ in range(TRIES):
        try:
            if ask(port, "/hello") == (200, b"hello"):
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"{WHICH} does not answer")


def check(ports, servers):
    front = ports[0]
    wait_until_it_answers(front)
    for number in range(20):
        assert ask(front, f"/hello?name={number}") == (200, f"hello {number}".encode())
    big = b"x" * 1_000_000
    assert ask(front, "/echo", big) == (200, big)
    # One of them ends in good order: nobody notices.
    servers[0].send_signal(signal.SIGTERM)
    for number in range(200):
        assert ask(front, f"/hello?name={number}") == (200, f"hello {number}".encode()), number
    assert servers[0].wait(10) == 0


def main():
    program = shutil.which(WHICH) or shutil.which(WHICH, path="/usr/sbin:/usr/local/sbin")
    if program is None:
        print(f"skipped: {WHICH} is not installed")
        return 77
    started = []
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        try:
            ports = [free_port() for _ in range(3)]
            servers = [start_serve(port) for port in ports[1:]]
            started += servers
            try_it, run_it = commands(program, configuration(
                "nginx.conf" if WHICH == "nginx" else "haproxy.cfg", ports, scratch), scratch)
            tried = subprocess.run(try_it, capture_output=True, text=True)
            assert tried.returncode == 0, tried.stdout + tried.stderr
            assert not re.search(r"warn|emerg|alert", tried.stderr, re.I), tried.stderr
            started.append(subprocess.Popen(run_it, cwd=scratch))
            check(ports, servers)
        finally:
            for process in started:
                process.kill()
                process.wait()
    print(f"{WHICH}: fine")
    return 0


sys.exit(main())
