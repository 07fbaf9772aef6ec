"""The fault matrix: one named scenario for each row.

  run.py [--quick | --nightly] [--all] [ROW...]    runs them, and shows a table
  run.py --list                                    what there is

Each row runs in a process of its own, in mount, network and process
namespaces that end with it, and not longer than it says: nothing is left
behind. Without a name all rows run that belong to the run: --quick is a fast
selection with few repetitions, the default has the repetitions of every
change, --nightly those of a night; --all runs every row. A row that passed but
for something that cannot be done here is `in part`, and says what. The status
is 1 if a row failed, and 77 if all were skipped.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap

import lab
import rows_crash  # noqa: F401  (rows register themselves)
import rows_disk  # noqa: F401
import rows_hostile  # noqa: F401
import rows_input  # noqa: F401
import rows_life  # noqa: F401
import rows_net  # noqa: F401
import rows_upload  # noqa: F401

COLUMNS = (5, 24, 7, 34, 46, 8, 5)
HEAD = ("row", "fault", "times", "passes if", "measured", "verdict", "s")
VERDICTS = ("passed", "in part", "failed", "skipped")
NAMESPACES = ("unshare", "--mount", "--propagation", "private", "--net",
              "--pid", "--fork", "--kill-child", "--mount-proc")


def main():
    options = parse()
    rows = choose(options)
    if options.list:
        for row in rows:
            print(f"{row.name}  {row.fault}: {row.passes}")
        return 0
    print_row(HEAD)
    print_row(tuple("-" * width for width in COLUMNS))
    results = [run(row, options) for row in rows]
    verdicts = [result["verdict"] for result in results]
    counts = {verdict: verdicts.count(verdict) for verdict in VERDICTS}
    print(f"\n{len(rows)} rows: " + ", ".join(
        f"{count} {verdict}" for verdict, count in counts.items())
        + f", {sum(r['seconds'] for r in results):.0f} s")
    if counts["failed"]:
        return 1
    return 0 if counts["passed"] + counts["in part"] else 77


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    run_of = parser.add_mutually_exclusive_group()
    run_of.add_argument("--quick", dest="mode", action="store_const",
                        const="quick", default="ci",
                        help="a fast selection, few repetitions")
    run_of.add_argument("--nightly", dest="mode", action="store_const",
                        const="nightly", help="the repetitions of a night")
    parser.add_argument("--all", action="store_true",
                        help="every row")
    parser.add_argument("--list", action="store_true", help="what there is")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("rows", nargs="*", metavar="ROW")
    options = parser.parse_args()
    unknown = [name for name in options.rows if name not in lab.ROWS]
    if unknown:
        parser.error(f"no such row: {' '.join(unknown)}")
    return options


def choose(options):
    rows = [lab.ROWS[name] for name in sorted(lab.ROWS)]
    if options.rows:
        return [row for row in rows if row.name in options.rows]
    if options.all or options.list:
        return rows
    return [row for row in rows if row.times[options.mode] is not None]


def run(row, options):
    """Runs a row in its process, and shows what came of it."""
    directory = tempfile.mkdtemp(prefix="sepmlogd-faults-")
    result_path = os.path.join(directory, "result")
    log_path = os.path.join(directory, "log")
    try:
        with open(log_path, "wb") as log:
            status = run_child(row, options, result_path, log)
        result = outcome(row, options, status, result_path)
        print_row((row.name, row.fault, times_of(row, options), row.passes,
                   result["measured"], result["verdict"],
                   f"{result['seconds']:.0f}"))
        if result["verdict"] == "failed":
            show(log_path)
        sys.stdout.flush()
        return result
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def times_of(row, options):
    return row.times[options.mode] or row.times["ci"] or row.times["nightly"]


def run_child(row, options, result_path, log):
    words = [sys.executable, "-B", os.path.abspath(__file__),
             "--child", result_path, row.name]
    if options.mode != "ci":
        words.insert(3, f"--{options.mode}")
    if row.inside and os.geteuid() == 0 and shutil.which("unshare"):
        words = [*NAMESPACES, *words]
    child = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        start_new_session=True)
    try:
        return child.wait(row.limit(options.mode))
    except subprocess.TimeoutExpired:
        return None
    finally:
        # Its group, which is its own: the first in a process namespace takes
        # all others with it.
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def outcome(row, options, status, result_path):
    try:
        with open(result_path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        seconds = row.limit(options.mode)
        said = (f"not done after {seconds:.0f} s" if status is None
                else f"the scenario broke off with status {status}")
        return {"verdict": "failed", "measured": said, "seconds": seconds}


def show(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        print(textwrap.indent(file.read()[-6000:], "      | "))


def print_row(texts):
    cells = [textwrap.wrap(str(text), width) or [""]
             for text, width in zip(texts, COLUMNS)]
    for n in range(max(len(cell) for cell in cells)):
        print("  ".join((cell[n] if n < len(cell) else "").ljust(width)
                        for cell, width in zip(cells, COLUMNS)).rstrip())


def child(options):
    if os.geteuid() == 0 and os.getpid() <= 2:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=False)
    lab.run_row(options.rows[0], options.mode, options.child)


if __name__ == "__main__":
    chosen = parse()
    if chosen.child:
        child(chosen)
    else:
        sys.exit(main())
