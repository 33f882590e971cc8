#!/bin/sh
# lint.sh - the rules of the house that a machine can check.
#
#     sh tests/lint/lint.sh [-C ROOT] [RULE ...]      default: all rules, on the tree it lies in
#
# A rule is a function that prints one line per offence; silence is consent. symbols and globals look
# at libmetricann.a, header needs a compiler ($CC, $CXX); where these are missing the rule is skipped.
# Ends with "N passed, N failed, N skipped". SPDX-License-Identifier: MIT
set -u
LC_ALL=C
export LC_ALL
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
if [ "${1:-}" = -C ]; then root=$2; shift 2; fi
cd "$root" || exit 2

src() { find src -name '*.[ch]' | sort; }
all_c() { find include src tests bench -name '*.[ch]' 2>/dev/null | sort; }

layers()  { src | xargs awk -f "$here/layers.awk"; }
banned()  { src | xargs awk -f "$here/strip.awk" -f "$here/banned.awk"; }
lengths() { all_c | xargs awk -f "$here/lengths.awk"; }
columns() { all_c | xargs awk -f "$here/columns.awk"; }

names() {       # one file name, one file: "see topk.c" must be enough
    src | awk '{ n = split($0, s, "/"); f = s[n]; if (f in was) print $0 ": also " was[f]; was[f] = $0 }'
}

licence() {
    for f in $(all_c); do
        head -n 40 "$f" | grep -q 'SPDX-License-Identifier: MIT' || echo "$f:1: no SPDX line"
    done
}

symbols() {     # what a static library exports must not clash with its user's names
    [ -f libmetricann.a ] && command -v nm > /dev/null || return 77
    nm -g libmetricann.a 2> /dev/null |
        awk 'NF == 3 && $2 ~ /[A-TV-Z]/ && $3 !~ /^_?(mann|mni)_/ { print "libmetricann.a: exports " $3 }'
}

globals() {     # state that outlives a call; .data.rel.ro is constant once loaded
    [ -f libmetricann.a ] && command -v objdump > /dev/null || return 77
    objdump -t libmetricann.a | awk -v list="$here/globals.txt" '
        BEGIN { while ((getline line < list) > 0) { split(line, w); ok[w[1] " " w[2]] = 1 } }
        /file format/ { object = $1; sub(/:$/, "", object); sub(/\.o$/, ".c", object) }
        / O / {
            name = $NF; base = name; sub(/\.[0-9]+$/, "", base)
            for (i = 1; i < NF; i++)
                if ($i ~ /^(\.data|\.bss|\.tdata|\.tbss|\*COM\*)/ && $i !~ /^\.data\.rel\.ro/ && !((object " " base) in ok))
                    print object ": " name " is a variable for ever (" $i "); tests/lint/globals.txt"
        }'
}

header() {      # metricann.h stands alone, in three languages
    cc=${CC:-cc}
    command -v "${cc%% *}" > /dev/null || return 77
    strict="-Wall -Wextra -pedantic -Werror -fsyntax-only -Iinclude"
    for std in c99 c11; do
        echo '#include "metricann.h"' | $cc -x c -std=$std $strict - 2>&1
    done
    cxx=${CXX:-c++}
    command -v "${cxx%% *}" > /dev/null || return 0
    echo '#include "metricann.h"' | $cxx -x c++ -std=c++11 $strict - 2>&1
}

passed=0 failed=0 skipped=0
[ $# -gt 0 ] || set -- layers banned lengths columns names licence symbols globals header
for rule in "$@"; do
    found=$($rule)
    if [ $? = 77 ]; then skipped=$((skipped + 1)); echo "skipped lint.$rule"
    elif [ -n "$found" ]; then
        failed=$((failed + 1))
        echo "FAILED  lint.$rule"
        echo "$found"
    else passed=$((passed + 1))
    fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
