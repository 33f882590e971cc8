"""input_pillow.py - the other end of input.c: Pillow decodes and resizes, and says how long it took.

SPDX-License-Identifier: MIT"""
import io
import sys
import time

from PIL import Image

SIDE = 224


def main():
    pipe = sys.stdin.buffer
    files = [pipe.read(int(pipe.readline())) for _ in range(int(pipe.readline()))]
    while line := pipe.readline():
        start = time.perf_counter()
        for blob in files:
            picture = Image.open(io.BytesIO(blob))
            if line == b"draft\n":
                picture.draft("RGB", (SIDE, SIDE))
            picture.convert("RGB").resize((SIDE, SIDE), Image.BILINEAR)
        print(f"{time.perf_counter() - start:.9f}", flush=True)


main()
