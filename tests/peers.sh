# shellcheck shell=sh
# Sourced by scripts that run in the project's directory.

# rsyslog and syslog-ng would each replace the machine's own syslog service
# when installed. They are only unpacked here, with the libraries they need.
unpack_peers() {
	unpack build/peers rsyslog rsyslog-gnutls rsyslog-openssl syslog-ng-core
}

# Servers that the machine should not have to run.
unpack_vsftpd() {
	unpack build/vsftpd vsftpd
}

unpack_proftpd() {
	unpack build/proftpd proftpd-core proftpd-mod-crypto libhashkit2
}

# Swift has an S3 of its own. It is Python, of many packages.
unpack_swift() {
	swift=build/swift
	[ ! -e $swift/.complete ] || return 0
	rm -rf $swift
	mkdir -p $swift/packages
	command -v apt-get >/dev/null || return 1
	wanted=$(apt-get -s --no-install-recommends install python3-swift |
	    sed -n 's/^Inst \([^ ]*\).*/\1/p')
	# shellcheck disable=SC2086
	(cd $swift/packages && apt-get -q -o APT::Sandbox::User=root \
	    download ${wanted:-python3-swift}) >/dev/null || return 1
	unpack_all $swift || return 1
	touch $swift/.complete
}

unpack_clickhouse() {
	unpack build/clickhouse clickhouse-server clickhouse-common \
	    libpocojson80 libpococrypto80
}

# DIRECTORY PACKAGE...
unpack() {
	peers=$1
	shift
	names=$*
	[ "$(cat $peers/.complete 2>/dev/null)" != "$names" ] || return 0
	rm -rf $peers
	mkdir -p $peers/packages
	command -v apt-get >/dev/null || return 1
	# shellcheck disable=SC2086
	wanted=$(apt-cache depends --important $names |
	    sed -n 's/^ *Depends: \([^<]*\)$/\1/p' | sort -u)
	for package in $wanted; do
		if dpkg-query -W -f '${Status}' "$package" 2>/dev/null |
		    grep -q ' installed$'; then
			continue
		fi
		(cd $peers/packages &&
		    apt-get -q -o APT::Sandbox::User=root \
			download "$package") >/dev/null 2>&1
	done
	# shellcheck disable=SC2086
	(cd $peers/packages && apt-get -q -o APT::Sandbox::User=root \
	    download $names) >/dev/null || return 1
	unpack_all $peers || return 1
	echo "$names" >$peers/.complete
}

# DIRECTORY: what is in its packages/.
unpack_all() {
	for package in "$1"/packages/*.deb; do
		dpkg -x "$package" "$1" || return 1
	done
}

# Debian 13 has its source alone, beside that of VictoriaMetrics. The compiler
# and what it is built with are unpacked, too, and gone when it is there:
# 160 MB to get, and some minutes.
unpack_victorialogs() (
	work=build/victorialogs
	[ "$(cat $work/.complete 2>/dev/null)" != "1.112.0" ] || return 0
	rm -rf $work
	types="deb deb-src"
	unpack_suite trixie $work golang-1.24-go golang-1.24-src \
	    golang-github-cespare-xxhash-dev golang-github-golang-snappy-dev \
	    golang-github-klauspost-compress-dev \
	    golang-github-valyala-bytebufferpool-dev \
	    golang-github-valyala-fastjson-dev \
	    golang-github-valyala-fastrand-dev \
	    golang-github-valyala-fasttemplate-dev \
	    golang-github-valyala-gozstd-dev \
	    golang-github-valyala-histogram-dev \
	    golang-github-valyala-quicktemplate-dev \
	    golang-github-victoriametrics-easyproto-dev \
	    golang-github-victoriametrics-metrics-dev \
	    golang-github-victoriametrics-metricsql-dev \
	    golang-golang-x-sys-dev || return 1
	(cd $work/packages && apt-get -q source --download-only \
	    victoriametrics=1.112.0+ds1-2) >/dev/null 2>&1 || return 1
	work=$PWD/$work
	GOROOT=$work/usr/lib/go-1.24
	GOPATH=$work/go:$work/usr/share/gocode
	GOCACHE=$work/cache
	GO111MODULE=off CGO_ENABLED=0
	export GOROOT GOPATH GOCACHE GO111MODULE CGO_ENABLED
	source=$work/go/src/github.com/VictoriaMetrics/VictoriaMetrics
	mkdir -p "$source"
	tar -C "$source" --strip-components=1 -xf \
	    "$work"/packages/victoriametrics_*.orig.tar.xz || return 1
	(cd "$source" && nice "$GOROOT/bin/go" build -o "$work/victoria-logs" \
	    ./app/victoria-logs) || return 1
	rm -rf "${work:?}"/usr "$work"/go "$work"/cache "$work"/packages \
	    "$work"/apt-*
	echo 1.112.0 >"$work/.complete"
)

# Debian unstable has it as a library, Debian 13 what that runs with: see
# tests/system/opensearch/build.sh. 90 MB to get.
unpack_opensearch() (
	work=build/opensearch
	[ "$(cat $work/.complete 2>/dev/null)" != "2.4.1" ] || return 0
	rm -rf $work
	types=deb
	unpack_suite sid $work libopensearch-java=2.4.1+dfsg-2 || return 1
	unpack_suite trixie $work openjdk-21-jre-headless libc6 libgcc-s1 \
	    libstdc++6 zlib1g libasm-java libcarrotsearch-hppc-java \
	    libhdrhistogram-java libjackson2-core-java \
	    libjackson2-dataformat-cbor libjackson2-dataformat-smile \
	    libjackson2-dataformat-yaml libjcodings-java libjna-java \
	    libjoda-time-java libjoptsimple-java libjruby-joni-java \
	    liblog4j2-java liblucene9-java libnetty-java libt-digest-java \
	    libyaml-snake-java || return 1
	sh tests/system/opensearch/build.sh $work || return 1
	rm -rf $work/packages $work/apt-*
	echo 2.4.1 >$work/.complete
)

# SUITE DIRECTORY PACKAGE...: packages of another Debian than this machine's,
# by an apt that knows nothing of it. The caller's APT_CONFIG is that apt's
# from here on. `types`: deb, and deb-src where sources are wanted.
unpack_suite() {
	suite=$1
	peers=$PWD/$2
	shift 2
	apt=$peers/apt-$suite
	keys=/usr/share/keyrings/debian-archive-keyring.gpg
	mkdir -p "$peers/packages" "$apt/lists/partial" \
	    "$apt/cache/archives/partial" "$apt/none"
	: >"$apt/status"
	for type in $types; do
		echo "$type [signed-by=$keys]" \
		    "http://deb.debian.org/debian $suite main"
	done >"$apt/sources.list"
	cat >"$apt/apt.conf" <<-EOT
	Dir::State "$apt";
	Dir::State::status "$apt/status";
	Dir::Cache "$apt/cache";
	Dir::Etc::sourcelist "$apt/sources.list";
	Dir::Etc::sourceparts "$apt/none";
	Dir::Etc::preferences "$apt/none/none";
	Dir::Etc::preferencesparts "$apt/none";
	APT::Sandbox::User "root";
	Acquire::Languages "none";
	EOT
	export APT_CONFIG="$apt/apt.conf"
	apt-get -q update >/dev/null 2>&1 || return 1
	(cd "$peers/packages" && apt-get -q download "$@") >/dev/null 2>&1 ||
	    return 1
	unpack_all "$peers"
}
