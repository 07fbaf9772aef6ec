#!/bin/sh
# Which lines and branches of lib/ its unit tests and fuzz corpora reach:
# sh tests/coverage.sh [what to run: a regular expression of ctest]
#
# Builds only lib/ and those tests (build/coverage), runs them and prints the
# table of tests/coverage.py. Status 0: every module is at its goal. With an
# argument it keeps the counts of earlier runs and adds those tests to them.
set -u

cd "$(dirname "$0")/.." || exit 3
give_up() {
	printf 'tests/coverage.sh: FAILED: %s\n' "$1"
	exit 1
}

mkdir -p build
cmake --preset coverage >build/coverage.log 2>&1 || {
	cat build/coverage.log
	give_up "cmake --preset coverage"
}
cmake --build --preset coverage --target lib_tests >build/coverage.log 2>&1 || {
	cat build/coverage.log
	give_up "coverage build"
}
# Counts of an earlier run, or of another state of the sources.
[ $# -gt 0 ] || find build/coverage -name '*.gcda' -delete
# Not optimised, and each test forks: Check's 4 s are short.
CK_DEFAULT_TIMEOUT=60
export CK_DEFAULT_TIMEOUT
ctest --test-dir build/coverage --output-on-failure --no-tests=error \
    --parallel 2 --label-regex '^lib$' --tests-regex "${1-.}" ||
    give_up "see above"
exec python3 -B tests/coverage.py
