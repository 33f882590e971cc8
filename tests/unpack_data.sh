#!/bin/sh
# unpack_data.sh - unpacks the archives of the shared data for the tests that look into them.
#
#     sh tests/unpack_data.sh [CACHE_DIR [FOLDER...]]
#
# CACHE_DIR: default ${TMPDIR:-/tmp}/metricann-data; FOLDER: sub-folders of $METRICANN_DATA (default
# ../shared/data), default `decode validate`. FOLDER/NAME.tar.gz becomes CACHE_DIR/FOLDER/NAME/. What
# is there already and not older than its archive is left alone, so a second run costs nothing.
# SPDX-License-Identifier: MIT
set -eu

data=${METRICANN_DATA:-../shared/data}
cache=${1:-${TMPDIR:-/tmp}/metricann-data}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- decode validate

if [ ! -d "$data" ]; then
    echo "unpack_data.sh: no $data: nothing to unpack" >&2
    exit 0
fi
for folder in "$@"; do
    for archive in "$data/$folder"/*.tar.gz; do
        [ -f "$archive" ] || continue
        name=$(basename "$archive" .tar.gz)
        to=$cache/$folder/$name
        mark=$to/.unpacked
        if [ -f "$mark" ] && [ ! "$archive" -nt "$mark" ]; then continue; fi
        rm -rf "$to"
        mkdir -p "$to"
        # Members keep no owners and no odd rights: the cache must stay removable.
        tar -xzf "$archive" -C "$to" --no-same-owner
        chmod -R u+rwX "$to"
        : > "$mark"
        echo "$to"
    done
done
