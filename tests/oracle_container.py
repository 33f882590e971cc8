"""A second reader of our two file formats, written from src/store/README.md alone.

    oracle_container.py FILE...     prints what is in containers and journals

Exit status 0: every checksum agreed; 1: not. Needs no package. SPDX-License-Identifier: MIT
"""
import struct
import sys

DTYPES = {0: 1, 1: 4, 2: 2, 3: 1, 4: 1, 5: 2, 6: 4, 7: 8, 8: 4, 9: 8, 10: 8}


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def up(at, align):
    return (at + align - 1) // align * align


def container(b):
    (magic, version, kind, size, features, count, table_crc, generation, uuid,
     header_crc) = struct.unpack("<8sIIQQIIQ12sI", b[:64])
    assert magic == b"METRANN\0" and version == 1 and features == 0 and size == len(b)
    assert crc32c(b[:60]) == header_crc and 1 <= kind <= 4 and count <= 256
    print("container kind %d generation %d uuid %s" % (kind, generation, uuid.hex()))
    table = b[len(b) - 64 * count:]
    assert crc32c(table) == table_crc
    end, sums = 64, b""
    entries = [struct.unpack("<4sIIIQQQ24s", table[64 * i:64 * i + 64]) for i in range(count)]
    assert len(set(e[0] for e in entries)) == count
    for tag, dtype, align, sums_crc, at, n, sums_at, zero in entries:
        assert at == up(end, align) and not any(b[end:at]) and not any(zero)
        assert align in (64, 4096) and n % DTYPES[dtype] == 0
        chunks = range(at, at + n, 65536)
        own = b"".join(struct.pack("<I", crc32c(b[c:min(c + 65536, at + n)])) for c in chunks)
        assert b[sums_at:sums_at + len(own)] == own and crc32c(own) == sums_crc
        sums, end = sums + own, at + n
        print("  %s dtype %d bytes %d" % (tag.decode(), dtype, n))
    at = up(end, 64)
    assert not any(b[end:at]) and b[at:at + len(sums)] == sums
    assert not any(b[at + len(sums):len(b) - 64 * count])
    assert up(at + len(sums), 64) == len(b) - 64 * count


def journal(b):
    magic, version, zero, generation, uuid, zeros, header_crc = struct.unpack(
        "<8sIIQ12s24sI", b[:64])
    assert magic == b"METRJNL\0" and version == 1 and crc32c(b[:60]) == header_crc
    print("journal generation %d uuid %s" % (generation, uuid.hex()))
    at, crc, group = 64, header_crc, []
    while at < len(b):
        stored, kind, n, flags = struct.unpack("<IIII", b[at:at + 16])
        end = at + 16 + up(n, 8)
        crc = crc32c(b[at + 4:end], crc)
        assert crc == stored and kind != 0 and flags <= 1 and end <= len(b)
        group.append("%d:%d" % (kind, n))
        at = end
        if flags & 1:
            print("  commit of records type:bytes %s" % " ".join(group))
            group = []
    assert not group


if __name__ == "__main__":
    for path in sys.argv[1:]:
        with open(path, "rb") as f:
            data = f.read()
        (journal if data[:7] == b"METRJNL" else container)(data)
