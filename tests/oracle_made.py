"""oracle_made.py - BMP, PNM and PAM files of every kind, made from pixels that are known: what
oracle_images.py writes where the archives (and Pillow's writers) have none. What a decoder shall
give is the definition itself; whether Pillow agrees, where it reads the kind, is asked too.
SPDX-License-Identifier: MIT"""
import io
import struct

import numpy as np
from PIL import Image

W, H = 19, 7            # rows of every kind end in the middle of a byte and of four bytes
HEADERS = (12, 16, 40, 52, 56, 64, 108, 124)
FIELDS = {              # name: bits, masks of red, green, blue, alpha
    "555": (16, (0x7C00, 0x3E0, 0x1F, 0)), "565": (16, (0xF800, 0x7E0, 0x1F, 0)),
    "1555": (16, (0x7C00, 0x3E0, 0x1F, 0x8000)), "444": (16, (0xF00, 0xF0, 0xF, 0)),
    "4444": (16, (0xF00, 0xF0, 0xF, 0xF000)), "8888": (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)),
    "rgbx": (32, (0xFF000000, 0xFF0000, 0xFF00, 0)), "101010": (32, (0x3FF00000, 0xFFC00, 0x3FF, 0)),
    "231": (16, (0x30, 0xE, 0x1, 0)),
}


def bmp(header, bits, packing, palette, extra, rows, height=H):
    """A file of parts; palette is BGR(0) bytes, extra the masks behind a header of 40 bytes."""
    if header == 12:
        head = struct.pack("<IHHHH", 12, W, height, 1, bits)
    else:
        head = struct.pack("<IiiHHIIiiII", header, W, height, 1, bits, packing, len(rows), 2835, 2835, 0,
                           0)[:header]
        head += extra[:max(0, header - 40)]
        head += b"\0" * (header - len(head))
        extra = extra[max(0, header - 40):] if header < 56 else b""
    at = 14 + len(head) + len(extra) + len(palette)
    return b"BM" + struct.pack("<III", at + len(rows), 0, at) + head + extra + palette + rows


def padded(row):
    return row + b"\0" * (-len(row) % 4)


def packed_rows(v, bits):
    """Rows of indices, the first in the highest bits."""
    out = []
    for row in v:
        whole = "".join(format(int(i), "0%db" % bits) for i in row)
        whole += "0" * (-len(whole) % 8)
        out.append(padded(bytes(int(whole[k:k + 8], 2) for k in range(0, len(whole), 8))))
    return out


def runs(v, bits, moves):
    """RLE8 or RLE4: runs, single pixels, moves over colour 0 if asked for, no end of the last row."""
    out = b""
    for y, row in enumerate(v):
        x, row = 0, [int(i) for i in row]
        while x < W:
            n = 1
            while x + n < W and row[x + n] == row[x]:
                n += 1
            if moves and row[x] == 0 and n > 1 and x + n < W:   # passed over
                out += bytes([0, 2, n, 0])
            elif n > 2 or W - x < 4:
                out += bytes([n, row[x] if bits == 8 else row[x] * 17])
            else:
                n = min(W - x, 6)
                some = bytes(row[x:x + n])
                if bits == 4:
                    some = bytes((a << 4) | b for a, b in zip(some[::2], some[1::2] + b"\0"))
                out += bytes([0, n]) + some + b"\0" * (len(some) & 1)
            x += n
        if y + 1 < len(v):
            out += b"\0\0"
    return out + b"\0\1"


def field_pixels(rgba, masks):
    """(numbers to be written, what a reader makes of them)."""
    number = np.zeros(rgba.shape[:2], np.uint64)
    shown = np.full(rgba.shape, 255, np.int64)
    for k, mask in enumerate(masks):
        if not mask:
            continue
        shift = (mask & -mask).bit_length() - 1
        most = mask >> shift
        v = (rgba[..., k].astype(np.int64) * most + 127) // 255
        number |= (v << shift).astype(np.uint64)
        shown[..., k] = (v * 255 + (most // 2 if most > 255 else 0)) // most
    return number, shown


def over_white(rgba):
    a = rgba[..., 3:].astype(np.int64)
    return (a * rgba[..., :3] + (255 - a) * 255 + 127) // 255


def all_bmps(put, rng):
    for bits in (1, 2, 4, 8):
        n = 1 << bits
        v = rng.integers(0, n, (H, W))
        v[:, 3:9] = rng.integers(0, n, (H, 1))
        v[2, 4:12] = 0
        colours = rng.integers(0, 256, (n, 3))
        shown = colours[v]
        for header in HEADERS:
            step = 3 if header == 12 else 4
            palette = b"".join(bytes(c[::-1].tolist()) + b"\0" * (step - 3) for c in colours)
            rows = packed_rows(v, bits)
            put("pal%d_h%d.bmp" % (bits, header),
                bmp(header, bits, 0, palette, b"", b"".join(rows[::-1])), shown)
            if header >= 40 and bits != 2:
                put("pal%d_h%d_down.bmp" % (bits, header),
                    bmp(header, bits, 0, palette, b"", b"".join(rows), -H), shown)
        if bits in (4, 8):
            for moves in (False, True):
                put("rle%d%s.bmp" % (bits, "_moves" if moves else ""),
                    bmp(40, bits, {4: 2, 8: 1}[bits], palette, b"", runs(v[::-1], bits, moves)), shown)
    rgba = rng.integers(0, 256, (H, W, 4))
    for header in HEADERS:
        rows = [padded(row[:, 2::-1].astype(np.uint8).tobytes()) for row in rgba]
        put("rgb24_h%d.bmp" % header, bmp(header, 24, 0, b"", b"", b"".join(rows[::-1])), rgba[..., :3])
    for name, (bits, masks) in FIELDS.items():
        number, shown = field_pixels(rgba, masks)
        rows = [padded(row.astype("<u%d" % (bits // 8)).tobytes()) for row in number]
        for header in (40, 52, 56, 108, 124):
            n = 4 if header == 40 and masks[3] else 3 if header < 56 else 4
            if header == 52 and masks[3]:
                continue
            extra = struct.pack("<4I", *masks)[:4 * n]
            put("f%s_h%d.bmp" % (name, header),
                bmp(header, bits, 6 if n == 4 and header == 40 else 3, b"", extra, b"".join(rows[::-1])),
                over_white(shown))


def to_8(v, most):
    return np.rint(v / most * 255).astype(np.int64)     # to the even one, as Python's round


def all_pnms(put, rng):
    for most in (1, 2, 6, 15, 100, 254, 255, 256, 1000, 4095, 65534, 65535):
        for n in (1, 2, 3, 4):
            v = rng.integers(0, most + 1, (H, W, n))
            shown = to_8(v, most)
            rgb = shown[..., :3] if n > 2 else np.repeat(shown[..., :1], 3, -1)
            if n in (2, 4):
                rgb = over_white(np.dstack([rgb, shown[..., -1:]]))
            raw = v.astype(">u2" if most > 255 else np.uint8).tobytes()
            kind = {1: "GRAYSCALE", 2: "GRAYSCALE_ALPHA", 3: "RGB", 4: "RGB_ALPHA"}[n]
            put("pam%d_%d.pam" % (n, most),
                b"P7\nWIDTH %d\n# made\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %s\nENDHDR\n" %
                (W, H, n, most, kind.encode()) + raw, rgb)
            if n in (1, 3):
                head = b"P%d\n# made\n%d %d\n%d\n"
                text = "".join(" ".join(map(str, row)) + "\n" for row in v.reshape(H, -1).tolist())
                put("p%d_%d.ppm" % (n, most), head % (5 + n // 2, W, H, most) + raw, rgb)
                put("t%d_%d.ppm" % (n, most), head % (2 + n // 2, W, H, most) + text.encode(), rgb)
    v = rng.integers(0, 2, (H, W))
    rgb = np.repeat(255 * (1 - v)[..., None], 3, -1)
    put("text.pbm", b"P1 %d %d\n" % (W, H) +
        b"".join(bytes(48 + row) + b"\n" for row in v.astype(np.uint8)), rgb)
    put("bits.pbm", b"P4 %d %d\n" % (W, H) + np.packbits(v.astype(bool), axis=1).tobytes(), rgb)


def pillow_agrees(blob, shown):
    """None where Pillow cannot tell: kinds it refuses, 16 bits of grey, alpha of its own making."""
    try:
        im = Image.open(io.BytesIO(blob))
        im.load()
    except Exception:
        return None
    if im.mode not in ("1", "L", "P", "RGB"):
        return None
    return bool((np.asarray(im.convert("RGB")) == shown).all())


def made(folder):
    """Writes the files; gives {path: array of RGB}."""
    pictures, asked = {}, []

    def put(name, blob, shown):
        path = folder + "/" + name
        with open(path, "wb") as f:
            f.write(blob)
        pictures[path] = shown
        asked.append((name, pillow_agrees(blob, shown)))

    rng = np.random.default_rng(7)
    all_bmps(put, rng)
    all_pnms(put, rng)
    others = [name for name, agrees in asked if agrees is False]
    print("%d pictures made; Pillow reads %d of them, and differs in: %s" %
          (len(asked), sum(a is not None for _, a in asked), " ".join(others) or "none"))
    return pictures
