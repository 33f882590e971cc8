#!/bin/sh
# The recipe of weights/small.mann: from the archives of shared/data/train and drawn toys to
# the very bytes of the file. About an hour on two cores, 4 GiB of memory, 2 GiB of disk.
#
# usage: weights/train.sh FOLDER-OF-ARCHIVES WORK-FOLDER     (from the root of the tree)
#
# The bytes do not depend on the number of threads. They do depend on the processor's
# instruction set: README.md says with which these were made.
# SPDX-License-Identifier: MIT
set -e
[ $# = 2 ] || { sed -n '5p' "$0" >&2; exit 2; }
mann=$(cd "$(dirname "$0")/.." && pwd)/metricann
data=$(cd "$1" && pwd)
mkdir -p "$2"
cd "$2"

# Photos of categories teach instances: each photo is a class, and two changed views of it
# are the pair. Everything else comes as it is sorted.
for set in omniglot_background emoji_train icons_phosphor tiles_crawl coins \
    grocery_produce caltech101 clothing20; do
    [ -d $set ] || tar xzf "$data/$set.tar.gz"
done
find caltech101 clothing20 -type f \( -name '*.jpg' -o -name '*.png' \) | LC_ALL=C sort |
    awk '{ printf "%s\t%s\n", $0, $0 }' > photos.tsv

# Two sets of toys, so that the cap of 3,000 classes a pass leaves them twice their weight.
"$mann" synth -q -o toys_a --classes 5000 --views 6 --size 96 --seed 77
"$mann" synth -q -o toys_b --classes 5000 --first-class 5001 --views 6 --size 96 --seed 77

"$mann" train toys_a toys_b emoji_train icons_phosphor omniglot_background tiles_crawl \
    coins grocery_produce photos.tsv --cap-set 3000 --backbone small --loss supcon \
    --temperature 0.07 --clip 1 -P 48 -K 2 --augment strong --epochs 18 \
    --steps-per-epoch 350 --patience 100 --seed 1 --cache 8G --ckpt-dir checkpoints \
    --afresh -o small_f32.mann
"$mann" convert small_f32.mann -o small.mann --store f16
sha256sum small.mann
