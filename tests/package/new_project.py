#!/usr/bin/env python3
"""new_project.py CMAKE ROOT PLACE KIND CMAKE-OPTION...: makes a project of that kind with tools/new-project, builds it
against the installed copy that the options name, runs its tests and its program. KIND misuse: the bad cases."""
import pathlib
import shutil
import signal
import subprocess
import sys
import urllib.request

cmake, root, place, kind, *options = sys.argv[1:]
command = pathlib.Path(root) / "tools" / "new-project"
folder = pathlib.Path(place) / f"new-{kind}"
shutil.rmtree(folder, ignore_errors=True)


def check(condition, text):
    if not condition:
        print(text)
        sys.exit(1)


def new(*arguments):
    return subprocess.run([command, *arguments], capture_output=True, text=True)


def misuse():
    for arguments, code, says in [([], 2, "no folder"), (["--helpme", str(folder)], 2, "unknown option --helpme"),
                                  ([str(folder), "--client", "--server"], 2, "one kind"),
                                  ([str(folder), "--name"], 2, "needs a name"),
                                  ([str(folder), "--name", "9lives"], 2, "cannot be a program's name"),
                                  ([str(folder), str(folder)], 2, "one folder"),
                                  ([str(folder.parent / "test")], 2, "the name of something else"),
                                  ([root], 1, "is not empty"), (["/dev/null/project"], 1, "Not a directory")]:
        done = new(*arguments)
        check(done.returncode == code and says in done.stderr, f"{arguments}: {done.returncode}, {done.stderr!r}")
    check(not folder.exists(), "a refused command left a folder")
    check(new("--help").stdout.startswith("tools/new-project"), "--help")


def run_program(program):
    if kind == "timers":
        done = subprocess.run([program], capture_output=True, text=True, timeout=60)
        check(done.returncode == 0 and done.stdout.endswith("1 cancelled\n"), done.stdout)
    elif kind == "client":
        done = subprocess.run([program, "http://127.0.0.1:1/"], capture_output=True, text=True, timeout=60)
        check(done.returncode == 1 and "127.0.0.1" in done.stderr, done.stderr)
    elif kind == "server":
        # A free port of the kernel's; should somebody else take it in between, the next one.
        for port in range(18080, 18120):
            server = subprocess.Popen([program, f"127.0.0.1:{port}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                      text=True)
            check(server.stdout.readline() == f"http://127.0.0.1:{port}/hello/you\n", "no first line")
            try:
                # The line is printed before the socket listens.
                for _ in range(200):
                    try:
                        with urllib.request.urlopen(f"http://127.0.0.1:{port}/hello/you", timeout=10) as response:
                            text = response.read()
                        break
                    except OSError:
                        if server.poll() is not None:
                            text = None
                            break
                        signal.sigtimedwait([], 0.02)
                if text is None:
                    continue
                check(text == b"hello you\n", text)
                server.send_signal(signal.SIGTERM)
                check(server.wait(timeout=30) == 0, server.stderr.read())
                return
            finally:
                server.kill()
        check(False, "no port was free")


def build():
    done = new(str(folder), f"--{kind}", "--name", "mine")
    check(done.returncode == 0 and f"cd {folder}" in done.stdout, done.stderr)
    check("escapement" in (folder / "README.md").read_text(), "no README")
    steps = [[cmake, "-S", folder, "-B", folder / "build", "-G", "Ninja", "-DESCAPEMENT_SOURCE=/nonexistent", *options],
             [cmake, "--build", folder / "build"],
             [str(pathlib.Path(cmake).with_name("ctest")), "--test-dir", folder / "build", "--output-on-failure",
              "--no-tests=error"]]
    for step in steps:
        done = subprocess.run(step, capture_output=True, text=True)
        check(done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:])
    run_program(folder / "build" / "mine")


misuse() if kind == "misuse" else build()
