"""resize_pillow.py - the other end of resize.c: Pillow shrinks, and says how long it took.

SPDX-License-Identifier: MIT"""
import sys
import time

from PIL import Image

WIDTH, HEIGHT, SIDE = 500, 375, 224


def main():
    repeats = int(sys.argv[1])
    picture = Image.frombytes("RGB", (WIDTH, HEIGHT),
                              sys.stdin.buffer.read(WIDTH * HEIGHT * 3))
    while sys.stdin.buffer.readline():
        start = time.perf_counter()
        for _ in range(repeats):
            picture.resize((SIDE, SIDE), Image.BILINEAR)
        print(f"{time.perf_counter() - start:.9f}", flush=True)


main()
