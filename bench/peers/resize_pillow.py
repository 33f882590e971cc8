"""resize_pillow.py - the other end of resize.c: Pillow shrinks, and says how long it took.

SPDX-License-Identifier: MIT"""
import io
import sys
import time

from PIL import Image

REPEATS, WIDTH, HEIGHT, SIDE = 32, 500, 375, 224
source = sys.stdin.buffer


def pixels():
    picture = Image.frombytes("RGB", (WIDTH, HEIGHT), source.read(WIDTH * HEIGHT * 3))

    def work():
        for _ in range(REPEATS):
            picture.resize((SIDE, SIDE), Image.BILINEAR)
    return work


def photos():
    files = [source.read(int(source.readline())) for _ in range(int(source.readline()))]

    def work():
        for file in files:
            picture = Image.open(io.BytesIO(file))
            picture.draft("RGB", (SIDE, SIDE))
            picture.convert("RGB").resize((SIDE, SIDE), Image.BILINEAR)
    return work


def main():
    work = photos() if sys.argv[1] == "photos" else pixels()
    while source.readline():
        start = time.perf_counter()
        work()
        print(f"{time.perf_counter() - start:.9f}", flush=True)


main()
