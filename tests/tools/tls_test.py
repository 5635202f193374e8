#!/usr/bin/env python3
"""https with real programs over real sockets.

  tls_test.py CASE --serve ESC_SERVE --fetch ESC_FETCH --certificates DIR

CASE: ours (esc-fetch against esc-serve), openssl (each against OpenSSL's test programs), curl (curl against
esc-serve), nginx and node (esc-fetch against each, as a server of TLS 1.2 with an RSA key, by either kind of
signature). Exit 0: good; 1: not; 77: skipped, with the reason.
"""
import argparse
import contextlib
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
problems = []


def check(what, actual, expected):
    good = re.search(expected, actual, re.S) if isinstance(expected, str) else actual == expected
    if not good:
        problems.append(f"{what}: expected {expected!r}, got {actual!r}")


@contextlib.contextmanager
def server(options, *arguments):
    """esc-serve on a free port; yields (process, port)."""
    process = subprocess.Popen([options.serve, "127.0.0.1:0", *arguments], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    found = re.match(r"listening on https?://127\.0\.0\.1:(\d+)\n", line)
    if not found:
        process.kill()
        raise SystemExit(f"esc-serve said {line!r} {process.stderr.read()!r}")
    try:
        yield process, int(found.group(1))
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            problems.append("esc-serve does not stop")


def fetch(options, *arguments):
    done = subprocess.run([options.fetch, "-m", "10", *arguments], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr


def certificate(options, name):
    return ["--tls-cert", str(options.certificates / f"{name}.pem"),
            "--tls-key", str(options.certificates / f"{name}.key")]


def ours(options):
    ca = ["--cacert", str(options.certificates / "ca.pem")]
    with server(options, *certificate(options, "a"), *certificate(options, "b")) as (_, port):
        at = f"https://127.0.0.1:{port}"
        check("by address", fetch(options, *ca, f"{at}/hello?name=you")[:2], (0, "hello you"))
        resolve = ["--resolve", f"b.test:{port}:127.0.0.1"]
        check("by name", fetch(options, *ca, *resolve, f"https://b.test:{port}/hello")[:2], (0, "hello"))
        big = "x" * 3_000_000
        with tempfile.NamedTemporaryFile("w") as body:
            body.write(big)
            body.flush()
            check("large", fetch(options, *ca, "--data-binary", f"@{body.name}", f"{at}/echo")[:2] == (0, big), True)
        check("redirect", fetch(options, *ca, "-L", f"{at}/redirect/2")[:2], (0, "hello"))
        code, _, text = fetch(options, f"{at}/hello")
        check("unknown issuer", f"{code} {text}", r"^60 esc-fetch: the certificate of 127\.0\.0\.1 comes from an "
              r"issuer that is not trusted: CN=escapement test root\n$")
        code, _, text = fetch(options, *ca, "--resolve", f"c.test:{port}:127.0.0.1", f"https://c.test:{port}/")
        check("wrong host", f"{code} {text}", r"^60 .* is for other names: a\.test, localhost")
        code, out, text = fetch(options, "-k", f"{at}/hello")
        check("insecure", f"{code} {out} {text}",
              r"^0 hello esc-fetch: --insecure: the server's certificate is not verified\n$")
        check("http to https", str(fetch(options, f"http://127.0.0.1:{port}/")[0]), r"^(8|52|56)$")
        check("cut", fetch(options, *ca, f"{at}/reset/after-head")[0], 18)
    with server(options) as (_, port):
        code, _, text = fetch(options, *ca, f"https://127.0.0.1:{port}/")
        check("https to http", f"{code} {text}", r"^35 esc-fetch: 127\.0\.0\.1 does not speak TLS\n$")
    code, _, text = fetch(options, "--cacert", "/nonexistent", "https://127.0.0.1:1/")
    check("no such file", f"{code} {text}", r"^77 esc-fetch: --cacert: cannot read /nonexistent: No such file")
    for wrong, sentence in [(["--tls-cert", "x"], "each --tls-cert needs its --tls-key"),
                            (["--tls-cert", "/nonexistent", "--tls-key", "/nonexistent"], "cannot read /nonexistent"),
                            ([*certificate(options, "a")[:3], str(options.certificates / "b.key")],
                             "b.key is not the key of .*a.pem")]:
        done = subprocess.run([options.serve, "127.0.0.1:0", *wrong], capture_output=True, text=True, timeout=10)
        check(f"esc-serve {wrong}", f"{done.returncode} {done.stderr}", f"^[12] esc-serve: .*{sentence}")
    for threads in ["1", "3"]:
        reload(options, ca, threads)


def reload(options, ca, threads):
    with tempfile.TemporaryDirectory() as folder:
        chain, key = pathlib.Path(folder, "chain.pem"), pathlib.Path(folder, "key.pem")

        def install(name):
            shutil.copy(options.certificates / f"{name}.pem", chain)
            shutil.copy(options.certificates / f"{name}.key", key)

        install("a")
        with server(options, "--tls-cert", str(chain), "--tls-key", str(key), "--threads", threads) as (process, port):
            def told():
                process.send_signal(signal.SIGHUP)
                return process.stderr.readline()

            # Often enough to come to each thread.
            def outcomes():
                ask = [*ca, "--resolve", f"b.test:{port}:127.0.0.1", f"https://b.test:{port}/hello"]
                return {fetch(options, *ask)[:2] for _ in range(4 * int(threads))}

            check("before the reload", outcomes(), {(60, "")})
            install("b")
            check("reload", told(), "certificates reloaded")
            check("after the reload", outcomes(), {(0, "hello")})
            chain.write_text("nonsense")
            check("bad reload", told(), "certificates kept: .*chain.pem: no certificate")
            check("after a bad reload", outcomes(), {(0, "hello")})
            process.send_signal(signal.SIGTERM)
            check("handshakes are counted", process.communicate(timeout=20)[1],
                  f"{8 * int(threads)} TLS handshakes, 0 of them resumed; {4 * int(threads)} failed")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def openssl_server(options, name, *arguments):
    port = free_port()
    process = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-quiet",
                                "-cert", str(options.certificates / f"{name}.pem"),
                                "-key", str(options.certificates / f"{name}.key"), *arguments],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.05)
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def openssl_client(options, port, *arguments, request="GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-ign_eof", "-CAfile",
                           str(options.certificates / "ca.pem"), "-verify_return_error", *arguments],
                          input=request, capture_output=True, text=True, timeout=20)
    return done.returncode, done.stdout + done.stderr


def early_data(options, port):
    """What a client sends ahead, with a ticket of another server's, is skipped."""
    with tempfile.TemporaryDirectory() as folder:
        session, ahead = pathlib.Path(folder, "session"), pathlib.Path(folder, "ahead")
        ahead.write_text("GET /secret HTTP/1.1\r\nHost: a\r\n\r\n")
        with openssl_server(options, "a", "-max_early_data", "10000") as other:
            openssl_client(options, other, "-tls1_3", "-sess_out", str(session), request="GET / HTTP/1.0\r\n\r\n")
        code, text = openssl_client(options, port, "-tls1_3", "-sess_in", str(session), "-early_data", str(ahead))
        check("early data", f"{code} {text}", r"^0 .*Early data was rejected.*200 OK.*hello")
        check("early data is not read", "404" in text, False)


# A server that insists on one signature, or has its own order; rsa_pss_rsae_sha256 is what ours offers first.
RSA_SIGNATURES = ["RSA+SHA256", "RSA-PSS+SHA256", "RSA-PSS+SHA512", "RSA+SHA512", "RSA-PSS+SHA256:RSA+SHA256",
                  "RSA+SHA256:RSA-PSS+SHA256"]


def fetches_of_rsa_server(options, what, port):
    ca = ["--cacert", str(options.certificates / "ca.pem"), "--resolve", f"b.test:{port}:127.0.0.1"]
    code, out, text = fetch(options, *ca, f"https://b.test:{port}/")
    check(what, f"{code} {text} {bool(out)}", r"^0  True$")


@contextlib.contextmanager
def program(command, port, **how):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               **how)
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        time.sleep(0.05)
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def nginx(options):
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        skip("there is no nginx (tools/setup --bench installs it)")
    for signatures in [None, *RSA_SIGNATURES]:
        port = free_port()
        with tempfile.TemporaryDirectory() as folder:
            conf = pathlib.Path(folder, "nginx.conf")
            order = f"ssl_conf_command SignatureAlgorithms {signatures};" if signatures else ""
            conf.write_text(f"""daemon off; master_process off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.2; {order}
    ssl_certificate {options.certificates}/b.pem; ssl_certificate_key {options.certificates}/b.key;
    location / {{ return 200 "from nginx"; }} }} }}
""")
            with program([found, "-p", folder, "-c", str(conf), "-e", f"{folder}/error.log"], port):
                fetches_of_rsa_server(options, f"nginx, {signatures}", port)


NODE_SERVER = """
const [port, folder, sigalgs] = process.argv.slice(1);
const read = (name) => require("fs").readFileSync(`${folder}/${name}`);
const options = { cert: read("b.pem"), key: read("b.key"), maxVersion: "TLSv1.2" };
if (sigalgs !== "default") options.sigalgs = sigalgs;
require("https").createServer(options, (_, response) => response.end("from node")).listen(+port, "127.0.0.1");
"""


def node(options):
    if shutil.which("node") is None:
        skip("there is no node")
    for signatures in ["default", *RSA_SIGNATURES]:
        port = free_port()
        with program(["node", "-e", NODE_SERVER, str(port), str(options.certificates), signatures], port):
            fetches_of_rsa_server(options, f"node, {signatures}", port)


def openssl(options):
    if shutil.which("openssl") is None:
        skip("there is no openssl program")
    ca = ["--cacert", str(options.certificates / "ca.pem")]
    with server(options, *certificate(options, "a"), *certificate(options, "wild")) as (_, port):
        for version in ["-tls1_2", "-tls1_3"]:
            code, text = openssl_client(options, port, version, "-alpn", "h2,http/1.1")
            check(f"s_client {version}", f"{code} {text}", r"^0 .*ALPN protocol: http/1\.1.*HTTP/1\.1 200 OK.*hello")
            code, text = openssl_client(options, port, version, "-servername", "x.wild.test", "-verify_hostname",
                                        "x.wild.test")
            check(f"s_client {version} SNI", f"{code} {text}", r"^0 .*Verification: OK.*Verified peername: ")
            with tempfile.NamedTemporaryFile() as session:
                name = ["-servername", "a.test", "-sess_out", session.name]
                openssl_client(options, port, version, *name)
                for asked, reused in [("a.test", True), ("A.TEST", True), ("localhost", False), ("x.wild.test", False)]:
                    code, text = openssl_client(options, port, version, "-servername", asked, "-sess_in", session.name)
                    check(f"s_client {version} resumes for {asked}", "Reused, TLSv1" in text, reused)
                code, text = openssl_client(options, port, version, "-noservername", "-sess_in", session.name)
                check(f"s_client {version} resumes for nobody", "Reused, TLSv1" in text, False)
            with tempfile.NamedTemporaryFile() as session:
                openssl_client(options, port, version, "-sess_out", session.name)
                code, text = openssl_client(options, port, version, "-sess_in", session.name)
                check(f"s_client {version} resumes", f"{code} {text}", r"^0 .*Reused, TLSv1.*hello")
        early_data(options, port)
        code, text = openssl_client(options, port, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        check("s_client -tls1_1", f"{code} {text}", r"^1 .*(protocol version|unsupported protocol)")
    with server(options, *certificate(options, "a"), "--tls-client-ca", ca[1]) as (_, port):
        shown = ["-cert", str(options.certificates / "alice.pem"), "-key", str(options.certificates / "alice.key")]
        for version in ["-tls1_2", "-tls1_3"]:
            check(f"client certificate {version}", openssl_client(options, port, version, *shown)[1], "200 OK")
            code, text = openssl_client(options, port, version)
            check(f"no client certificate {version}", "200 OK" in text, False)
    for version in ["-tls1_2", "-tls1_3"]:
        with openssl_server(options, "a", version) as port:
            code, out, text = fetch(options, *ca, f"https://127.0.0.1:{port}/")
            check(f"s_server {version}", f"{code} {out} {text}", r"^0 .*s_server")
        with openssl_server(options, "not_for_servers", version) as port:
            code, _, text = fetch(options, *ca, f"https://127.0.0.1:{port}/")
            check(f"wrong use {version}", f"{code} {text}",
                  r"^60 .*the certificate of 127\.0\.0\.1 is not meant for this use")
    for signatures in [None, *RSA_SIGNATURES]:
        with openssl_server(options, "b", "-tls1_2", *(["-sigalgs", signatures] if signatures else [])) as port:
            fetches_of_rsa_server(options, f"s_server, {signatures}", port)
    with openssl_server(options, "a", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0") as port:
        code, _, text = fetch(options, *ca, f"https://127.0.0.1:{port}/")
        check("s_server -tls1_1", f"{code} {text}", r"^35 .*it speaks no TLS version that we accept")


def curl(options):
    if shutil.which("curl") is None:
        skip("there is no curl")
    with server(options, *certificate(options, "a")) as (_, port):
        command = ["curl", "-sS", "-m", "10", "--cacert", str(options.certificates / "ca.pem")]
        for extra in [[], ["--tls-max", "1.2"], ["-0"]]:
            done = subprocess.run([*command, *extra, "--resolve", f"a.test:{port}:127.0.0.1", "-w", "%{num_connects}",
                                   f"https://a.test:{port}/hello", f"https://a.test:{port}/drip?bytes=5&interval_ms=1"],
                                  capture_output=True, text=True, timeout=30)
            connects = 1 if "-0" in extra else 0
            check(f"curl {extra}", f"{done.returncode} {done.stdout} {done.stderr}",
                  rf"^0 hello1\*\*\*\*\*{connects} $")


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=["ours", "openssl", "curl", "nginx", "node"])
    for name in ["serve", "fetch", "certificates"]:
        parser.add_argument(f"--{name}", required=True, type=pathlib.Path)
    options = parser.parse_args()
    {"ours": ours, "openssl": openssl, "curl": curl, "nginx": nginx, "node": node}[options.case](options)
    for problem in problems:
        print(f"FAILED {problem}")
    return 1 if problems else 0


sys.exit(main())
