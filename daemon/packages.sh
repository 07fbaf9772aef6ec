#!/bin/sh
# Installs those of the named Debian packages that are missing, as root or
# with sudo: daemon/packages.sh PACKAGE...
set -u

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
	echo "This is not a Debian system. Needed here, by whatever names" >&2
	echo "they have: $*" >&2
	exit 0
fi

missing=
for package; do
	case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
	*' installed') ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "Please install as root: apt-get install$missing" >&2
		exit 3
	fi
	as_root=sudo
fi

echo "Installing:$missing"
install() {
	# The names are to be split.
	# shellcheck disable=SC2086
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q \
	    --no-install-recommends $missing </dev/null
}
# Package lists may be missing or out of date: only then are they fetched.
install >/dev/null 2>&1 || { $as_root apt-get update -q && install; } || {
	echo "Could not install:$missing" >&2
	exit 3
}
