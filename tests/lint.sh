#!/bin/sh
# Looks for faults without running anything: sh tests/lint.sh [file.c...]
#
# Builds all with clang, warnings being errors (build/lint), and has
# clang-tidy (.clang-tidy) and cppcheck (tests/cppcheck.txt) look at the
# sources of lib/, daemon/, tests/unit and tests/fuzz, or at those named.
# What those two must not say, and why, stands in these two files, or behind
# NOLINT where it is about one line. Status 0: no finding; 1: some, shown.
set -u

cd "$(dirname "$0")/.." || exit 3
start=$(date +%s)
found=0
jobs=${LINT_JOBS:-2}

step() {
	printf '\n== %s\n' "$1"
}
finding() {
	found=1
	printf 'tests/lint.sh: %s\n' "$1"
}

mkdir -p build
sh daemon/packages.sh clang clang-tidy cppcheck ninja-build cmake || exit 3

step "clang, warnings are errors (build/lint)"
cmake --preset lint >build/lint.log 2>&1 || {
	cat build/lint.log
	echo "$0: cmake --preset lint failed: see above" >&2
	exit 3
}
cmake --build --preset lint -j "$jobs" -- -k 0 >build/lint.log 2>&1 || {
	grep -v '^\[' build/lint.log
	finding "clang warns: mend what it says"
}

# Each file once: many are built into several programs.
if [ $# -eq 0 ]; then
	set -- $(git ls-files 'lib/*.c' 'daemon/*.c' 'tests/unit/*.c' \
	    'tests/fuzz/*.c')
fi
python3 -B tests/lint_commands.py build/lint "$@" >build/lint/files || exit 3

step "clang-tidy, of $(wc -l <build/lint/files) files"
# One a process: of a second file clang-tidy 14 takes va_list for unknown.
xargs -P "$jobs" -n 1 clang-tidy -p build/lint/once --quiet \
    <build/lint/files >build/lint/tidy.log 2>build/lint/tidy.errors || {
	cat build/lint/tidy.log
	grep -v 'warnings\{0,1\} generated\.$' build/lint/tidy.errors
	finding "clang-tidy: mend it, or say why not behind NOLINT"
}

step "cppcheck"
# shellcheck disable=SC2046
cppcheck --quiet -j "$jobs" --error-exitcode=1 --inline-suppr \
    --suppressions-list=tests/cppcheck.txt --std=c11 --inconclusive \
    --enable=warning,performance,portability --library=posix,gnu \
    -D_GNU_SOURCE -DSEPMLOG_VERSION='""' -DTEST_DATA='""' \
    -I lib $(cat build/lint/files) || finding "cppcheck: see above"

printf '\n== Lint: %s s\n' $(($(date +%s) - start))
exit $found
