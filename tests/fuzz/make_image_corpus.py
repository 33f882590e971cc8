#!/usr/bin/python3
"""make_image_corpus.py - small pictures of every kind, for the fuzzers and the limits test.

    /usr/bin/python3 tests/fuzz/make_image_corpus.py tests/fuzz/corpus

Drawn here, written by Pillow (python3-pil, python3-numpy) or by hand; committed, so that nobody needs
to run this. SPDX-License-Identifier: MIT"""
import io
import os
import struct
import sys
import zlib

import numpy as np
from PIL import Image


def picture(w, h, mode="RGB", seed=1):
    y, x = np.mgrid[0:h, 0:w]
    rng = np.random.default_rng(seed)
    a = np.dstack([x * 9, y * 7, (x * y) % 256, 255 - (x + y) * 5])
    a = np.clip(a + rng.integers(-9, 9, a.shape), 0, 255).astype(np.uint8)
    return Image.fromarray(a, "RGBA").convert(mode)


def chunk(tag, data):
    return struct.pack(">I", len(data)) + tag + data + struct.pack(">I", zlib.crc32(tag + data))


def png(w, h, depth, colour, adam=0, more=b""):
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    rng = np.random.default_rng(depth * 10 + colour)
    passes = [(0, 0, 1, 1)] if not adam else [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4),
                                              (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = b""
    for x0, y0, dx, dy in passes:
        pw, ph = -(-(w - x0) // dx), -(-(h - y0) // dy)
        n = (pw * samples * depth + 7) // 8
        for i in range(ph if pw > 0 else 0):
            rows += bytes([i % 5]) + rng.integers(0, 40, n).astype(np.uint8).tobytes()
    palette = chunk(b"PLTE", bytes(range(3 << min(depth, 4)))) if colour == 3 else b""
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, adam)) + \
        palette + more + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def exif(orientation):
    return b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + struct.pack(">HH", orientation, 0) + b"\0\0\0\0"


def qoi(w, h, channels):
    a = np.asarray(picture(w, h, "RGBA" if channels == 4 else "RGB"))
    out = b"qoif" + struct.pack(">IIBB", w, h, channels, 0) + b"\xfe\x05\x06\x07\xc3\x6a\xa5\x87\x33"
    for p in a.reshape(-1, channels)[6:]:
        out += (b"\xff" if channels == 4 else b"\xfe") + p.tobytes()
    return out + b"\0\0\0\0\0\0\0\1"


def tga(w, h, kind, bits, flags=0):
    n, has = (bits + 7) // 8, kind & 7 == 1
    head = struct.pack("<BBBHHBHHHHBB", 3, has, kind, 0, 16 if has else 0, 24 if has else 0, 0, 0, w, h, bits, flags)
    data = b"abc" + (bytes(range(48)) if has else b"")
    if kind & 8:
        row = b"\x83" + bytes([5] * n) + bytes([w - 5]) + bytes(i % 16 for i in range(n * (w - 4)))
        return head + data + row * h
    return head + data + bytes(i * 3 % (16 if has else 251) for i in range(w * h * n))


def bmp_rle(bits):
    body = {8: b"\x05\x02\0\x03\x01\x02\x03\0\0\0\0\x02\x02\x01\x03\x01\0\0\x08\x02\0\x01",
            4: b"\x05\x21\0\x03\x12\x30\0\0\0\x02\x02\x01\x03\x12\0\0\x08\x21\0\x01"}[bits]
    at = 14 + 40 + 16
    return b"BM" + struct.pack("<IIIIiiHHIIiiII", at + len(body), 0, at, 40, 8, 4, 1, bits, {8: 1, 4: 2}[bits],
                               len(body), 0, 0, 4, 0) + bytes(range(0, 64, 4)) + body


def save(im, kind, **more):
    b = io.BytesIO()
    im.save(b, kind, **more)
    return b.getvalue()


def files():
    for depth, colour in ((1, 0), (2, 3), (4, 3), (8, 0), (8, 2), (8, 3), (8, 4), (8, 6), (16, 0), (16, 2), (16, 6)):
        yield "png/d%dc%d" % (depth, colour), png(11, 7, depth, colour)
    yield "png/adam", png(13, 9, 8, 2, 1)
    yield "png/key", png(9, 5, 8, 2, 0, chunk(b"tRNS", b"\0\1\0\2\0\3") + chunk(b"gAMA", b"\0\0\xb1\x8f"))
    yield "png/turned", png(9, 5, 8, 2, 0, chunk(b"eXIf", exif(6)))
    yield "png/photo", save(picture(40, 30), "PNG")
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        yield "bmp/" + mode, save(picture(9, 5, mode), "BMP")
    yield "bmp/rle8", bmp_rle(8)
    yield "bmp/rle4", bmp_rle(4)
    for i, mode in enumerate(("1", "L", "RGB")):
        im = picture(9, 5, mode)
        yield "pnm/P%d" % (i + 4), save(im, "PPM")
        text = " ".join(str(int(v)) for v in np.asarray(im.convert("L" if i < 2 else mode)).ravel() // (1 if i else 255))
        yield "pnm/P%d" % (i + 1), b"P%d # text\n9 5\n%s%s" % (i + 1, b"255\n" if i else b"", text.encode())
    yield "pnm/P7", b"P7\nWIDTH 2\nHEIGHT 2\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" + bytes(range(16))
    yield "pnm/wide", b"P6 2 1 65535\n" + bytes(range(12))
    yield "gif/plain", save(picture(20, 10, "P"), "GIF")
    yield "gif/straight", save(picture(20, 10, "P"), "GIF", interlace=0)
    yield "gif/clear", save(picture(20, 10, "P"), "GIF", transparency=3)
    yield "gif/moving", save(picture(12, 8, "P"), "GIF", save_all=True, append_images=[picture(12, 8, "P", 2)])
    for q in (5, 60, 95):
        yield "webp/lossy%d" % q, save(picture(35, 20), "WEBP", quality=q)
    yield "webp/alpha", save(picture(20, 18, "RGBA"), "WEBP", quality=50)
    yield "webp/lossless", save(picture(40, 30, "RGBA"), "WEBP", lossless=True, quality=100, method=6)
    yield "webp/palette", save(picture(30, 20).quantize(7).convert("RGB"), "WEBP", lossless=True)
    yield "webp/turned", save(picture(20, 10), "WEBP", exif=b"Exif\0\0" + exif(8))
    yield "webp/moving", save(picture(24, 16), "WEBP", save_all=True, append_images=[picture(24, 16, "RGB", 2)])
    yield "qoi/rgb", qoi(7, 5, 3)
    yield "qoi/rgba", qoi(7, 5, 4)
    for kind, bits in ((1, 8), (2, 16), (2, 24), (2, 32), (3, 8), (9, 8), (10, 24), (11, 8)):
        yield "tga/k%db%d" % (kind, bits), tga(9, 4, kind, bits, 0x20 if bits == 24 else 0)


for name, data in files():
    path = os.path.join(sys.argv[1], name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
