#!/bin/sh
# readme.sh - the README's examples are tests: its console blocks are run in order and must print
# what it says, its C program must compile against an installed library and answer.
#
#     sh tests/readme.sh        in the root of the tree, after make
#
# SPDX-License-Identifier: MIT
set -u
root=$(pwd)
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

check() {       # NAME COMMAND...
    name=$1
    shift
    if "$@" > "$work/log" 2>&1; then passed=$((passed + 1)); return; fi
    failed=$((failed + 1))
    echo "FAILED  README: $name"
    tail -n 20 "$work/log"
}

# blocks KIND: the contents of all fenced blocks of that kind
blocks() { awk -v open="^[\`][\`][\`]$1\$" '$0 ~ open { on = 1; next } /^```/ { on = 0 } on' README.md; }

blocks console > "$work/readme.case"
[ -s "$work/readme.case" ] || { echo 'the README has no console blocks'; exit 1; }
check 'ten minutes' sh tests/cli/run.sh "$work/readme.case"

which_works() {
    blocks c > "$work/which.c" &&
    make DESTDIR="$work/root" PREFIX=/usr install &&
    ${CC:-cc} -Wall -I"$work/root/usr/include" "$work/which.c" -L"$work/root/usr/lib" -lmetricann \
        -lpthread -lm -o "$work/which" &&
    cd "$work" &&
    "$root/metricann" synth -q -o p --classes 12 --views 3 --size 32 --strength 0.1 &&
    "$root/metricann" extract -q p --model pixels -o v.mann &&
    "$root/metricann" build -q v.mann -o g.mann &&
    ./which g.mann p/class_000003/view_02.png > answer &&
    cat answer && grep -q '^class_000003 1.000$' answer
}
check 'in C' which_works

# The store of one's own in src/train/README.md, with the library that was installed above.
a_store_works() {
    awk '/^```c$/ { on = 1; next } /^```/ { on = 0 } on' "$root/src/train/README.md" > "$work/store.c" &&
    ${CC:-cc} -Wall -Wextra -I"$work/root/usr/include" "$work/store.c" -L"$work/root/usr/lib" -lmetricann \
        -lpthread -lm -o "$work/store" &&
    "$work/store" > "$work/answer" && cat "$work/answer" && grep -qx '2 classes, 3 photos' "$work/answer"
}
check 'a store in C' a_store_works
echo "$passed passed, $failed failed, 0 skipped"
[ $failed = 0 ]
