#!/bin/sh
# Fuzzes: tests/fuzz/run.sh SECONDS [TARGET...]
#
# Builds the preset `fuzz` (clang) and runs each target, or those named, for
# SECONDS. New inputs are kept in build/fuzz/corpus/<target>; a failing one is
# left in build/fuzz/findings/ and the exit status is 1.
set -u

cd "$(dirname "$0")/../.." || exit 3
case ${1-} in
''|*[!0-9]*) echo "usage: $0 SECONDS [TARGET...]" >&2; exit 2 ;;
esac
seconds=$1
shift
if ! command -v clang >/dev/null; then
	echo "$0: clang is needed (apt-get install clang)" >&2
	exit 3
fi
cmake --preset fuzz >/dev/null && cmake --build --preset fuzz || exit 3

programs=build/fuzz/tests/fuzz
if [ $# -eq 0 ]; then
	for list in "$programs"/fuzz_*.seeds; do
		target=${list##*/fuzz_}
		set -- "$@" "${target%.seeds}"
	done
fi
mkdir -p build/fuzz/findings
log=build/fuzz/log
failed=0
for target in "$@"; do
	kept=build/fuzz/corpus/$target
	mkdir -p "$kept"
	case $target in
	# a message's words all the same
	csv|header|receive) dict=tests/fuzz/sepm.dict ;;
	*) dict=tests/fuzz/$target.dict ;;
	esac
	[ -f "$dict" ] && dict=-dict=$dict || dict=
	# To be split: at most one option, and a list of directories.
	# shellcheck disable=SC2046,SC2086
	if "$programs/fuzz_$target" -max_total_time="$seconds" \
	    -print_final_stats=1 -timeout=5 -rss_limit_mb=1024 \
	    -artifact_prefix="build/fuzz/findings/$target-" $dict \
	    "$kept" $(cat "$programs/fuzz_$target.seeds") >"$log" 2>&1; then
		verdict=ok
	else
		verdict=FAILED
		failed=1
		tail -n 40 "$log"
	fi
	awk -v target="$target" -v verdict="$verdict" '
	    /stat::number_of_executed_units/ { runs = $2 }
	    /stat::average_exec_per_sec/ { rate = $2 }
	    /^#.* cov: / { for (i = 1; i < NF; i++)
		if ($i == "cov:") cov = $(i + 1) }
	    END { printf "%-14s %10d runs %8d/s  %6d edges  %s\n",
		target, runs, rate, cov, verdict }' "$log"
done
exit $failed
