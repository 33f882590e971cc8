#!/usr/bin/python3
"""oracle_png.py - do other programs read our PNG files, and how small are they?

    METRICANN_CACHE=DIR tests/run draw.samples_for_the_oracle; /usr/bin/python3 tests/oracle_png.py DIR

The test leaves DIR/png_N.png beside DIR/png_N.raw (u32 width, height, channels, pixels). Every file must
give these pixels in Pillow, and its compressed data must not be more than 15 % larger than zlib's
level 6 makes of the same filtered rows. SPDX-License-Identifier: MIT"""
import glob
import os
import struct
import sys
import zlib

import numpy as np
from PIL import Image


def idat(blob):
    at, out = 8, b""
    while at < len(blob):
        n, kind = struct.unpack(">I4s", blob[at:at + 8])
        if zlib.crc32(blob[at + 4:at + 8 + n]) != struct.unpack(">I", blob[at + 8 + n:at + 12 + n])[0]:
            raise SystemExit("bad CRC")
        if kind == b"IDAT":
            out += blob[at + 8:at + 8 + n]
        at += 12 + n
    return out


def main(cache):
    names = sorted(glob.glob(os.path.join(cache, "png_*.png")))
    if not names:
        raise SystemExit("no png_*.png in " + cache)
    for name in names:
        raw = open(name[:-4] + ".raw", "rb").read()
        w, h, c = struct.unpack("<3I", raw[:12])
        want = np.frombuffer(raw[12:], np.uint8).reshape(h, w, c)
        got = np.asarray(Image.open(name)).reshape(h, w, c)
        if not (want == got).all():
            raise SystemExit(name + ": other pixels")
        packed = idat(open(name, "rb").read())
        theirs = len(zlib.compress(zlib.decompress(packed), 6))
        print("%s: %d x %d x %d, %d bytes, zlib 6: %d (%.3f)" % (os.path.basename(name), w, h, c,
              len(packed), theirs, len(packed) / theirs))
        if len(packed) > 1.15 * theirs + 16:
            raise SystemExit(name + ": too large")


if __name__ == "__main__":
    main(sys.argv[1])
