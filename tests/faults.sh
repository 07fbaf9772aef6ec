#!/bin/sh
# The fault matrix: sh tests/faults.sh [--quick | --nightly] [--all] [ROW...]
#
# Builds the daemon as packaged (build/release), runs a scenario for each row
# and shows the matrix: what was injected how often, when that is passed, what
# was measured, and the verdict; F rows are of reception, U rows of delivery.
# Without a name those rows run that belong to a run of that kind; --quick is a
# selection of a minute and a half, the default takes about half an hour,
# --nightly has the repetitions of a night, --all adds what takes hours, and
# --list shows what there is. Most rows need root: they mount and limit in
# namespaces and control groups of their own. Status 0: none failed.
set -u

cd "$(dirname "$0")/.." || exit 3
mkdir -p build
sh daemon/packages.sh strace xfsprogs nftables libfaketime valgrind clang ||
    echo "What needs a missing package is skipped." >&2
{
	cmake --preset release && cmake --build --preset release
} >build/release.log 2>&1 || {
	cat build/release.log
	echo "$0: the release build failed: see above" >&2
	exit 3
}
exec python3 -B tests/system/faults/run.py "$@"
