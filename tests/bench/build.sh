# What the commands of this folder share; sourced from the top of the tree.
# Standard output is for the tables.
step() {
	printf '== %s\n' "$1" >&2
}

give_up() {
	printf '%s: FAILED: %s\n' "$0" "$1" >&2
	exit 3
}

# quietly NAME COMMAND...: what it says is shown if it fails.
quietly() {
	log=build/$1.log
	shift
	"$@" >"$log" 2>&1 || {
		cat "$log" >&2
		give_up "$*"
	}
}

# need PACKAGE...: what building takes, and these.
need() {
	mkdir -p build
	sh daemon/packages.sh gcc libc6-dev cmake ninja-build pkg-config \
	    tzdata libevent-dev libyaml-dev zlib1g-dev libzstd-dev libssl-dev \
	    libsystemd-dev check python3 "$@" >&2 || give_up "missing packages"
}

build_release() {
	quietly release cmake --preset release
	quietly release cmake --build --preset release
}

# build_tools TARGET...
build_tools() {
	quietly bench cmake --preset release -B build/bench -DSEPMLOG_BENCH=ON
	quietly bench cmake --build build/bench --target "$@"
}
