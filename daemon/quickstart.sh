#!/bin/sh
# From a checkout to the first records:
#     sh daemon/quickstart.sh [--once] [--listen ADDRESS]
#
# Installs what the build needs (Debian, with apt-get), builds, starts sepmlogd
# on loopback port 5514 with a fresh directory below build/quickstart/, sends
# sample messages to it and shows the records as they come in, until ^C.
# --once ends as soon as all samples have arrived: 0, or 1 if some have not.
# --listen takes another address of this machine (0.0.0.0: all), so that a SEPM
# elsewhere can be pointed at it.
set -u

cd "$(dirname "$0")/.." || exit 3
once=false address=127.0.0.1
while [ $# -gt 0 ]; do
	case $1 in
	--once) once=true ;;
	--listen) address=${2:?an address}; shift ;;
	*) echo "usage: $0 [--once] [--listen ADDRESS]" >&2; exit 2 ;;
	esac
	shift
done
# Where the samples are sent to.
case $address in
0.0.0.0 | ::) self=127.0.0.1 ;;
*) self=$address ;;
esac

port=5514
program=build/release/daemon/receive/sepmlogd

# --- build -------------------------------------------------------------------

sh daemon/packages.sh gcc libc6-dev cmake ninja-build pkg-config tzdata \
    bsdutils libevent-dev libyaml-dev zlib1g-dev libzstd-dev libssl-dev \
    libsystemd-dev unixodbc-dev libpsl-dev libcurl4-openssl-dev libssh-dev \
    librdkafka-dev || exit 3
echo "Building sepmlogd (build/release)"
mkdir -p build
if ! cmake --preset release -DBUILD_TESTING=OFF >build/release.log 2>&1; then
	cat build/release.log
	exit 3
fi
cmake --build --preset release || exit 3

# --- run ---------------------------------------------------------------------

mkdir -p build/quickstart
run=$(mktemp -d "$PWD/build/quickstart/XXXXXX") || exit 3
spool=$run/spool
daemon='' viewer='' follower=''

stop() {
	trap - EXIT INT TERM
	for pid in $follower $viewer; do
		kill "$pid" 2>/dev/null
	done
	if [ -n "$daemon" ] && kill "$daemon" 2>/dev/null; then
		# It publishes what it has first.
		wait "$daemon"
		echo
		echo "Stopped. Finished files:"
		ls "$spool"/ready/*
	fi
	rm -f "$run/samples" "$run/lines"
	exit "$1"
}
trap 'stop $?' EXIT
trap 'stop 130' INT
trap 'stop 143' TERM

set -- -d "$spool"
[ "$address" = 127.0.0.1 ] || set -- "$@" -a "$address"
: >"$run/log"
"$program" "$@" 2>"$run/log" &
daemon=$!
tries=0
until grep -q 'tcp .*: listening' "$run/log"; do
	tries=$((tries + 1))
	if ! kill -0 "$daemon" 2>/dev/null || [ $tries -gt 100 ]; then
		echo "sepmlogd did not start:" >&2
		cat "$run/log" >&2
		if grep -q 'in use' "$run/log"; then
			echo "Something else has port $port or 9514. Which one:" \
			    "ss -lntup 'sport = :$port or sport = :9514'" >&2
			echo "If it is an earlier quickstart, end it with ^C" \
			    "and start this again." >&2
		fi
		stop 1
	fi
	sleep 0.1
done
echo "sepmlogd listens on $address port $port, UDP and TCP"
echo "What goes on: http://127.0.0.1:9514/"
echo

# One readable line for each record. In JSON text a quote inside a value is
# escaped, so that `"key":"` can only be a key.
# shellcheck disable=SC2016
show='
function value(key,   at, rest) {
	at = index($0, "\"" key "\":")
	if (at == 0)
		return ""
	rest = substr($0, at + length(key) + 3)
	if (match(rest, /^[0-9]+/))
		return substr(rest, 1, RLENGTH)
	if (!match(rest, /^"([^"\\]|\\.)*"/))
		return ""
	rest = substr(rest, 2, RLENGTH - 2)
	gsub(/\\"/, "\"", rest)
	gsub(/\\\\/, "\\", rest)
	return rest
}
function known(text) {
	return text == "" ? "-" : text
}
{
	sub(/,"extra":\{.*/, "")
	type = value("type")
	if (type != "traffic") {
		printf "%s  %s: %s\n", known(value("time")), type,
		    value(type == "unparsed" ? "reason" : "message")
	} else {
		remote = value("remote_name")
		if (remote == "")
			remote = known(value("remote_ip"))
		if (value("remote_port") != "")
			remote = remote ":" value("remote_port")
		printf "%s  %-10s %-10s %s %s %s  %s\n", known(value("time")),
		    known(value("host")), known(value("user")),
		    known(value("application")),
		    value("direction") == "inbound" ? "<-" : "->",
		    remote, known(value("action"))
	}
	fflush()
}'
# mawk would wait for a full buffer.
awk='awk'
case $(awk -W version 2>&1 </dev/null) in
mawk*) awk='awk -W interactive' ;;
esac
# The names are hard links to the files being written: -F follows them.
mkfifo "$run/lines" || stop 3
tail -q -n +1 -F "$spool/traffic.jsonl" "$spool/events.jsonl" \
    "$spool/unparsed.jsonl" >"$run/lines" 2>/dev/null &
follower=$!
$awk "$show" <"$run/lines" &
viewer=$!

# --- samples -----------------------------------------------------------------

# The bodies of messages of five SEPM versions; logger writes the header anew,
# in UTC. One half goes by UDP, the other by TCP with octet counts.
for version in 11 12.1 14.0 14.2 14.3; do
	sed -n 's/^.* SymantecServer: //p' \
	    "tests/data/samples/traffic-$version.log"
done >"$run/samples"
sent=$(wc -l <"$run/samples")
half=$((sent / 2))
send() {
	TZ=UTC0 logger --server $self --port $port --rfc3164 \
	    --tag SymantecServer --priority lpr.info --size 8KiB "$@"
}
sed "${half}q" "$run/samples" | send --udp
sed "1,${half}d" "$run/samples" | send --tcp --octet-count

arrived() {
	wc -l <"$spool/traffic.jsonl" 2>/dev/null || echo 0
}
tries=0
while [ "$(arrived)" -lt "$sent" ]; do
	tries=$((tries + 1))
	if [ $tries -gt 200 ]; then
		echo "Only $(arrived) of $sent samples arrived in 20 s;" \
		    "sepmlogd says:" >&2
		cat "$run/log" >&2
		stop 1
	fi
	sleep 0.1
done
sleep 0.3

cat <<EOF

All $sent samples arrived. Each is a line of JSON in

    $spool/traffic.jsonl     (tail -F follows it)

and finished files go to $spool/ready/.

A real SEPM: start this again with --listen ADDRESS, an address of this machine
that it can reach (0.0.0.0: all), then in the SEPM console
    Admin > Servers > Local Site > Configure External Logging
    General: Enable Transmission of Logs to a Syslog Server,
        that address, UDP or TCP, port $port
    Log Filter: Client Logs > Traffic logs, and what else is wanted
EOF
if $once; then
	stop 0
fi
echo
echo "More comes in here as it is sent; ^C ends."
wait "$daemon"
