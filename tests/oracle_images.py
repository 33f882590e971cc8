#!/usr/bin/python3
"""oracle_images.py - what other decoders make of the test pictures.

    /usr/bin/python3 tests/oracle_images.py [CACHE_DIR]

Run after unpack_data.sh with the same folder. Writes CACHE_DIR/oracle/NNNN.ppm and manifest.tsv, one
line per picture, which tests/test_decode.c reads:

    TOLERANCE <tab> PICTURE, below CACHE_DIR <tab> oracle/NNNN.ppm | refuse | any

`any`: must not crash; may be refused. The oracle is Pillow (libjpeg, libpng's rows), except:
  - 16-bit PNGs: Pillow keeps the high byte, we round (v * 255 / 65535 to nearest, as libpng's accurate
    scaling). They are decoded below with zlib and numpy.
  - alpha: composited here on white, (a * c + (255 - a) * 255 + 127) // 255.
  - BMP, PNM and PAM files of all kinds (oracle_made.py): their own definition.
  - BMP files of the archives that Pillow refuses or gets wrong (RLE4, odd masks): `any`.
  - Pillow repairs damaged JPEGs (grey for what is missing); we refuse them: `any`.
  - gamma (gAMA, iCCP): neither applies it.
Needs python3-pil, python3-numpy; with libjpeg's cjpeg also pictures of unusual sampling factors.
SPDX-License-Identifier: MIT"""
import io
import os
import shutil
import struct
import subprocess
import sys
import warnings
import zlib

import numpy as np
from PIL import Image, ImageOps

import oracle_made

warnings.simplefilter("ignore")
PHOTO_STEP = 5          # every 5th photo: the cache stays below 200 MB


def rows_of_png(data, width, height, bpp):
    """Undoes the filters of one pass; returns rows and the number of bytes used."""
    n = (width * bpp + 7) // 8
    step = max(1, bpp // 8)
    above = [0] * n
    rows, at = [], 0
    for _ in range(height):
        kind, row = data[at], list(data[at + 1:at + 1 + n])
        at += 1 + n
        for i in range(n):
            a = row[i - step] if i >= step else 0
            b = above[i]
            c = above[i - step] if i >= step else 0
            p = a + b - c
            guess = (0, a, b, (a + b) // 2,
                     min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2])[kind]
            row[i] = (row[i] + guess) & 255
        rows.append(bytes(row))
        above = row
    return rows, at


def png16(blob):
    """A 16-bit PNG as RGBA floats 0..65535, and whether it has alpha."""
    at, idat, key = 8, b"", None
    while at < len(blob):
        n, tag = struct.unpack(">I4s", blob[at:at + 8])
        body = blob[at + 8:at + 8 + n]
        if tag == b"IHDR":
            w, h, depth, colour, _, _, adam = struct.unpack(">IIBBBBB", body)
        elif tag == b"IDAT":
            idat += body
        elif tag == b"tRNS":
            key = struct.unpack(">%dH" % (n // 2), body)
        at += 12 + n
    assert depth == 16
    k = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    data = zlib.decompress(idat)
    px = np.zeros((h, w, k), np.int64)
    passes = [(0, 0, 1, 1)] if not adam else [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4),
                                              (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    for x0, y0, dx, dy in passes:
        pw, ph = -(-(w - x0) // dx), -(-(h - y0) // dy)
        if pw <= 0 or ph <= 0:
            continue
        rows, used = rows_of_png(data, pw, ph, 16 * k)
        data = data[used:]
        px[y0::dy, x0::dx] = np.frombuffer(b"".join(rows), ">u2").reshape(ph, pw, k)
    alpha = np.full((h, w), 65535)
    has_alpha = key is not None or colour >= 4
    if key is not None:
        alpha[(px == np.array(key)).all(-1)] = 0
    if colour >= 4:
        alpha = px[..., -1]
    rgb = px[..., :3] if k >= 3 else np.repeat(px[..., :1], 3, -1)
    return to8(np.dstack([rgb, alpha])), has_alpha


def to8(v):
    return (v * 255 + 32767) // 65535


def on_white(rgba):
    a = rgba[..., 3:].astype(np.int64)
    return (a * rgba[..., :3] + (255 - a) * 255 + 127) // 255


def expected(path, blob):
    """(RGB array, tolerance), "refuse" or "any"."""
    name, low = os.path.basename(path), path.lower()
    if "/pngsuite/pngsuite/x" in path or "/x_" in path:
        return "refuse"
    if ("/lossless/" in path and low.endswith(".jpg")) or name in ("monkey12.jpg", "testimgari.jpg"):
        return "refuse"
    if "crashtest" in path or "/bad/" in path or "/lenient/" in path:
        return "any"
    if name in ("partial_progressive.jpg", "invalid_palette_index.png") or "rle4" in low or \
            (low.endswith(".bmp") and name.startswith("pal4rle")) or name == "pal8badindex.bmp":
        return "any"
    if blob[:4] == b"\x89PNG" and len(blob) > 24 and blob[24] == 16:
        return on_white(png16(blob)[0]), 0
    try:
        im = Image.open(io.BytesIO(blob))
        im.load()
        im = ImageOps.exif_transpose(im)
    except Exception:
        return "any"
    if name == "V5_A1_R5_G5_B5.bmp":
        return "any"                    # its alpha is lost in Pillow
    if "A" in im.mode or "transparency" in im.info:
        return on_white(np.asarray(im.convert("RGBA"))), 0
    return np.asarray(im.convert("RGB")), 1 if low.endswith((".jpg", ".jpeg")) else 0


def generate(folder):
    """Pictures of kinds that the archives lack."""
    os.makedirs(folder, exist_ok=True)
    y, x = np.mgrid[0:45, 0:61]
    rng = np.random.default_rng(1)
    rgb = np.dstack([x * 4, y * 5, (x * y) % 256]) + rng.integers(-20, 20, (45, 61, 3))
    rgb = np.clip(rgb, 0, 255).astype(np.uint8)
    im = Image.fromarray(rgb)
    im.save(folder + "/rgb.ppm")
    im.convert("L").save(folder + "/grey.pgm")
    im.convert("1").save(folder + "/bits.pbm")
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        im.convert(mode).save(folder + "/mode_%s.bmp" % mode)
    for w, h in ((1, 1), (2, 33), (17, 15), (61, 45)):
        part = im.convert("RGBA").crop((0, 0, w, h))
        part.putalpha(Image.fromarray(rng.integers(0, 256, (h, w)).astype(np.uint8)))
        for mode in ("RGB", "RGBA"):
            name = "%s/%s_%dx%d" % (folder, mode, w, h)
            part.convert(mode).save(name + ".tga")
            part.convert(mode).save(name + "_rle.tga", compression="tga_rle")
            for k, quality in enumerate((5, 60, 95)):
                part.convert(mode).save("%s_q%d.webp" % (name, quality), quality=quality, method=2 * k)
                part.convert(mode).save("%s_l%d.webp" % (name, quality), lossless=True, exact=True,
                                        quality=quality, method=2 * k)
        part.convert("L").save("%s/L_%dx%d.tga" % (folder, w, h))
        part.quantize(5).save("%s/P_%dx%d.tga" % (folder, w, h))
        part.quantize(5).save("%s/P_%dx%d.gif" % (folder, w, h))
        part.convert("RGB").quantize(200).save("%s/Pi_%dx%d.gif" % (folder, w, h), interlace=0)
        for n in (2, 4, 16):
            part.convert("RGB").quantize(n).convert("RGB").save("%s/p%d_%dx%d.webp" % (folder, n, w, h),
                                                                lossless=True)
    for how in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = how
        im.save("%s/turned%d.webp" % (folder, how), exif=exif)
        im.save("%s/turned%d.png" % (folder, how), exif=exif)
    im.save(folder + "/moving.webp", save_all=True, append_images=[im.transpose(Image.ROTATE_180)])
    for quality in (5, 50, 95, 100):
        for sampling in (0, 1, 2):
            for progressive in (False, True):
                im.save("%s/q%d_s%d_p%d.jpg" % (folder, quality, sampling, progressive),
                        quality=quality, subsampling=sampling, progressive=progressive)
    im.convert("L").save(folder + "/grey.jpg")
    im.convert("CMYK").save(folder + "/cmyk.jpg")
    cjpeg = shutil.which("cjpeg")
    if not cjpeg:
        return
    ppm = open(folder + "/rgb.ppm", "rb").read()
    for a in (1, 2, 3, 4):
        for b in (1, 2, 3, 4):
            if a * b > 8:
                continue
            for more, args in (("", []), ("_restart", ["-restart", "3B"]),
                               ("_progressive", ["-progressive"])):
                out = subprocess.run([cjpeg, "-sample", "%dx%d" % (a, b)] + args, input=ppm,
                                     capture_output=True)
                if out.returncode == 0:
                    with open("%s/sample_%dx%d%s.jpg" % (folder, a, b, more), "wb") as f:
                        f.write(out.stdout)


def main():
    cache = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("TMPDIR", "/tmp") + \
        "/metricann-data"
    root = cache + "/decode"
    if not os.path.isdir(root):
        print("oracle_images.py: no %s: run tests/unpack_data.sh first" % root, file=sys.stderr)
        return
    generate(root + "/generated")
    os.makedirs(root + "/made", exist_ok=True)
    made = oracle_made.made(root + "/made")
    out = cache + "/oracle"
    os.makedirs(out, exist_ok=True)
    endings = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pbm", ".pgm", ".ppm", ".pam", ".webp", ".tga")
    paths = sorted(os.path.join(d, f) for d, _, files in os.walk(root) for f in files
                   if f.lower().endswith(endings))
    photos = [p for p in paths if "/photos/" in p]
    skip = set(photos) - set(photos[::PHOTO_STEP])
    lines = []
    for path in paths:
        if path in skip:
            continue
        with open(path, "rb") as f:
            want = (made[path], 0) if path in made else expected(path, f.read())
        tolerance, told = 0, want
        if not isinstance(want, str):
            pixels, tolerance = want
            told = "oracle/%04d.ppm" % len(lines)
            with open(cache + "/" + told, "wb") as f:
                f.write(b"P6\n%d %d\n255\n" % (pixels.shape[1], pixels.shape[0]))
                f.write(np.ascontiguousarray(pixels).astype(np.uint8).tobytes())
        lines.append("%d\t%s\t%s\n" % (tolerance, os.path.relpath(path, cache), told))
    with open(out + "/manifest.tsv", "w") as f:
        f.writelines(lines)
    print("%d pictures in %s/manifest.tsv" % (len(lines), out))


main()
