"""How each named source is compiled, once: lint_commands.py BUILD FILE...

Writes BUILD/once/compile_commands.json for clang-tidy, which looks at a file
as often as it is in BUILD/compile_commands.json, and prints those files. One
that is not built here (a libFuzzer main) is left out and named on stderr.
"""
import json
import os
import sys


def main():
    build, wanted = sys.argv[1], [os.path.realpath(f) for f in sys.argv[2:]]
    with open(os.path.join(build, "compile_commands.json")) as f:
        commands = {os.path.realpath(c["file"]): c for c in json.load(f)}
    os.makedirs(os.path.join(build, "once"), exist_ok=True)
    with open(os.path.join(build, "once/compile_commands.json"), "w") as f:
        json.dump([commands[w] for w in wanted if w in commands], f)
    for file in wanted:
        if file in commands:
            print(os.path.relpath(file))
        else:
            print(f"{os.path.relpath(file)}: not built, left out",
                  file=sys.stderr)


main()
