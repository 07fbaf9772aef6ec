# shellcheck shell=sh
# Sourced by scripts that run in the project's directory.

# rsyslog and syslog-ng would each replace the machine's own syslog service
# when installed. They are only unpacked here, with the libraries they need.
unpack_peers() {
	unpack build/peers rsyslog rsyslog-gnutls rsyslog-openssl syslog-ng-core
}

# A server that the machine should not have to run.
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
	for package in "$peers"/packages/*.deb; do
		dpkg -x "$package" $peers || return 1
	done
	echo "$names" >$peers/.complete
}
