#!/bin/sh
# million.sh - a gallery of a million classes, one photo each, from nothing to an answer, and
# what every step costs: the table "A million classes" in README.md.
#
# usage: bench/million.sh [FOLDER [CLASSES [MODEL]]]      default ./million 1000000
#        weights/small.mann; about 14 KB of disk for a class, 13 GB for a million
#
# Every step runs with its address space limited to 4 GiB (ulimit -v), so that one that needs
# more fails here. Members are asked by another view, strangers are toys that are not in the
# gallery. SPDX-License-Identifier: MIT
set -u
LC_ALL=C
export LC_ALL
m=$(cd "$(dirname "$0")/.." && pwd)/metricann
dir=${1:-million}
n=${2:-1000000}
model=${3:-$(dirname "$m")/weights/small.mann}
asked=${ASKED:-2000}            # photos of members, and as many of strangers, a strength
refs=${REFS:-0.5}               # strength of the conditions of the references
toys="--size 64 --seed 9 --views 1"
[ -x "$m" ] || { echo "million.sh: no program $m: 'make' builds it" >&2; exit 1; }
mkdir -p "$dir" || exit 1
ulimit -v 4194304

# step NAME COMMAND...: its seconds, and where GNU time is, its most memory
step() {
    name=$1
    shift
    begin=$(date +%s.%N)
    if [ -x /usr/bin/time ]; then
        /usr/bin/time -o "$dir/rss" -f '%M' "$@" > "$dir/out" || exit 1
        rss=$(awk 'END { printf "%.0f MiB", $1 / 1024 }' "$dir/rss")
    else
        "$@" > "$dir/out" || exit 1
        rss=-
    fi
    echo "$name $begin $(date +%s.%N) $rss" |
        awk '{ printf "%-28s %9.2f s   %s %s\n", $1, $3 - $2, $4, $5 }'
}

step draw "$m" synth -q -o "$dir/refs" --classes "$n" --strength "$refs" $toys
step embed "$m" extract -q "$dir/refs" --model "$model" -o "$dir/rows.mann"
step build_and_save "$m" build -q "$dir/rows.mann" -o "$dir/gallery.mann"
ls -l "$dir/rows.mann" "$dir/gallery.mann" | awk '{ print "bytes", $5, $NF }'
step read_every_byte "$m" verify -q "$dir/gallery.mann"
photo=$(find "$dir/refs/class_000007" -name '*.png')
step open_and_ask_once "$m" search "$dir/gallery.mann" "$photo" -j1
cat "$dir/out"
grep -q '^    1  class_000007  *1\.0000 ' "$dir/out" ||
    { echo 'million.sh: a photo of the gallery was not found' >&2; exit 1; }
for strength in 0.25 0.5 1; do
    q=$dir/ask_$strength
    rm -rf "$q"
    for quarter in 0 1 2 3; do      # from all over the gallery
        "$m" synth -q -o "$q" --classes $((asked / 4)) --first-view 2 --strength $strength \
            --first-class $((n / 4 * quarter + 1)) $toys
    done
    "$m" synth -q -o "$q" --classes "$asked" --first-class $((n + 1)) --strength $strength $toys
    step "ask_$((asked * 2))_at_$strength" "$m" eval -q "$dir/gallery.mann" "$q" --far 0.01
    cat "$dir/out"
    n_asked=$(awk '$1 == "queries" { print $2 }' "$dir/out")
    [ "$n_asked" = $((asked / 4 * 4)) ] ||
        { echo "million.sh: $n_asked members answered of $asked" >&2; exit 1; }
done
set -- $(find "$dir/ask_0.5" -type d -name 'class_*' | wc -l)
step "search_$1_photos" "$m" search -q "$dir/gallery.mann" "$dir/ask_0.5" -j1 -k 5
"$m" search -v "$dir/gallery.mann" "$dir/ask_0.5" -j1 -k 5 2>&1 > "$dir/out" |
    grep -E '^ *(embed|search) ' | tail -n 2
