"""Second opinion on vector files: NumPy writes what we read, and reads what we wrote.

    oracle_npy.py make DIR     files of every dtype and format with known numbers
    oracle_npy.py check DIR    files written by tests/test_foreign.c

Exit status 0: agreed; 1: not; 77: no NumPy. SPDX-License-Identifier: MIT
"""
import os
import sys

try:
    import numpy as np
except ImportError:
    sys.exit(77)

ROWS, COLS = 5, 7


def values():
    r, c = np.mgrid[0:ROWS, 0:COLS]
    return (r * 37 + c * 11) % 251


def make(folder):
    v = values()
    half = v / 8.0 - 3.0
    arrays = {
        "f4": half.astype("<f4"), "f2": half.astype("<f2"), "f8": half.astype("<f8"),
        "u1": v.astype("u1"), "i1": (v - 125).astype("i1"),
        "i4": (v * 1000 - 7).astype("<i4"), "i8": (v * 1000 - 7).astype("<i8"),
    }
    for name, a in arrays.items():
        np.save(os.path.join(folder, name + ".npy"), a)
    for version in (1, 2, 3):
        with open(os.path.join(folder, "v%d.npy" % version), "wb") as f:
            np.lib.format.write_array(f, arrays["f4"], version=(version, 0))
    np.save(os.path.join(folder, "empty.npy"), np.zeros((0, COLS), "<f4"))
    np.save(os.path.join(folder, "fortran.npy"), np.asfortranarray(arrays["f4"]))
    np.save(os.path.join(folder, "big.npy"), half.astype(">f4"))
    np.save(os.path.join(folder, "object.npy"), v.astype(object), allow_pickle=True)
    np.save(os.path.join(folder, "fields.npy"), np.zeros(3, [("x", "<f4"), ("y", "<i4")]))
    np.save(os.path.join(folder, "one.npy"), half[0].astype("<f4"))
    np.save(os.path.join(folder, "three.npy"), np.zeros((2, 3, 4), "<f4"))
    np.save(os.path.join(folder, "complex.npy"), half.astype("<c8"))

    def vecs(name, a):
        head = np.full((ROWS, 1), COLS, "<i4").view("u1").reshape(ROWS, 4)
        np.hstack([head, a.view("u1").reshape(ROWS, -1)]).tofile(os.path.join(folder, name))

    def bins(name, a):
        with open(os.path.join(folder, name), "wb") as f:
            np.array([ROWS, COLS], "<u4").tofile(f)
            a.tofile(f)

    vecs("a.fvecs", arrays["f4"])
    vecs("a.bvecs", arrays["u1"])
    vecs("a.ivecs", arrays["i4"])
    bins("a.fbin", arrays["f4"])
    bins("a.u8bin", arrays["u1"])
    bins("a.i8bin", arrays["i1"])
    bins("a.ibin", arrays["i4"])


def check(folder):
    v = values()
    half = (v / 8.0 - 3.0).astype("<f4")
    half[1, 2], half[2, 3] = np.nan, -np.inf

    def same(a, b):
        assert a.dtype == b.dtype and a.shape == b.shape, (a.dtype, a.shape, b.dtype, b.shape)
        assert a.tobytes() == b.tobytes(), (a, b)

    def vecs(name, dtype):
        raw = np.fromfile(os.path.join(folder, name), "u1").reshape(ROWS, -1)
        assert (raw[:, :4].copy().view("<i4") == COLS).all()
        return raw[:, 4:].copy().view(dtype)

    def bins(name, dtype):
        with open(os.path.join(folder, name), "rb") as f:
            rows, cols = np.fromfile(f, "<u4", 2)
            return np.fromfile(f, dtype).reshape(rows, cols)

    got = np.load(os.path.join(folder, "w.npy"))
    assert got.flags.c_contiguous and (np.isnan(got) == np.isnan(half)).all()
    same(np.nan_to_num(got), np.nan_to_num(half))
    same(np.nan_to_num(vecs("w.fvecs", "<f4")), np.nan_to_num(half))
    same(np.nan_to_num(bins("w.fbin", "<f4")), np.nan_to_num(half))
    same(vecs("w.bvecs", "u1"), v.astype("u1"))
    same(bins("w.u8bin", "u1"), v.astype("u1"))
    same(bins("w.i8bin", "i1"), (v - 125).astype("i1"))
    same(vecs("w.ivecs", "<i4"), v.astype("<i4"))
    same(bins("w.ibin", "<i4"), v.astype("<i4"))
    ids = (v * 3).astype("<i8")
    ids[0, 0] = -1
    same(vecs("ids.ivecs", "<i4"), ids.astype("<i4"))
    same(bins("ids.ibin", "<i4"), ids.astype("<i4"))
    ids[4, 6] = 1 << 40
    same(np.load(os.path.join(folder, "ids.npy")), ids)
    same(np.load(os.path.join(folder, "empty.npy")), np.zeros((0, COLS), "<f4"))


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("make", "check"):
        sys.exit(__doc__)
    {"make": make, "check": check}[sys.argv[1]](sys.argv[2])
