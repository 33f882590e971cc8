"""network_torch.py - the other end of network.c: PyTorch's forward pass of one of our
networks, and how long it took. It is given its best: norms folded, TorchScript frozen and
optimised for inference (oneDNN), in both memory formats, and the fastest of these runs.

    network_torch.py NETWORK SIZE BATCH THREADS REPEATS

SPDX-License-Identifier: MIT"""
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


def conv_norm(c_in, c_out, kernel, stride):
    return nn.Sequential(nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False),
                         nn.BatchNorm2d(c_out))


class Block(nn.Module):
    def __init__(self, c_in, width, stride, bottleneck):
        super().__init__()
        c_out = width * 4 if bottleneck else width
        self.parts = nn.ModuleList(
            [conv_norm(c_in, width, 1, 1), conv_norm(width, width, 3, stride),
             conv_norm(width, c_out, 1, 1)] if bottleneck else
            [conv_norm(c_in, width, 3, stride), conv_norm(width, width, 3, 1)])
        changes = stride != 1 or c_in != c_out
        self.shortcut = conv_norm(c_in, c_out, 1, stride) if changes else nn.Identity()

    def forward(self, x):
        y = x
        for part in self.parts[:-1]:
            y = F.relu(part(y))
        return F.relu(self.parts[-1](y) + self.shortcut(x))


class Net(nn.Module):
    def __init__(self, big_stem, bottleneck, widths, depths, dim):
        super().__init__()
        self.stem = conv_norm(3, widths[0], 7, 2) if big_stem else conv_norm(3, widths[0], 3, 1)
        self.pool = nn.MaxPool2d(3, 2, 1) if big_stem else nn.Identity()
        blocks, c = [], widths[0]
        for i, (width, depth) in enumerate(zip(widths, depths)):
            for j in range(depth):
                blocks.append(Block(c, width, 2 if i and not j else 1, bottleneck))
                c = width * 4 if bottleneck else width
        self.body = nn.Sequential(*blocks)
        self.head = nn.Linear(c, dim) if dim else nn.Identity()

    def forward(self, x):
        x = self.body(self.pool(F.relu(self.stem(x)))).mean((2, 3))
        return F.normalize(self.head(x))


NETS = {
    "mini": (False, False, (32, 64, 128, 256), (1, 1, 1, 1), 128),
    "resnet18": (True, False, (64, 128, 256, 512), (2, 2, 2, 2), 512),
    "resnet50": (True, True, (64, 128, 256, 512), (3, 4, 6, 3), 0),
}


def timed(net, x, repeats):
    start = time.perf_counter()
    with torch.inference_mode():
        for _ in range(repeats):
            net(x)
    return time.perf_counter() - start


def main():
    size, batch, threads, repeats = map(int, sys.argv[2:6])
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(1)
    best = None
    for form in torch.contiguous_format, torch.channels_last:
        net = Net(*NETS[sys.argv[1]]).eval().to(memory_format=form)
        x = torch.randn(batch, 3, size, size).to(memory_format=form)
        frozen = torch.jit.freeze(torch.jit.trace(net, x))
        for ready in frozen, torch.jit.optimize_for_inference(torch.jit.trace(net, x)):
            for _ in range(3):
                timed(ready, x, 1)
            took = min(timed(ready, x, 1) for _ in range(5))
            if best is None or took < best[0]:
                best = took, ready, x
    print("ready", flush=True)
    while sys.stdin.readline():
        print(f"{timed(best[1], best[2], repeats):.9f}", flush=True)


main()
