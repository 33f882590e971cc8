#!/bin/sh
# The recipe of weights/small.mann: from the archives of shared/data/train and drawn toys to
# the very bytes of the file. About 85 minutes on two cores (an estimate: each training took 80
# on one busy core), 16 GiB of memory (less with a smaller --cache, and then longer), 4 GiB of
# disk.
#
# usage: weights/train.sh FOLDER-OF-ARCHIVES WORK-FOLDER     (from the root of the tree)
#
# The bytes do not depend on the number of threads. They do depend on the processor's
# instruction set: README.md says with which these were made.
# SPDX-License-Identifier: MIT
set -e
[ $# = 2 ] || { sed -n '6p' "$0" >&2; exit 2; }
mann=$(cd "$(dirname "$0")/.." && pwd)/metricann
data=$(cd "$1" && pwd)
mkdir -p "$2"
cd "$2"

# Toys, which differ as much as the sets below differ after augment; and which need no
# changes while they are learned (1,800 steps: 56.4 % of 1,000 found without, 48.5 with).
"$mann" synth -q -o toys_a --classes 5000 --views 6 --size 96 --seed 77
"$mann" synth -q -o toys_b --classes 5000 --first-class 5001 --views 6 --size 96 --seed 77
"$mann" synth -q -o toys_c --classes 10000 --first-class 10001 --views 6 --size 64 --seed 77
"$mann" synth -q -o toys_d --classes 10000 --first-class 20001 --views 6 --size 96 --seed 77

# Sets with few pictures of a class get changed copies, once.
mkdir -p plain
for set in omniglot_background emoji_train icons_phosphor tiles_crawl coins \
    grocery_produce caltech101 clothing20; do
    [ -d plain/$set ] || tar xzf "$data/$set.tar.gz" -C plain
done
more() { "$mann" augment -q "plain/$1" -o "$1" --copies "$2" --strength 0.7 --seed 1; }
more emoji_train 3
more icons_phosphor 2
more grocery_produce 1
more caltech101 3
more clothing20 3

# Photos of categories teach instances: each photo is a class, with its three copies.
(cd plain && find caltech101 clothing20 -type f) | LC_ALL=C sort | awk '{
    stem = $0; sub(/\.[a-z]*$/, "", stem)
    end = substr($0, length(stem) + 1)
    for (i = 0; i < 4; i++) printf "%s%s%s\t%s\n", stem, i ? "_" i : "", end, $0
}' > photos.tsv

# Twice: from nothing, then on from there among classes that look more alike.
learn() {
    out=$1
    shift
    "$mann" train toys_a toys_b toys_c toys_d emoji_train icons_phosphor \
        plain/omniglot_background plain/tiles_crawl plain/coins grocery_produce photos.tsv \
        --cap-set 3000 --loss supcon --temperature 0.05 --clip 1 -P 192 -K 2 --augment none \
        --epochs 14 --steps-per-epoch 375 --patience 100 --cache 13G \
        --ckpt-dir "checkpoints_$out" --afresh -o "$out.mann" "$@"
}
learn first --backbone small --size 64 --lr 0.15 --hard-classes 2 --seed 1
learn small_f32 --from first.mann --lr 0.1 --hard-classes 4 --seed 2
"$mann" convert small_f32.mann -o small.mann --store f16
sha256sum small.mann
