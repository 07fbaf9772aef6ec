#!/bin/sh
# Runs unit tests under valgrind's memcheck: sh tests/memcheck.sh BUILD [name...]
#
# Any invalid access, use of a value that was never set, or block that nothing
# points to at the end fails the test; tests/memcheck.supp says what of Check's
# own does not count. Left out, and named: what needs the spool's ring, as valgrind refuses the second mapping
# of the same pages (mremap of an old size of 0), and the sandbox, whose
# filter ends a process that makes valgrind's own calls.
set -u

build=$(cd "$1" && pwd) || exit 3
suppressions=$(cd "$(dirname "$0")" && pwd)/memcheck.supp
shift
log=$build/memcheck
left_out=" sandbox spool spool_faults spool_recovery spool_threads "
failed=
mkdir -p "$log"
cd "$build/tests/unit" || exit 3
[ $# -gt 0 ] || set -- $(ls test_* | sed -n 's/^test_\([a-z0-9_]*\)$/\1/p')

for name; do
	case $left_out in
	*" $name "*) echo "$name: left out"; continue ;;
	esac
	start=$(date +%s)
	# A fork for each test would be searched for leaks each time.
	if CK_FORK=no CK_DEFAULT_TIMEOUT=0 timeout 3600 valgrind --quiet \
	    --error-exitcode=99 --leak-check=full \
	    --errors-for-leak-kinds=definite \
	    --suppressions="$suppressions" --log-file="$log/$name.%p" \
	    "./test_$name" >"$log/$name.out" 2>&1; then
		echo "$name: passed, $(($(date +%s) - start)) s"
	else
		echo "$name: FAILED with status $?"
		tail -5 "$log/$name.out"
		head -60 "$log/$name".[0-9]*
		failed="$failed $name"
	fi
done
[ -z "$failed" ] || {
	echo "memcheck: FAILED:$failed; see $log" >&2
	exit 1
}
