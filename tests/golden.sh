#!/bin/sh
# Compares what sepmlogctl makes of every sample with the records kept in
# tests/data/golden/: tests/golden.sh [--update]
#
# --update rewrites them; the difference is then reviewed like code. The
# program is build/dev's, or $SEPMLOGCTL.
set -u
cd "$(dirname "$0")/.." || exit 3
: "${SEPMLOGCTL:=build/dev/daemon/ctl/sepmlogctl}"
golden=tests/data/golden
update=false
case ${1-} in
--update) update=true; mkdir -p "$golden" ;;
'') ;;
*) echo "usage: $0 [--update]" >&2; exit 2 ;;
esac

work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
status=0

# keep NAME REFERENCE SAMPLE [OPTION...]
keep() {
	name=$1 now=$2 input=$3
	shift 3
	if ! "$SEPMLOGCTL" parse --now "$now" "$@" "$input" >"$work/$name"; then
		echo "$input: sepmlogctl failed"
		status=1
	elif $update; then
		cp "$work/$name" "$golden/$name"
	elif ! diff -u "$golden/$name" "$work/$name"; then
		status=1
	fi
}

for sample in tests/data/samples/*.log tests/data/samples/*.csv; do
	keep "$(basename "$sample").out" 2024-06-30T00:00:00Z "$sample"
done
# The other formats, from samples with quotes, commas and code pages.
for sample in quoting.log localised.log icmp-ethernet.log export.csv; do
	keep "$sample.csv.out" 2024-06-30T00:00:00Z \
	    "tests/data/samples/$sample" --format csv --timezone Europe/Paris
	keep "$sample.raw.out" 2024-06-30T00:00:00Z \
	    "tests/data/samples/$sample" --format raw
done
# The formats of others: every type, the odd protocols, and IPv6.
for sample in other-types.log icmp-ethernet.log traffic-14.3.log garbage.log; do
	for format in ecs ocsf cef leef; do
		keep "$sample.$format.out" 2024-06-30T00:00:00Z \
		    "tests/data/samples/$sample" --format $format
	done
done
keep quoting.log.explain.out 2024-06-30T00:00:00Z \
    tests/data/samples/quoting.log --explain
# The two samples of the public tech note, which describe one lab computer.
keep public-viewer.log.out 2016-08-01T00:00:00Z tests/data/public/viewer.log
keep public-export.csv.out 2016-08-01T00:00:00Z tests/data/public/export.csv
exit $status
