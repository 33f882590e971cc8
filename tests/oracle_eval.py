#!/usr/bin/python3
"""The accuracy figures of the program against an independent computation in numpy.

usage: oracle_eval.py METRICANN CACHE
CACHE/NAME or CACHE/NAME/NAME, for omniglot_evaluation and emoji_unseen, are unpacked image sets (unpack_data.sh). For each, the
program runs extract, build and eval with the `pixels` model; here the same thumbnails come from Pillow and the same
metrics from plain matrix algebra: they must agree within 0.1 point. Prints `N passed, N failed, N skipped`."""
import json
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from PIL import Image
except ImportError as e:
    print(f"skipped accuracy against numpy: {e}")
    print("0 passed, 0 failed, 1 skipped")
    sys.exit(0)


def load(root):
    """Unit vectors, labels and class names in the program's order: classes by bytes, then paths by bytes."""
    rows, labels = [], []
    classes = sorted(os.listdir(root), key=os.fsencode)
    for k, name in enumerate(classes):
        for f in sorted(os.listdir(os.path.join(root, name)), key=os.fsencode):
            im = Image.open(os.path.join(root, name, f)).convert("RGBA")
            white = Image.new("RGBA", im.size, (255, 255, 255, 255))
            white.alpha_composite(im)
            small = white.convert("RGB").resize((16, 16), Image.BILINEAR)
            v = np.asarray(small, np.float64).transpose(2, 0, 1).ravel() / 255
            v -= v.mean()
            norm = np.linalg.norm(v)
            rows.append(v / norm if norm > 3e-5 else np.full(768, 1 / np.sqrt(768)))
            labels.append(k)
    return np.array(rows, np.float32), np.array(labels)


def metrics(sim, refs, truth):
    """sim: queries x references, -inf where a reference is the query itself."""
    out = dict(top1=0.0, top5=0.0, top10=0.0, mrr=0.0, map=0.0, map_at_r=0.0, r_precision=0.0)
    n_classes, n = refs.max() + 1, 0
    for s, t in zip(sim, truth):
        order = np.argsort(-s, kind="stable")
        order = order[np.isfinite(s[order])]
        right = refs[order] == t
        r = int(right.sum())
        if r == 0:
            continue
        n += 1
        best = np.full(n_classes, -np.inf)
        np.maximum.at(best, refs[order], s[order])
        rank = 1 + int((best > best[t]).sum())
        out["top1"] += rank <= 1
        out["top5"] += rank <= 5
        out["top10"] += rank <= 10
        out["mrr"] += 1 / rank
        precision = np.cumsum(right) / np.arange(1, len(right) + 1)
        out["map"] += precision[right].mean()
        out["map_at_r"] += (precision[:r] * right[:r]).sum() / r
        out["r_precision"] += right[:r].mean()
    return {k: v / n for k, v in out.items()}


def blocks(queries, rows, own):
    for at in range(0, len(queries), 512):
        sim = queries[at:at + 512] @ rows.T
        if own:
            sim[np.arange(len(sim)), np.arange(at, at + len(sim))] = -np.inf
        yield at, sim


def totals(queries, truth, rows, refs, own):
    parts = [(metrics(sim, refs, truth[at:at + 512]), len(sim)) for at, sim in blocks(queries, rows, own)]
    n = sum(w for _, w in parts)
    return {k: sum(p[k] * w for p, w in parts) / n for k in parts[0][0]}


def blended(queries, truth, rows, refs):
    """top1 where a class answers by half its nearest row and half its mean, as is the default."""
    sums = np.zeros((refs.max() + 1, rows.shape[1]))
    np.add.at(sums, refs, rows)
    several = np.bincount(refs) > 1
    means = sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)
    right = 0
    for q, t in zip(queries, truth):
        best = np.full(len(sums), -np.inf)
        np.maximum.at(best, refs, rows @ q)
        score = np.where(several & (best < 1 - 1e-6), 0.5 * (best + means @ q), best)
        right += score.argmax() == t
    return right / len(queries)


def run(*args):
    return subprocess.run(args, check=True, stdout=subprocess.PIPE).stdout


def compare(what, got, want, counts):
    for k, v in want.items():
        # The program's RGB thumbnails may differ from Pillow's by one grey level: ties fall otherwise.
        ok = abs(got[k] - v) <= 0.001
        counts[0 if ok else 1] += 1
        if not ok:
            print(f"FAILED  {what}: {k} is {got[k]:.5f}, numpy says {v:.5f}")


def main():
    program, cache = sys.argv[1:3]
    counts = [0, 0, 0]
    for name in ("omniglot_evaluation", "emoji_unseen"):
        root = os.path.join(cache, name)
        if os.path.isdir(os.path.join(root, name)):
            root = os.path.join(root, name)
        if not os.path.isdir(root):
            print(f"skipped accuracy on {name}: no {root}")
            counts[2] += 1
            continue
        rows, labels = load(root)
        with tempfile.TemporaryDirectory() as tmp:
            vectors, gallery = os.path.join(tmp, "v.mann"), os.path.join(tmp, "g.mann")
            run(program, "extract", root, "--model", "pixels", "-o", vectors, "-q")
            run(program, "build", vectors, "-o", gallery, "-q")
            got = json.loads(run(program, "eval", gallery, root, "--aggregate", "max", "--json", "-q"))
            compare(f"{name}, leave one out", got, totals(rows, labels, rows, labels, True), counts)
            two = ("eval", gallery, root, "--refs", "2", "--json", "-q")
            got = json.loads(run(program, *two, "--aggregate", "max"))
            first = np.array([int((labels[:i] == k).sum()) < 2 for i, k in enumerate(labels)])
            want = totals(rows[~first], labels[~first], rows[first], labels[first], False)
            compare(f"{name}, 2 references", got, want, counts)
            top1 = blended(rows[~first], labels[~first], rows[first], labels[first])
            compare(f"{name}, 2 references, blend", json.loads(run(program, *two)), {"top1": top1}, counts)
            # A stored photo asked again is rank 1 at distance exactly 0.
            photo = os.path.join(root, sorted(os.listdir(root))[0])
            photo = os.path.join(photo, sorted(os.listdir(photo))[0])
            hit = json.loads(run(program, "search", gallery, photo, "--json", "-q"))["queries"][0]["results"][0]
            ok = hit["distance"] == 0 and hit["score"] == 1
            counts[0 if ok else 1] += 1
            if not ok:
                print(f"FAILED  {name}: a stored photo asked again is at distance {hit['distance']}")
    print(f"{counts[0]} passed, {counts[1]} failed, {counts[2]} skipped")
    sys.exit(1 if counts[1] else 0)


main()
