"""network_torch.py - the other end of network.c: PyTorch's forward pass of one of our
networks, with our weights, and how long it took. It is given its best (torch_nets.py).

    network_torch.py NETWORK SIZE BATCH THREADS REPEATS

SPDX-License-Identifier: MIT"""
import sys

import torch

import torch_nets


def main():
    size, batch, threads, repeats = map(int, sys.argv[2:6])
    torch_nets.settings(threads)
    arrays = {}
    while "input" not in arrays:
        name, count = sys.stdin.buffer.readline().decode().split()
        arrays[name] = torch_nets.floats(int(count))
    x = arrays.pop("input").reshape(batch, 3, size, size)

    def make():
        net = torch_nets.Net(*torch_nets.NETS[sys.argv[1]])
        state = net.state_dict()
        ours = {k: v for k, v in state.items() if not k.endswith("num_batches_tracked")}
        if ours.keys() != arrays.keys():
            sys.exit(f"network_torch.py: arrays differ: {ours.keys() ^ arrays.keys()}")
        net.load_state_dict({**state, **{k: v.reshape(state[k].shape)
                                         for k, v in arrays.items()}})
        return net

    ready, y, _ = torch_nets.fastest(make, x)
    print("ready", flush=True)
    with torch.inference_mode():
        sys.stdout.buffer.write(ready(y).contiguous().numpy().tobytes())
    sys.stdout.buffer.flush()
    torch_nets.answer(lambda: ready(y), repeats)


main()
