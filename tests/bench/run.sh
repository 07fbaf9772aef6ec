#!/bin/sh
# Compares sepmlogd with rsyslog, syslog-ng and the least that any receiver has
# to do: sh tests/bench/run.sh [--quick | --only tcp | --only udp]
#
# Installs what that needs (Debian, with apt-get), builds the daemon as packaged
# (build/release) and the load tools (build/bench), unpacks the other programs
# (build/peers), checks every value that each of them stores, measures, and
# prints tables in Markdown. All traffic stays on the loopback interface. Takes
# half an hour, and wants the machine for itself; --only makes a part of it
# (tcp: TLS as well), --quick takes some minutes and is only good for a look.
# Run it as root for receive buffers larger than net.core.rmem_max. Status 0:
# all that was stored is right.
set -u

cd "$(dirname "$0")/../.." || exit 3
case "$*" in
''|--quick|'--only tcp'|'--only udp') ;;
*) echo "usage: $0 [--quick | --only tcp | --only udp]" >&2; exit 2 ;;
esac

. tests/bench/build.sh
. tests/peers.sh

step "What this needs"
need gzip zstd iproute2 util-linux libjemalloc2
unpack_peers ||
    step "No rsyslog and syslog-ng here: only the floor to compare with"

step "Build as packaged (build/release)"
build_release
step "Build the load tools (build/bench)"
build_tools sepmload floor tally

step "Measure"
BENCH_COMMAND="sh tests/bench/run.sh${*:+ $*}" \
    exec python3 -B tests/bench/compare.py "$@"
