#!/usr/bin/env python3
"""Builds the configurations and runs their tests; tools/test is the command that users run, and has the help."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
JOBS = str(os.cpu_count() or 2)
BUILDS = ["native", "clang-asan-debug", "tsan", "wasm"]
# The other three of the four combinations of compiler and optimisation with sanitizers: with --thorough only, because
# each compiles every test once more. Every compiler and every level is in BUILDS.
MORE_BUILDS = ["asan-debug", "asan", "clang-asan"]
# The sanitizers run the test bodies, and clang-asan-debug esc-serve and esc-fetch against other programs too, with
# poll as their default backend where native has epoll. They build no more than they run.
MODULES = ["core", "timers", "io", "middleware", "wasm_glue"]
BODIES = [f"{module}_test" for module in MODULES]
OPTIONS = {"clang-asan-debug": ["-DESC_BACKEND=poll"],
           "tsan": ["-DESC_TEST_FILES=io/native/backend_contract_test.cpp;io/native/file_test.cpp;"
                    "io/native/folder_test.cpp;io/native/inbox_test.cpp;io/native/loop_group_test.cpp;"
                    "io/native/offload_test.cpp;io/native/remote_test.cpp;io/native/thread_pool_test.cpp"]}
TARGETS = {"asan-debug": BODIES, "asan": BODIES, "clang-asan": BODIES,
           "clang-asan-debug": [*BODIES, "esc-serve", "esc-fetch", "esc-load", "histogram_test", "test_certificates"],
           "tsan": ["io_test"]}
# With sanitizers a program takes a quarter of a second to start: too long to start one for each test. A module's tests
# run in this many parts there, each in a process of its own; native runs every test alone.
PARTS = {"core": 2, "io": 8, "middleware": 2}
IN_PARTS = {"asan-debug": MODULES, "asan": MODULES, "clang-asan": MODULES, "clang-asan-debug": MODULES, "tsan": ["io"]}
# The rest runs with ctest: of these configurations all, or what the arguments choose. The slowest comparison with curl
# runs in native alone.
SUBSETS = {"native": [], "clang-asan-debug": ["-R", "^tools: ", "-E", "fetch_curl_options"],
           "wasm": ["-LE", "package"]}
SECONDS_FOR_A_PART = 300


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.rows = []

    def add(self, name, passed, failed, skipped, seconds, built=0):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        self.rows.append({"name": name, "passed": passed, "failed": failed, "skipped": skipped,
                          "build_seconds": round(built, 1), "seconds": round(seconds, 1)})


def say(text):
    print(f"test: {text}", file=sys.stderr, flush=True)


def run(command, log, **options):
    """Runs quietly; shows the output only if it fails."""
    with open(log, "w") as out:
        code = subprocess.run(command, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, **options).returncode
    if code != 0:
        print("\n".join(log.read_text(errors="replace").splitlines()[-60:]), file=sys.stderr)
    return code == 0


def check_shape(totals):
    began = time.monotonic()
    passed = failed = 0
    for name, command in [("tidy", [sys.executable, "tools/dev/tidy.py"]), ("format", ["tools/dev/format", "--check"]),
                          ("picture", [sys.executable, "tools/dev/architecture_picture.py", "--check"]),
                          ("vectors", [sys.executable, "tools/dev/vectors.py", "--check"]),
                          ("site", ["tools/site", "--check"])]:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode == 0:
            passed += 1
        else:
            failed += 1
            print(done.stdout + done.stderr, file=sys.stderr)
            say(f"FAILED shape: {name}")
    totals.add("shape", passed, failed, 0, time.monotonic() - began)


def build(name, logs):
    say(f"{name}: building")
    targets = TARGETS.get(name, ["all"])
    return (run(["cmake", "--preset", name, *OPTIONS.get(name, [])], logs / f"{name}-configure.log") and
            run(["cmake", "--build", "--preset", name, "-j", JOBS, "--target", *targets], logs / f"{name}-build.log"))


def reason_of(case):
    skipped = case.find("skipped")
    output = case.findtext("system-out") or ""
    for line in output.splitlines():
        if "skip" in line.lower():
            return line.strip()
    return (skipped.get("message") if skipped is not None else "") or "no reason given"


def show_end(output, most=60):
    """Prints the last lines that a failed test printed."""
    lines = [line for line in output.splitlines() if line.strip()]
    if len(lines) > most:
        print(f"  ... {len(lines) - most} lines before", file=sys.stderr)
    for line in lines[-most:]:
        print(f"  {line}", file=sys.stderr)
    sys.stderr.flush()


def environment():
    return dict(os.environ, ASAN_OPTIONS="detect_leaks=1:detect_stack_use_after_return=0",
                UBSAN_OPTIONS="print_stacktrace=1", TSAN_OPTIONS="halt_on_error=1", ESC_TEST_SCHEDULE="3")


class Outcome:
    """Counts the test cases of one configuration, and says which failed or were skipped."""

    def __init__(self, name):
        self.name = name
        self.passed = self.failed = self.skipped = 0

    def skip(self, case, reason):
        self.skipped += 1
        say(f"skipped {self.name}: {case}: {reason}")

    def fail(self, case, output):
        self.failed += 1
        say(f"FAILED {self.name}: {case}")
        show_end(output)


def failures_of(case):
    """The expressions and messages that failed in a test case."""
    lines = []
    for found in case.iter():
        where = f"{found.get('filename')}:{found.get('line')}"
        if found.tag in ("Failure", "Exception", "FatalErrorCondition", "Info"):
            lines.append(f"{where}: {(found.text or '').strip()}")
        elif found.tag == "Expression" and found.get("success") != "true":
            expanded = " ".join((found.findtext("Expanded") or "").split())
            lines.append(f"{where}: {(found.findtext('Original') or '').strip()}, with {expanded}")
    return "\n".join(lines)


def run_part(name, module, part, parts, logs):
    """Runs one part of a module's tests. Returns module, part, report, exit code (None: it took too long), output."""
    report = logs / f"{name}-{module}-{part}.xml"
    log = logs / f"{name}-{module}-{part}.log"
    report.unlink(missing_ok=True)
    command = [ROOT / "build" / name / "tests" / f"{module}_test", "--order", "decl", "--shard-count", str(parts),
               "--shard-index", str(part), "--reporter", f"xml::out={report}", "--reporter", "console"]
    with open(log, "w") as out:
        try:
            code = subprocess.run(command, cwd=ROOT / "build" / name / "tests", stdout=out, stderr=subprocess.STDOUT,
                                  env=environment(), timeout=SECONDS_FOR_A_PART).returncode
        except subprocess.TimeoutExpired:
            code = None
    return module, f"{module}, part {part + 1} of {parts}", report, code, log.read_text(errors="replace")


def run_in_parts(name, outcome, logs):
    """Runs the test programs of the modules, as many at once as there are cores."""
    with concurrent.futures.ThreadPoolExecutor(int(JOBS)) as pool:
        runs = [pool.submit(run_part, name, module, part, PARTS.get(module, 1), logs)
                for module in IN_PARTS.get(name, []) for part in range(PARTS.get(module, 1))]
        for finished in concurrent.futures.as_completed(runs):
            module, part, report, code, output = finished.result()
            failed_before = outcome.failed
            if code is None:
                outcome.fail(f"{part}: not done in {SECONDS_FOR_A_PART} s", output)
                continue
            try:
                cases = list(xml.parse(report).getroot().iter("TestCase"))
            except (OSError, xml.ParseError):
                outcome.fail(f"{part}: ended with {code} before its report", output)
                continue
            for case in cases:
                result = case.find("OverallResult")
                skip = case.find(".//Skip")
                if result is None or result.get("success") != "true":
                    outcome.fail(f"{module}: {case.get('name')}", failures_of(case))
                elif result.get("skips") != "0" and skip is not None:
                    outcome.skip(f"{module}: {case.get('name')}", (skip.text or "").strip())
                else:
                    outcome.passed += 1
            if code != 0 and outcome.failed == failed_before:  # such as a leak, which is found at the end
                outcome.fail(f"{part}: ended with {code}", output)


def run_ctest(name, outcome, logs):
    report = logs / f"{name}.xml"
    report.unlink(missing_ok=True)
    with open(logs / f"{name}-test.log", "w") as out:
        subprocess.run(["ctest", "--test-dir", f"build/{name}", "-j", JOBS, "--output-junit", str(report),
                        "--timeout", "300", "--output-on-failure", *SUBSETS[name]],
                       cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, env=environment())
    if not report.exists():
        outcome.fail("ctest", (logs / f"{name}-test.log").read_text(errors="replace"))
        return
    for case in xml.parse(report).getroot().iter("testcase"):
        if case.get("status") == "run":
            outcome.passed += 1
        elif case.get("status") in ("notrun", "disabled"):
            outcome.skip(case.get("name"), reason_of(case))
        else:
            outcome.fail(case.get("name"), case.findtext("system-out") or "")


def run_tests(name, totals, logs, built):
    began = time.monotonic()
    say(f"{name}: testing")
    outcome = Outcome(name)
    run_in_parts(name, outcome, logs)
    if name in SUBSETS:
        run_ctest(name, outcome, logs)
    if outcome.passed + outcome.failed + outcome.skipped == 0:
        outcome.fail("no tests were found", "")
    totals.add(name, outcome.passed, outcome.failed, outcome.skipped, time.monotonic() - began, built)


def main():
    parser = argparse.ArgumentParser(prog="tools/test")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--thorough", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    builds = BUILDS + MORE_BUILDS if options.thorough else BUILDS
    wanted = ["shape", "native"] if options.quick else ["shape", *builds]
    if options.only:
        wanted = options.only.split(",")
        for name in wanted:
            if name not in ["shape", *BUILDS, *MORE_BUILDS]:
                known = ", ".join(["shape", *BUILDS, *MORE_BUILDS])
                parser.error(f"there is no configuration {name!r}; there are {known}")

    # The python3 on PATH may be a version manager's script, which takes ten times as long to start.
    os.environ["PATH"] = str(pathlib.Path(sys.executable).parent) + os.pathsep + os.environ.get("PATH", "")
    logs = ROOT / "build" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    totals = Totals()
    began = time.monotonic()
    for name in wanted:
        if name == "shape":
            check_shape(totals)
            continue
        build_began = time.monotonic()
        if build(name, logs):
            run_tests(name, totals, logs, time.monotonic() - build_began)
        else:
            say(f"FAILED {name}: it does not build")
            totals.add(name, 0, 1, 0, 0)

    if options.json:
        print(json.dumps({"passed": totals.passed, "failed": totals.failed, "skipped": totals.skipped,
                          "configurations": totals.rows}, indent=2))
    else:
        print(f"\n{'configuration':<18}{'passed':>8}{'failed':>8}{'skipped':>9}{'build, s':>10}{'tests, s':>10}")
        for row in totals.rows:
            print(f"{row['name']:<18}{row['passed']:>8}{row['failed']:>8}{row['skipped']:>9}"
                  f"{row['build_seconds']:>10}{row['seconds']:>10}")
        print(f"{time.monotonic() - began:.0f} s in all")
    summary = f"{totals.passed} passed, {totals.failed} failed, {totals.skipped} skipped"
    print(summary, file=sys.stderr if options.json else sys.stdout)
    return 1 if totals.failed else 0


sys.exit(main())
