"""Writes the files of tests/bad/: each is tests/golden/flat_f32.mann with something wrong, and is named by the
status that opening it must give.    python3 tests/bad/make_bad.py      (from the top folder)

SPDX-License-Identifier: MIT
"""
import struct
import sys

sys.path.insert(0, "tests")
from oracle_container import crc32c, up

good = open("tests/golden/flat_f32.mann", "rb").read()


def put(name, b):
    with open("tests/bad/" + name + ".mann", "wb") as f:
        f.write(bytes(b))


def flip(at):
    b = bytearray(good)
    b[at] ^= 0x20
    return b


def header(at, fmt, value, b=good):
    """One field of the header, under a right checksum."""
    b = bytearray(b)
    struct.pack_into(fmt, b, at, value)
    struct.pack_into("<I", b, 60, crc32c(bytes(b[:60])))
    return b


def sections(b):
    n = struct.unpack_from("<I", b, 32)[0]
    table = len(b) - 64 * n
    return {b[t:t + 4].decode(): (t, *struct.unpack_from("<IIIQQQ", b, t + 4))
            for t in range(table, len(b), 64)}


def signed(b):
    """Every checksum of a file that was changed, put right."""
    b = bytearray(b)
    n = struct.unpack_from("<I", b, 32)[0]
    for t, dtype, align, sums_crc, at, size, sums_at in sections(b).values():
        own = b"".join(struct.pack("<I", crc32c(bytes(b[c:min(c + 65536, at + size)])))
                       for c in range(at, at + size, 65536))
        b[sums_at:sums_at + len(own)] = own
        struct.pack_into("<I", b, t + 16 - 4, crc32c(own))
    struct.pack_into("<I", b, 36, crc32c(bytes(b[len(b) - 64 * n:])))
    struct.pack_into("<I", b, 60, crc32c(bytes(b[:60])))
    return b


def meta(at, fmt, value):
    """One field of META and of MET2, under right checksums everywhere."""
    b = bytearray(good)
    for tag in ("META", "MET2"):
        place = sections(b)[tag][4]
        struct.pack_into(fmt, b, place + at, value)
        struct.pack_into("<I", b, place + 124, crc32c(bytes(b[place:place + 124])))
    return signed(b)


def inside(tag, at, fmt, value):
    b = bytearray(good)
    struct.pack_into(fmt, b, sections(b)[tag][4] + at, value)
    return b


assert signed(good) == good
put("MANN_E_FORMAT.empty", b"")
put("MANN_E_FORMAT.truncated_header", good[:40])
put("MANN_E_FORMAT.header_alone", good[:64])
put("MANN_E_FORMAT.truncated_half", good[:len(good) // 2])
put("MANN_E_FORMAT.truncated_by_one", good[:-1])
put("MANN_E_FORMAT.one_byte_more", good + b"\0")
put("MANN_E_FORMAT.some_text", b"This is not a gallery, whatever its name says.\n" * 9)
put("MANN_E_FORMAT.header_bit", flip(44))
put("MANN_E_FORMAT.table_bit", flip(len(good) - 20))
put("MANN_E_FORMAT.vector_bit", flip(sections(good)["VECS"][4] + 9))
put("MANN_E_FORMAT.record_bit", flip(sections(good)["RECS"][4] + 3))
put("MANN_E_FORMAT.padding_bit", flip(sections(good)["RECS"][4] - 1))
put("MANN_E_FORMAT.metric_9", meta(0, "<I", 9))
put("MANN_E_FORMAT.no_dimensions", meta(4, "<I", 0))
put("MANN_E_FORMAT.a_billion_rows", meta(24, "<Q", 10 ** 9))
put("MANN_E_FORMAT.rows_that_overflow", meta(24, "<Q", 2 ** 63 + 1))
put("MANN_E_FORMAT.section_beyond_the_end", signed(header(16, "<Q", len(good) + 64)))
put("MANN_E_VERSION.of_tomorrow", header(8, "<I", 2))
put("MANN_E_VERSION.of_yesterday", header(8, "<I", 0))
put("MANN_E_VERSION.a_feature_of_tomorrow", header(24, "<Q", 4))
put("MANN_E_MISMATCH.a_model", open("tests/golden/model.mann", "rb").read())
put("MANN_E_MISMATCH.a_pack", open("tests/golden/pack.mann", "rb").read())
