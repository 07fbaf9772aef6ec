#!/bin/sh
# The fault matrix: sh tests/faults.sh [--quick | --nightly] [--all] [ROW...]
#
# Installs what that needs (Debian, with apt-get), builds the daemon as packaged
# (build/release) and with sanitizers (build/dev), runs a scenario for each row
# and shows the matrix: what was injected how often, when that is passed, what
# was measured, and the verdict; F rows are of reception, U rows of delivery.
# The whole matrix is --all, which takes about 90 minutes; the default leaves
# out the soak of half an hour, --quick is a selection of a minute and a half,
# --nightly has the repetitions of a night, and --list shows what there is. A
# row that passed but for something that cannot be done here is `in part`, and
# says what. Most rows need root: they mount and limit in namespaces and control
# groups of their own. Status 0: none failed.
set -u

cd "$(dirname "$0")/.." || exit 3
mkdir -p build
sh daemon/packages.sh gcc libc6-dev cmake ninja-build pkg-config tzdata \
    libevent-dev libyaml-dev zlib1g-dev libzstd-dev libssl-dev \
    libsystemd-dev unixodbc-dev libpsl-dev check libcurl4-openssl-dev \
    libssh-dev librdkafka-dev python3 openssl zstd util-linux iproute2 curl || {
	echo "$0: not what the build and every row need" >&2
	exit 3
}
for package in strace e2fsprogs xfsprogs nftables libfaketime clang nginx-light \
    openssh-server systemd-container; do
	sh daemon/packages.sh "$package" ||
	    echo "What needs $package is skipped." >&2
done
for preset in release dev; do
	{
		cmake --preset "$preset" && cmake --build --preset "$preset"
	} >"build/$preset.log" 2>&1 || {
		cat "build/$preset.log"
		echo "$0: the $preset build failed: see above" >&2
		exit 3
	}
done
exec python3 -B tests/system/faults/run.py "$@"
