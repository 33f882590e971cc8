#!/bin/sh
# demo.sh - the main job from start to end, in under a minute: `make demo`.
#
# Draws its own data set, so that it needs nothing but the program. Every step is checked: the script
# stops with status 1 at the first one that does not do what it says. Everything it makes is in demo/.
# SPDX-License-Identifier: MIT
set -u
LC_ALL=C
export LC_ALL
m=${METRICANN:-./metricann}
dir=${1:-demo}
model=${MODEL:-weights/demo.mann}        # recipe: weights/README.md
toys="--size 64 --strength 0.4 --seed 1"

say() { printf '\n%s\n' "$*"; }
fail() { printf '\ndemo: %s\n' "$*" >&2; exit 1; }
run() {         # shows a command and runs it
    printf '  $ metricann'
    for word; do case $word in *' '*) printf " '%s'" "$word" ;; *) printf ' %s' "$word" ;; esac; done
    printf '\n'
    "$m" "$@" || fail "that should have worked (exit status $?)"
}
# From lines of --jsonl: how many answers say VERDICT; how many name the class that the folder names.
verdicts() { grep -c "\"verdict\":\"$1\"" "$2"; }
right() {
    awk '{
        if (!match($0, /class_[0-9]+\/view/)) next
        asked = substr($0, RSTART, 12)
        if (index($0, "\"rank\":1,\"class\":\"" asked "\"")) n++
    } END { print n + 0 }' "$1"
}

[ -x "$m" ] || fail "no program $m: 'make' builds it"
[ -f "$model" ] || fail "no model $model"
rm -rf "$dir/refs" "$dir/unseen" "$dir/strangers" "$dir/new" "$dir/lessons" "$dir/checkpoints" \
    "$dir"/*.mann* "$dir"/*.jsonl
mkdir -p "$dir" || fail "cannot make the folder $dir"

say "1. Training, for a few seconds only, to see it: a tiny network, 80 toys, 8 views of each."
run synth -q -o "$dir/lessons" --classes 80 --views 8 --first-class 5000 --size 32 --strength 0.4 --seed 1
run train -q "$dir/lessons" -o "$dir/tiny.mann" --backbone micro --size 32 --loss supcon \
    --augment glyph --epochs 3 --steps-per-epoch 25 --ckpt-dir "$dir/checkpoints"
run info "$dir/tiny.mann"
say "   A good one takes longer. From here on the model that is shipped answers: $model."

say "2. Draw 60 toy-like objects: three views of each to learn from, a fourth to ask about."
run synth -q -o "$dir/refs" --classes 60 --views 3 $toys
run synth -q -o "$dir/unseen" --classes 60 --views 1 --first-view 4 $toys
run synth -q -o "$dir/strangers" --classes 50 --views 1 --first-class 1000 $toys

say "3. Turn the photos into vectors, then make a gallery that can be searched."
run extract "$dir/refs" --model "$model" -o "$dir/vectors.mann"
run build "$dir/vectors.mann" -o "$dir/gallery.mann"

say "4. Ask about views that it has never seen."
run search "$dir/gallery.mann" "$dir/unseen/class_000001" "$dir/unseen/class_000002" -k 3
"$m" search "$dir/gallery.mann" "$dir/unseen" -k 3 --jsonl -q > "$dir/unseen.jsonl" ||
    fail "asking about $dir/unseen did not work"
n=$(right "$dir/unseen.jsonl")
say "   Of all 60 unseen views, $n were given to the right object. (One that is given to the right object
   may still be 'unknown': the threshold is strict, so that strangers are refused. Step 7 counts such.)"
[ "$n" -ge 54 ] || fail "wanted at least 54 right answers"

say "5. Strangers: objects that are in no photo of the gallery must be refused."
run search "$dir/gallery.mann" "$dir/strangers/class_001000" -k 1
"$m" search "$dir/gallery.mann" "$dir/strangers" -k 1 --jsonl -q > "$dir/strangers.jsonl" ||
    fail "asking about $dir/strangers did not work"
grep class_001000 "$dir/strangers.jsonl" | grep -q '"verdict":"unknown"' ||
    fail "the stranger was not refused"
n=$(verdicts known "$dir/strangers.jsonl")
say "   Of 50 strangers, $n were taken for somebody."
[ "$n" -le 2 ] || fail "wanted at most 2"

say "6. Make friends: three views of that stranger become a new class. Nothing is retrained or rebuilt."
run synth -q -o "$dir/new" --classes 1 --views 4 --first-class 1000 --first-view 2 $toys
new=$dir/new/class_001000
run add "$dir/gallery.mann" --class "new toy" \
    "$new/view_02.png" "$new/view_03.png" "$new/view_04.png"
run search "$dir/gallery.mann" "$dir/strangers/class_001000" "$new/view_05.png" -k 1 \
    > "$dir/new.txt"
cat "$dir/new.txt"
n=$(grep -c '^ *1  new toy ' "$dir/new.txt")
[ "$n" = 2 ] || fail "the new toy was not found in its unseen views"
grep -q ': known, new toy' "$dir/new.txt" || fail "the new toy is not known"

say "7. Measure it: accuracy over all unseen views."
run eval "$dir/gallery.mann" "$dir/unseen" --min-recall 0.9

say "8. Contact sheets to look at: the question on the left, the answers beside it."
echo "  $dir/sheet.html  all 60 questions"
echo "  $dir/sheet.png   two toys, the new one, and a stranger"
"$m" search "$dir/gallery.mann" "$dir/unseen" -k 5 --sheet "$dir/sheet.html" > /dev/null ||
    fail "no sheet.html"
"$m" search "$dir/gallery.mann" "$dir/unseen/class_000001" "$dir/unseen/class_000002" \
    "$dir/strangers/class_001000" "$dir/strangers/class_001001" -k 5 --sheet "$dir/sheet.png" \
    > /dev/null || fail "no sheet.png"
[ -s "$dir/sheet.html" ] && [ -s "$dir/sheet.png" ] || fail "a contact sheet is missing"

say "Done. 'metricann help' shows what else there is."
