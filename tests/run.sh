#!/bin/sh
# Builds and runs all tests:
# sh tests/run.sh [--quick|--all|--coverage|--tsan|--valgrind]
#
# Installs what they need (Debian, with apt-get), builds with sanitizers
# (build/dev) and as packaged (build/release), and runs unit tests, fuzz
# corpora, golden records and the system tests against the real daemon.
# --quick leaves out the scenarios that take longest; --all cuts the fuzz
# corpora at every byte instead of every 13th, and lets every disk call of the
# spool fail instead of some of each way it comes about. Status 0: all passed.
# --coverage instead runs tests/coverage.sh: which lines and branches of lib/
# its unit tests and fuzz corpora reach. --tsan runs what has threads
# under the thread sanitizer (build/tsan), --valgrind the unit tests
# under memcheck (build/valgrind).
set -u

cd "$(dirname "$0")/.." || exit 3
quick=false
mode=tests
case ${1-} in
--quick) quick=true ;;
--coverage|--tsan|--valgrind) mode=${1#--} ;;
--all) SEPMLOG_TESTS=all; export SEPMLOG_TESTS ;;
'') ;;
*) echo "usage: $0 [--quick|--all|--coverage|--tsan|--valgrind]" >&2; exit 2 ;;
esac
start=$(date +%s)

step() {
	printf '\n== %s\n' "$1"
}
give_up() {
	printf '\ntests/run.sh: FAILED: %s\n' "$1"
	exit 1
}

. tests/peers.sh

mkdir -p build
step "What the tests need"
sh daemon/packages.sh gcc libc6-dev cmake ninja-build pkg-config tzdata \
    binutils bsdutils libevent-dev libyaml-dev zlib1g-dev libzstd-dev libssl-dev \
    libsystemd-dev unixodbc-dev libpsl-dev odbc-postgresql postgresql util-linux check \
    curl libcurl4-openssl-dev libssh-dev librdkafka-dev nginx-light openssh-server \
    python3 netcat-openbsd zstd iproute2 systemd-container mandoc \
    strace xfsprogs dpkg-dev file lintian || give_up "missing packages"
unpack_peers ||
    echo "No rsyslog and loggen here: what needs them is skipped."
unpack_vsftpd || echo "No vsftpd here: what needs it is skipped."
unpack_proftpd || echo "No ProFTPD here: what needs it is skipped."
unpack_swift || echo "No Swift here: what needs it is skipped."
if [ "${SEPMLOG_TESTS-}" = all ]; then
	unpack_clickhouse || echo "No ClickHouse here: it is skipped."
	unpack_opensearch || echo "No OpenSearch here: it is skipped."
	unpack_victorialogs || echo "No VictoriaLogs here: it is skipped."
fi

# Configures and builds a preset, or some targets of it:
# build_preset NAME [--target TARGET...]
build_preset() {
	preset=$1
	shift
	cmake --preset "$preset" >"build/$preset.log" 2>&1 || {
		cat "build/$preset.log"
		give_up "cmake --preset $preset"
	}
	cmake --build --preset "$preset" "$@" || give_up "$preset build"
}

case $mode in
coverage)
	step "Coverage (build/coverage)"
	sh daemon/packages.sh gcovr || give_up "missing packages"
	sh tests/coverage.sh || give_up "see above"
	exit 0
	;;
tsan)
	step "Thread sanitizer (build/tsan)"
	build_preset tsan
	# The spooler's and the uploader's threads, and the library's between
	# a writer and a reader. A race ends the program that has it. Limits
	# are for programs ten times as fast.
	CK_TIMEOUT_MULTIPLIER=10 SEPMLOG_PATIENCE=10 \
	TSAN_OPTIONS=halt_on_error=1:exitcode=66 \
	    ctest --test-dir build/tsan --output-on-failure --no-tests=error \
	    --parallel 2 --timeout 900 --tests-regex "^unit\.(channel|intake|\
outbox|receipts|spool_threads|status|taken)\$|^system\.(crash|handover|ledger|\
reload|roll_up|rotation|status|stop|tls|upload|upload_batch|upload_defender|\
upload_s3|upload_sftp|vault)\$" ||
	    give_up "see above"
	exit 0
	;;
valgrind)
	step "Memcheck (build/valgrind)"
	sh daemon/packages.sh valgrind || give_up "missing packages"
	build_preset valgrind --target tests/unit/all
	sh tests/memcheck.sh build/valgrind || give_up "see above"
	exit 0
	;;
esac

step "Build as packaged (build/release)"
build_preset release

step "Build with sanitizers (build/dev)"
build_preset dev

step "Tests of what is packaged"
# Without sanitizers some loads are others (lib/block.h). Not the spool: it is
# the same, and its faults take long.
ctest --test-dir build/release --output-on-failure --no-tests=error \
    --parallel 2 --tests-regex '^(unit|fuzz)\.|^system\.same$' \
    --exclude-regex spool || give_up "see above"

step "Tests"
set -- --test-dir build/dev --output-on-failure --no-tests=error \
    --parallel 2
if $quick; then
	set -- "$@" --exclude-regex \
	    '^system\.(container|crash|disk_full|faults|imports|overload|packages|pulls|volume)$'
fi
# Shown as it goes, and kept for the last lines below.
{
	ctest "$@"
	echo $? >build/ctest.status
} 2>&1 | tee build/ctest.log
status=$(cat build/ctest.status)

skipped=$(grep -c 'Skipped$' build/ctest.log)
# Of scripts that passed otherwise; ctest shows nothing of those.
cases=$(sed -n 's/^skipped case: //p' build/dev/Testing/Temporary/LastTest.log |
    sort)
printf '\n== %s' "$(grep 'tests passed' build/ctest.log)"
[ "$skipped" -eq 0 ] || printf ', %s skipped' "$skipped"
[ -z "$cases" ] ||
	printf ', %s cases of others skipped' "$(echo "$cases" | wc -l)"
printf ', %s s with build\n' $(($(date +%s) - start))
[ -z "$cases" ] || echo "$cases" | sed 's/^/   skipped: /'
[ "$status" -eq 0 ] || give_up "see above"
