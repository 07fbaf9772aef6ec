#!/bin/sh
# How cost grows with work, and how long things take:
# sh tests/bench/scale.sh [--quick] [question ...]
#
# Installs what that needs (Debian, apt-get), builds the daemon as packaged
# (build/release) and the load tools (build/bench), and prints a table for each
# question, with its target and whether it is met. The questions are
# connections, sources, sizes, long, streams, idle, latency, start and burst.
# All traffic stays on the loopback interface. Takes half an hour and wants the
# machine for itself; --quick takes some minutes. Run it as root for receive
# buffers larger than net.core.rmem_max. Status 0: all targets are met; 1: some
# are not; 3: something went wrong.
set -u

cd "$(dirname "$0")/../.." || exit 3

. tests/bench/build.sh
step "What this needs"
need strace
step "Build as packaged (build/release)"
build_release
step "Build the load tools (build/bench)"
build_tools sepmload

step "Measure"
exec python3 -B tests/bench/scale.py "$@"
