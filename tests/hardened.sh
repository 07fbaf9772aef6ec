#!/bin/sh
# Programs are built with what the kernel, the loader and the C library offer
# against memory errors: sh tests/hardened.sh PROGRAM...
LC_ALL=C
export LC_ALL
command -v readelf >/dev/null || { echo "readelf is not installed"; exit 77; }
[ $# -gt 0 ] || { echo "usage: $0 PROGRAM..." >&2; exit 2; }
failed=0

# must PROGRAM WHAT PATTERN FLAGS: the pattern is in what readelf shows.
must() {
	readelf -W "$4" "$1" | grep -Eq "$3" && return
	echo "$1: not $2: see SEPMLOG_HARDEN in CMakeLists.txt"
	failed=1
}
must_not() {
	readelf -W "$4" "$1" | grep -Eq "$3" || return 0
	echo "$1: $2: see SEPMLOG_HARDEN in CMakeLists.txt"
	failed=1
}

for program in "$@"; do
	must "$program" "position-independent" '\(FLAGS_1\).* PIE' -d
	must "$program" "bound at start" 'BIND_NOW|\(FLAGS_1\).* NOW' -d
	must "$program" "read-only after relocation" ' GNU_RELRO ' -l
	must "$program" "with a stack that cannot be run" ' GNU_STACK .* RW ' -l
	must "$program" "with stack protectors" '__stack_chk_fail' --dyn-syms
	must "$program" "fortified" '_chk@' --dyn-syms
	must_not "$program" "has a segment to write and run" ' RWE ' -l
	must_not "$program" "has relocations in its code" 'TEXTREL' -d
	must_not "$program" "brings its own library path" 'R(UN)?PATH' -d
done
exit $failed
