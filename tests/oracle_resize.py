#!/usr/bin/python3
"""oracle_resize.py - what Pillow's BILINEAR makes of some random pictures.

    /usr/bin/python3 tests/oracle_resize.py CACHE_DIR

Writes CACHE_DIR/resize.bin, which tests/test_resize.c reads when METRICANN_CACHE names the folder:
per case five little-endian u32 (width, height, channels, new width, new height), the pixels, and
Pillow's answer. Needs python3-pil and python3-numpy. SPDX-License-Identifier: MIT"""
import os
import struct
import sys

import numpy as np
from PIL import Image

MODES = {1: "L", 3: "RGB", 4: "RGBX"}           # RGBX: four plain channels, no alpha weighting
SIZES = [(1, 1, 7, 5), (2, 3, 16, 16), (17, 9, 16, 16), (64, 48, 16, 16), (96, 96, 16, 16),
         (96, 96, 64, 64), (500, 375, 224, 224), (33, 65, 64, 32), (200, 10, 3, 100),
         (640, 480, 1, 1), (31, 31, 32, 32), (1000, 7, 999, 6), (5, 400, 5, 16)]


def main(cache):
    rng = np.random.default_rng(1)
    with open(os.path.join(cache, "resize.bin"), "wb") as out:
        for channels, mode in MODES.items():
            for w, h, nw, nh in SIZES:
                a = rng.integers(0, 256, (h, w, channels), dtype=np.uint8)
                if w % 2:                       # also extremes: only black and white
                    a = np.where(a < 128, 0, 255).astype(np.uint8)
                im = Image.frombytes(mode, (w, h), a.tobytes())
                got = im.resize((nw, nh), Image.BILINEAR)
                out.write(struct.pack("<5I", w, h, channels, nw, nh) + a.tobytes() + got.tobytes())


if __name__ == "__main__":
    main(sys.argv[1])
