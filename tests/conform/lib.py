# SPDX-License-Identifier: MIT
"""What the conformance scripts share: reporting, running pith, and finding the reference data, which lies outside the
project. One line per case on standard output: ok NAME, not ok NAME: why, skip NAME: why."""
import array
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PITH = os.environ.get("PITH", os.path.join(ROOT, "pith"))
failed = False


def ok(name):
    print("ok", name, flush=True)


def not_ok(name, why):
    global failed
    failed = True
    print(f"not ok {name}: {why}", flush=True)


def skip(name, why):
    print(f"skip {name}: {why}", flush=True)


def report(name, why):
    """why: None or what is wrong."""
    if why is None:
        ok(name)
    else:
        not_ok(name, why)


def finish():
    sys.exit(1 if failed else 0)


def pith(*args, stdin=b"", timeout=600):
    """Standard output of a run; an exception with its standard error when it fails."""
    r = subprocess.run([PITH, *map(str, args)], input=stdin, capture_output=True, timeout=timeout)
    if r.returncode != 0:
        raise RuntimeError(f"pith {args[0]}: status {r.returncode}: {r.stderr.decode(errors='replace').strip()}")
    return r.stdout


def floats(data):
    a = array.array("f")
    a.frombytes(data)
    if sys.byteorder == "big":
        a.byteswap()
    return a


def shared(tool, *args, timeout=900):
    """The last line that a tool beside the project prints; None where the tool is missing or fails."""
    path = os.path.join(ROOT, "..", "shared", tool)
    if not os.access(path, os.X_OK):
        return None
    try:
        r = subprocess.run([path, *args], capture_output=True, text=True, timeout=timeout, cwd=ROOT, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return None
    lines = r.stdout.split("\n")[:-1]
    return lines[-1] if r.returncode == 0 and lines else None


def conformance(folder, suite):
    """The folder of that name among the conformance cases; where it is missing the script ends, skipped."""
    base = shared("conformance/unpack")
    path = base and os.path.join(base, folder)
    if not path or not os.path.isdir(path):
        skip(suite, "no reference data (../shared/conformance/unpack)")
        finish()
    return path
