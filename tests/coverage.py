"""Which lines and branches of lib/ its unit tests and fuzz corpora reach.

    python3 -B tests/coverage.py [--missing PATTERN]

Reads what tests/coverage.sh has run in build/coverage, prints a row for each
module of tests/coverage.txt and fails where one is below its goal. --missing
lists instead what is not reached in the files that match, such as
'lib/spool/*'.
"""

import argparse
import fnmatch
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def measured():
    """Of the library alone: gcovr cannot join it with sepmlog_portable."""
    report = subprocess.run(
        ["gcovr", "--root", ".", "--filter", "lib/", "--json", "-",
         "--object-directory", "build/coverage",
         "build/coverage/lib/CMakeFiles/sepmlog.dir"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    files = {}
    for file in json.loads(report)["files"]:
        files[file["file"]] = [
            line for line in file["lines"] if not line["gcovr/noncode"]]
    return files


def goals():
    """(module, goal of lines, of branches, patterns) of each row."""
    rows = []
    for line in (ROOT / "tests/coverage.txt").read_text().splitlines():
        words = line.split("#")[0].split()
        if words:
            rows.append((words[0], float(words[1]), float(words[2]),
                         words[3:]))
    return rows


def counts(lines):
    branches = [branch for line in lines for branch in line["branches"]]
    return (sum(line["count"] > 0 for line in lines), len(lines),
            sum(branch["count"] > 0 for branch in branches), len(branches))


def percent(reached, all_of_them):
    return 100.0 * reached / all_of_them if all_of_them else 100.0


def row(name, lines, note=""):
    hit, total, taken, branches = counts(lines)
    print(f"{name:<28}{hit:>6}/{total:<6}{percent(hit, total):6.1f} %"
          f"{taken:>7}/{branches:<6}{percent(taken, branches):6.1f} %{note}")


def table(files):
    """Prints the table; True when every module is at its goal."""
    good = True
    left = dict(files)
    print(f"{'':<28}{'lines':>13}{'':9}{'branches':>13}")
    for name, line_goal, branch_goal, patterns in goals():
        mine = sorted(file for file in left if any(
            fnmatch.fnmatch(file, pattern) for pattern in patterns))
        if not mine:
            print(f"{name}: no file matches, mend its row of "
                  "tests/coverage.txt")
            good = False
            continue
        lines = [line for file in mine for line in left[file]]
        hit, total, taken, branches = counts(lines)
        low = (percent(hit, total) < line_goal or
               percent(taken, branches) < branch_goal)
        row(name, lines, f"  BELOW {line_goal:g} and {branch_goal:g} %"
            if low else "")
        good = good and not low
        if len(mine) > 1:
            for file in mine:
                row("  " + file[len("lib/"):], left[file])
        for file in mine:
            del left[file]
    row("lib", [line for file in files.values() for line in file])
    if left:
        print(f"in no row of tests/coverage.txt: {', '.join(sorted(left))}")
        good = False
    return good


def missing(files, pattern):
    for file, lines in sorted(files.items()):
        if not fnmatch.fnmatch(file, pattern):
            continue
        source = (ROOT / file).read_text().splitlines()
        for line in lines:
            text = source[line["line_number"] - 1].strip()
            reached = "".join(
                "+" if branch["count"] else "-" for branch in line["branches"])
            if line["count"] == 0:
                reached = "line"
            if reached == "line" or "-" in reached:
                print(f"{file}:{line['line_number']}: {reached}: {text}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--missing", metavar="PATTERN")
    pattern = arguments.parse_args().missing
    files = measured()
    if pattern:
        missing(files, pattern)
        return 0
    if table(files):
        return 0
    print("Below the goal. What is not reached: "
          "python3 -B tests/coverage.py --missing 'lib/NAME*'")
    return 1


if __name__ == "__main__":
    sys.exit(main())
