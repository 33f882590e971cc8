#!/usr/bin/python3
"""Writes tests/golden/nn_torch.bin: what PyTorch says of our layers, of ResNet-18, and of ten SGD steps.

    python3 tests/golden_torch.py            (Debian: python3-torch; needed only to make the file anew)

Inputs and weights are not in the file: both sides compute them from a name by the same integer hash
(`fill` here, `fill` in test_nn_golden.c). PyTorch computes in double; results are stored as f32.
A record is: u32 bytes of name, name, u32 number of floats, floats. SPDX-License-Identifier: MIT"""
import os
import struct
import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.manual_seed(0)
M = (1 << 64) - 1


def fill(name, *shape):
    """[-1, 1) from SplitMix64's finaliser of (FNV-1a of the name) + i * golden ratio."""
    seed = 0xCBF29CE484222325
    for b in name.encode():
        seed = ((seed ^ b) * 0x100000001B3) & M
    n = int(np.prod(shape))
    with np.errstate(over='ignore'):
        x = np.uint64(seed) + (np.arange(n, dtype=np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x = x ^ (x >> np.uint64(31))
    unit = (x >> np.uint64(40)).astype(np.float64) * 2.0 ** -24
    return torch.from_numpy((2 * unit - 1).reshape(shape))


records = []


def put(name, t):
    records.append((name, t.detach().numpy().astype('<f4').ravel()))


def layer(name, y, leaves):
    """Output of a layer, and its gradients against fill(name + '.dy')."""
    put(name + '.y', y)
    y.backward(fill(name + '.dy', *y.shape))
    for n, t in leaves.items():
        put(name + '.d' + n, t.grad)


def leaf(name, *shape):
    return fill(name, *shape).requires_grad_()


def layers():
    for name, ci, s, co, k, st, p in (('conv3', 4, 8, 6, 3, 1, 1), ('conv3s2', 3, 9, 5, 3, 2, 1),
                                      ('conv7', 3, 12, 4, 7, 2, 3), ('conv1s2', 5, 7, 4, 1, 2, 0)):
        x, w = leaf(name + '.x', 2, ci, s, s), leaf(name + '.w', co, ci, k, k)
        layer(name, F.conv2d(x, w, None, st, p), {'x': x, 'w': w})
    x, r = leaf('norm.x', 3, 5, 4, 4), leaf('norm.r', 3, 5, 4, 4)
    w, b = leaf('norm.w', 5), leaf('norm.b', 5)
    mean, var = fill('norm.mean', 5), 1.5 + fill('norm.var', 5)
    y = F.relu(F.batch_norm(x, mean, var, w, b, True, 0.1, 1e-5) + r)
    layer('norm', y, {'x': x, 'r': r, 'w': w, 'b': b})
    put('norm.mean', mean)
    put('norm.var', var)
    x = leaf('maxpool.x', 2, 3, 9, 9)
    layer('maxpool', F.max_pool2d(x, 3, 2, 1), {'x': x})
    x = leaf('avgpool.x', 2, 3, 5, 5)
    layer('avgpool', x.mean((2, 3)), {'x': x})
    x, w, b = leaf('linear.x', 4, 7), leaf('linear.w', 5, 7), leaf('linear.b', 5)
    layer('linear', F.linear(x, w, b), {'x': x, 'w': w, 'b': b})
    x = leaf('unit.x', 3, 6)
    layer('unit', F.normalize(x), {'x': x})


class Net:
    """A ResNet over dictionaries of named arrays, so that names are all that has to agree."""

    def __init__(self, prefix, train):
        self.prefix, self.train, self.p, self.s = prefix, train, {}, {}

    def get(self, name, *shape):
        if name not in self.p:
            t = fill(self.prefix + name, *shape)
            if len(shape) == 4:
                t = t * float(np.float32(np.sqrt(6.0 / (shape[0] * shape[2] * shape[3]))))
            elif len(shape) == 2:
                t = t * 0.1
            elif 'bn' in name or 'downsample.1' in name:
                t = 1 + 0.25 * t if name.endswith('weight') else 0.25 * t
            self.p[name] = t.float().double().requires_grad_(self.train)
        return self.p[name]

    def conv(self, x, name, c, k, s):
        return F.conv2d(x, self.get(name + '.weight', c, x.shape[1], k, k), None, s, k // 2)

    def norm(self, x, name):
        c = x.shape[1]
        if name not in self.s:
            self.s[name] = ((0.25 * fill(self.prefix + name + '.running_mean', c)).float().double(),
                            (1.5 + fill(self.prefix + name + '.running_var', c)).float().double())
        mean, var = self.s[name]
        return F.batch_norm(x, mean, var, self.get(name + '.weight', c), self.get(name + '.bias', c),
                            self.train, 0.1, 1e-5)

    def block(self, x, name, c, s):
        y = F.relu(self.norm(self.conv(x, name + '.conv1', c, 3, s), name + '.bn1'))
        y = self.norm(self.conv(y, name + '.conv2', c, 3, 1), name + '.bn2')
        if s != 1 or x.shape[1] != c:
            x = self.norm(self.conv(x, name + '.downsample.0', c, 1, s), name + '.downsample.1')
        return F.relu(y + x)

    def forward(self, x, big, widths, depths, dim):
        x = F.relu(self.norm(self.conv(x, 'conv1', widths[0], 7 if big else 3, 2 if big else 1), 'bn1'))
        if big:
            x = F.max_pool2d(x, 3, 2, 1)
        for i, (w, d) in enumerate(zip(widths, depths)):
            for j in range(d):
                x = self.block(x, 'layer%d.%d' % (i + 1, j), w, 2 if i > 0 and j == 0 else 1)
        x = x.mean((2, 3))
        return F.normalize(F.linear(x, self.get('fc.weight', dim, x.shape[1]), self.get('fc.bias', dim)))


def resnet18():
    net = Net('r18.', False)
    with torch.no_grad():
        put('r18.224', net.forward(fill('r18.input224', 1, 3, 224, 224), 1, (64, 128, 256, 512), (2, 2, 2, 2), 512))
        put('r18.64', net.forward(fill('r18.input64', 2, 3, 64, 64), 1, (64, 128, 256, 512), (2, 2, 2, 2), 512))


def batch_hard(e, y, margin=0.2):
    d = (2 - 2 * e @ e.t()).clamp_min(1e-12).sqrt()
    same = y[:, None] == y[None]
    return F.relu((d * same).max(1)[0] - (d + 1e3 * same).min(1)[0] + margin).mean()


def supcon(e, y, heat=0.1):
    z = (e @ e.t() / heat).masked_fill(torch.eye(len(y), dtype=torch.bool), -1e9)
    pos = ((y[:, None] == y[None]) & ~torch.eye(len(y), dtype=torch.bool)).double()
    return -((z - z.logsumexp(1, keepdim=True)) * pos).sum(1).div(pos.sum(1)).mean()


LABELS = [0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3]


def semi_hard(e, y, margin=0.2):
    """FaceNet's choice for each pair; the farthest negative where there is none beyond the positive."""
    d, terms = (2 - 2 * e @ e.t()).clamp_min(1e-12).sqrt(), []
    for a in range(len(y)):
        others = d[a][y != y[a]]
        for p in range(len(y)):
            if p != a and y[p] == y[a]:
                beyond = others[others > d[a, p]]
                n = beyond.min() if len(beyond) else others.max()
                terms.append(F.relu(d[a, p] - n + margin))
    return torch.stack(terms).mean()


def soft_hard(e, y):
    d = (2 - 2 * e @ e.t()).clamp_min(1e-12).sqrt()
    same = y[:, None] == y[None]
    return F.softplus((d * same).max(1)[0] - (d + 1e3 * same).min(1)[0]).mean()


def contrastive(e, y, margin=0.9):
    i, j = torch.triu_indices(len(y), len(y), 1)
    d, same = (2 - 2 * (e[i] * e[j]).sum(1)).sqrt(), y[i] == y[j]
    return 0.5 * ((d[same] ** 2).mean() + (F.relu(margin - d[~same]) ** 2).mean())


def npair(e, y, heat=0.1):
    """Cross entropy over one picture of each class, for every ordered pair of a class."""
    groups = [e[y == k] for k in range(int(y.max()) + 1)]
    terms = []
    for k, g in enumerate(groups):
        for a in range(len(g)):
            for p in range(len(g)):
                if a != p:
                    column = torch.stack([h[p % len(h)] for h in groups])
                    terms.append(F.cross_entropy((g[a] @ column.t() / heat)[None], torch.tensor([k])))
    return torch.stack(terms).mean()


def losses():
    """Value of each loss on 12 unit vectors, and its gradient by them."""
    y = torch.tensor(LABELS)
    for name, fn in (('hard', batch_hard), ('semi', semi_hard), ('soft', soft_hard),
                     ('contrastive', contrastive), ('supcon', supcon), ('npair', npair)):
        e = F.normalize(fill('loss.e', len(y), 6)).float().double().requires_grad_()
        value = fn(e, y)
        value.backward()
        put('loss.' + name, value[None])
        put('loss.' + name + '.de', e.grad)


def margin_softmax(kind, heat, margin):
    def loss(e, w, y):
        s = e @ F.normalize(w).t()
        own = F.one_hot(y, len(w)).bool()
        moved = {'softmax': s, 'cosface': s - margin,
                 'arcface': torch.where(s < -np.cos(margin), s - margin * np.sin(margin),
                                        (s.clamp(-1 + 1e-9, 1 - 1e-9).acos() + margin).cos())}[kind]
        return F.cross_entropy(torch.where(own, moved, s) / heat, y)
    return loss


def proxy_anchor(e, w, y, heat=1 / 32, margin=0.1):
    s = e @ F.normalize(w).t()
    own = F.one_hot(y, len(w)).double()
    pull = torch.where(own == 1, torch.exp(-(s - margin) / heat), 0.0).sum(0)
    push = torch.where(own == 0, torch.exp((s + margin) / heat), 0.0).sum(0)
    here = own.sum(0) > 0
    return torch.log1p(pull)[here].mean() + torch.log1p(push).mean()


def proxy_losses():
    """The same with seven proxies, of which three have no picture."""
    y = torch.tensor(LABELS)
    for name, fn in (('softmax', margin_softmax('softmax', 0.1, 0)),
                     ('cosface', margin_softmax('cosface', 0.1, 0.2)),
                     ('arcface', margin_softmax('arcface', 0.1, 0.3)), ('proxy_anchor', proxy_anchor)):
        e = F.normalize(fill('loss.e', len(y), 6)).float().double().requires_grad_()
        w = F.normalize(fill('loss.w', 7, 6)).float().double().requires_grad_()
        value = fn(e, w, y)
        value.backward()
        put('loss.' + name, value[None])
        put('loss.' + name + '.de', e.grad)
        put('loss.' + name + '.dw', w.grad)


def training(prefix, loss_fn, nesterov, clip):
    net, y = Net(prefix, True), torch.arange(8) // 2
    shape = (0, (6, 8), (1, 1), 5)
    net.forward(fill(prefix + 'input0', 8, 2, 10, 10), *shape)
    for name, (mean, var) in net.s.items():         # start anew: that forward was to make the names
        mean.copy_((0.25 * fill(prefix + name + '.running_mean', len(mean))).float())
        var.copy_((1.5 + fill(prefix + name + '.running_var', len(var))).float())
    decay = [t for n, t in net.p.items() if t.dim() > 1]
    rest = [t for n, t in net.p.items() if t.dim() == 1]
    opt = torch.optim.SGD([{'params': decay, 'weight_decay': 0.01}, {'params': rest, 'weight_decay': 0.0}],
                          lr=0.05, momentum=0.9, nesterov=nesterov)
    losses = []
    for step in range(10):
        opt.zero_grad()
        loss = loss_fn(net.forward(fill(prefix + 'input%d' % step, 8, 2, 10, 10), *shape), y)
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(list(net.p.values()), clip)
        opt.step()
        losses.append(loss.detach())
    put(prefix + 'losses', torch.stack(losses))
    for name, t in net.p.items():
        put(prefix + name, t)
    for name, (mean, var) in net.s.items():
        put(prefix + name + '.running_mean', mean)
        put(prefix + name + '.running_var', var)


if __name__ == '__main__':
    layers()
    losses()
    proxy_losses()
    resnet18()
    training('hard.', batch_hard, False, 0)
    training('supcon.', supcon, True, 1.0)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'golden', 'nn_torch.bin')
    with open(path, 'wb') as f:
        for name, data in records:
            f.write(struct.pack('<I', len(name)) + name.encode() + struct.pack('<I', len(data)) + data.tobytes())
    print(path, os.path.getsize(path), 'bytes,', len(records), 'records')
