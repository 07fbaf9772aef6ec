#!/bin/sh
# Runs unit tests under valgrind's memcheck: sh tests/memcheck.sh BUILD [name...]
#
# Any invalid access, use of a value that was never set, or block that nothing
# points to at the end fails the test; tests/memcheck.supp says what of Check's
# own does not count. Left out, and named: the sandbox, whose filter ends a
# process that makes valgrind's own calls.
# MEMCHECK_JOBS (2) of them run at a time.
set -u

left_out=" sandbox "

# run_one LOG NAME
run_one() {
	log=$1
	name=$2
	start=$(date +%s)
	status=0
	# A fork for each test would be searched for leaks each time. Only taken
	# needs that: its tests are about a process of their own.
	fork=no
	[ "$name" != taken ] || fork=yes
	CK_FORK=$fork CK_DEFAULT_TIMEOUT=0 timeout 900 valgrind --quiet \
	    --error-exitcode=99 --leak-check=full \
	    --errors-for-leak-kinds=definite \
	    --suppressions="$suppressions" --log-file="$log/$name.%p" \
	    "./test_$name" >"$log/$name.out" 2>&1 || status=$?
	if [ $status -eq 0 ]; then
		echo "$name: passed, $(($(date +%s) - start)) s"
		return 0
	fi
	{
		echo "$name: FAILED with status $status"
		tail -5 "$log/$name.out"
		head -60 "$log/$name".[0-9]*
	} >"$log/$name.failed"
	cat "$log/$name.failed"
	return 1
}

if [ "$1" = --one ]; then
	run_one "$2" "$3"
	exit
fi
build=$(cd "$1" && pwd) || exit 3
script=$(cd "$(dirname "$0")" && pwd)/memcheck.sh
suppressions=$(dirname "$script")/memcheck.supp
export suppressions
shift
log=$build/memcheck
rm -rf "$log"
mkdir -p "$log"
cd "$build/tests/unit" || exit 3
[ $# -gt 0 ] || set -- $(ls test_* | sed -n 's/^test_\([a-z0-9_]*\)$/\1/p')

for name; do
	case $left_out in
	*" $name "*) echo "$name: left out" >&2 ;;
	*) echo "$name" ;;
	esac
done | xargs -r -P "${MEMCHECK_JOBS:-2}" -n 1 sh "$script" --one "$log" || {
	echo "memcheck: FAILED; see $log" >&2
	exit 1
}
