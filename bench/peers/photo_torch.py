"""photo_torch.py - the other end of photo.c: Pillow decodes (at 1/2, 1/4 or 1/8 of the
size where that suffices), scales and crops; PyTorch normalises and embeds, at its best
(torch_nets.py). The steps of torchvision's usual transforms, without their overhead.

    photo_torch.py THREADS

SPDX-License-Identifier: MIT"""
import io
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy
import torch
from PIL import Image

import torch_nets

SIDE = 224
MEAN = torch.tensor([0.485, 0.456, 0.406]).reshape(3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).reshape(3, 1, 1)


def square(file):
    picture = Image.open(io.BytesIO(file))
    picture.draft("RGB", (SIDE, SIDE))
    picture = picture.convert("RGB")
    w, h = picture.size
    short = min(w, h)
    w, h = max(SIDE, w * SIDE // short), max(SIDE, h * SIDE // short)
    picture = picture.resize((w, h), Image.BILINEAR)
    x, y = (w - SIDE) // 2, (h - SIDE) // 2
    pixels = numpy.asarray(picture.crop((x, y, x + SIDE, y + SIDE)))
    planes = torch.from_numpy(pixels.copy()).permute(2, 0, 1).to(torch.float32)
    return planes.div_(255).sub_(MEAN).div_(STD)


def main():
    threads = int(sys.argv[1])
    torch_nets.settings(threads)
    read = sys.stdin.buffer
    files = [read.read(int(read.readline())) for _ in range(int(read.readline()))]
    pool = ThreadPoolExecutor(threads)
    each = pool.map if threads > 1 else map

    def inputs():
        return torch.stack(list(each(square, files)))

    ready, _, form = torch_nets.fastest(
        lambda: torch_nets.Net(*torch_nets.NETS["resnet18"]), inputs())
    print("ready", flush=True)
    torch_nets.answer(lambda: ready(inputs().contiguous(memory_format=form)), 1)


main()
