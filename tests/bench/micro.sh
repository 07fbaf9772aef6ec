#!/bin/sh
# Where the time of a message goes: sh tests/bench/micro.sh [--instructions]
#
# Builds the library as packaged, with the tools of this folder (build/bench),
# and prints for each step of a message (framing, header, SEPM body, encoding,
# spool) what it adds in nanoseconds, cycles of the time stamp counter, and
# bytes per cycle.
#
# --instructions counts instructions with valgrind instead, which says the same
# on any day and on a busy machine, and shows them beside those in
# tests/bench/instructions.txt; `--instructions --keep` writes them there.
set -u

cd "$(dirname "$0")/../.." || exit 3
usage() {
	echo "usage: $0 [--instructions [--keep]]" >&2
	exit 2
}
case "${1-} ${2-}" in
' '|'--instructions '|'--instructions --keep') ;;
*) usage ;;
esac

MESSAGES=20000     # for the clock
ROUNDS=25
COUNTED=2000       # under valgrind, which is 50 times slower
STEPS='framing header sepm encode'
kept=tests/bench/instructions.txt

. tests/bench/build.sh
step "What this needs"
need valgrind
step "Build the library as packaged, and the tools (build/bench)"
build_tools sepmload micro
tools=build/bench/tests/bench

# The instructions of all rounds up to a step, of $1 steps.
count() {
	valgrind --tool=callgrind --callgrind-out-file=/dev/null \
	    $tools/micro build/bench/counted.txt 1 "$1" 2>&1 >/dev/null |
	    sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

# One line a step: its name, and the instructions of a message that it adds.
count_all() {
	before=$(count 0) whole=0 number=0
	for name in $STEPS; do
		number=$((number + 1))
		all=$(count $number)
		[ -n "$all" ] || give_up "valgrind says nothing"
		round=$(((all - before) / COUNTED))
		echo "$name $((round - whole))"
		whole=$round before=$all
	done
	echo "all $whole"
}

if [ "${1-}" != --instructions ]; then
	$tools/sepmload --dump --corpus $MESSAGES >build/bench/messages.txt ||
	    give_up "sepmload"
	step "Measure"
	rm -rf build/bench/spool
	$tools/micro build/bench/messages.txt $ROUNDS 5 build/bench/spool
	status=$?
	rm -rf build/bench/spool
	exit $status
fi

$tools/sepmload --dump --corpus $COUNTED >build/bench/counted.txt ||
    give_up "sepmload"
step "Count"
count_all >build/bench/instructions.txt
if [ "${2-}" = --keep ]; then
	cp build/bench/instructions.txt $kept
fi
echo '| step | instructions per message | kept | difference |'
echo '| --- | ---: | ---: | ---: |'
join $kept build/bench/instructions.txt 2>/dev/null |
    while read -r name old new; do
	echo "| $name | $new | $old | $(((new - old) * 1000 / old))‰ |"
    done
