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
for sample in tests/data/samples/*.log tests/data/samples/*.csv; do
	name=$(basename "$sample").out
	"$SEPMLOGCTL" parse --timezone UTC --now 2024-06-30T00:00:00Z \
	    "$sample" >"$work/$name"
	# 1: there were findings, such as an unparsed line.
	if [ $? -gt 1 ]; then
		echo "$sample: sepmlogctl failed"
		status=1
	elif $update; then
		cp "$work/$name" "$golden/$name"
	elif ! diff -u "$golden/$name" "$work/$name"; then
		status=1
	fi
done
exit $status
