#!/bin/sh
# The manual pages are well-formed.
cd "$(dirname "$0")/.." || exit 3
command -v mandoc >/dev/null || { echo "mandoc is not installed"; exit 77; }
pages=$(find daemon conf -name '*.[1-8]')
[ -n "$pages" ] || exit 1
# shellcheck disable=SC2086
mandoc -T lint -W warning $pages
