/* test_pack_damage.c - a packed data set that is cut, flipped or made up is refused, or
 * does no harm. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "harness.h"
#include "kern/crc32c.h"
#include "pack_help.h"
#include "store/disk.h"
#include "store/pack.h"
#include "store/pack_disk.h"

static mann_status open_bytes(const void *bytes, size_t n, mann_error *err)
{
    mni_pack *p;
    mann_status s = mni_pack_open_bytes(&p, bytes, n, "small", err);
    CHECK((s == MANN_OK) == (p != NULL));
    if (s == MANN_OK) s = mni_pack_verify(p, err);
    mni_pack_free(p);
    return s;
}

static void every_truncation(void)
{
    mann_error e;
    size_t n;
    uint8_t *good = pack_small(&n);
    for (size_t cut = 0; cut <= n; cut++) {
        uint8_t *part = mni_memdup(good, cut);
        CHECK(part);
        CHECK_IS(open_bytes(part, cut, &e), cut == n ? MANN_OK : MANN_E_FORMAT);
        mni_free(part);
    }
    mni_free(good);
}

static void every_bit_flip(void)
{
    mann_error e;
    size_t n;
    uint8_t *file = pack_small(&n);
    for (size_t bit = 0; bit < n * 8; bit++) {
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
        const mann_status s = open_bytes(file, n, &e);
        if (s != MANN_E_FORMAT && !(s == MANN_E_VERSION && bit / 64 == 1))
            test_fail(__FILE__, __LINE__, "bit %zu: %s", bit, mann_status_name(s));
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    mni_free(file);
}

/* All checksums put right, so that only the reader's own checks are left. */
static void sign(uint8_t *file, size_t n)
{
    mni_disk_header h;
    memcpy(&h, file, sizeof h);
    const size_t table = n - h.section_count * sizeof(mni_disk_section);
    for (uint32_t i = 0; i < h.section_count; i++) {
        mni_disk_section s;
        memcpy(&s, file + table + i * sizeof s, sizeof s);
        CHECK(s.n_bytes <= MNI_DISK_CHUNK);
        if (s.n_bytes)
            mni_put32(file + s.sums_at,
                      mni_crc32c(0, file + s.at, (size_t)s.n_bytes));
        s.sums_crc = mni_crc32c(0, file + s.sums_at, s.n_bytes ? 4 : 0);
        memcpy(file + table + i * sizeof s, &s, sizeof s);
    }
    h.section_crc = mni_crc32c(0, file + table, n - table);
    h.header_crc = mni_crc32c(0, &h, offsetof(mni_disk_header, header_crc));
    memcpy(file, &h, sizeof h);
}

static uint8_t *section(uint8_t *file, size_t n, const char *tag, size_t *n_bytes)
{
    mni_disk_header h;
    memcpy(&h, file, sizeof h);
    for (uint32_t i = 0; i < h.section_count; i++) {
        mni_disk_section s;
        memcpy(&s, file + n - (h.section_count - i) * sizeof s, sizeof s);
        if (memcmp(s.tag, tag, 4) != 0) continue;
        *n_bytes = (size_t)s.n_bytes;
        return file + s.at;
    }
    test_fail(__FILE__, __LINE__, "no section %s", tag);
}

/* Every bit of every list, under right checksums: refused, or a pack that can be used
 * without harm. */
static void signed_flips_are_harmless(void)
{
    static const char *const tags[] = { "PACK", "PHOT", "PATH", "SORT", "CLAS" };
    mann_error e;
    size_t n, n_list, refused = 0, tried = 0;
    uint8_t *good = pack_small(&n);
    for (size_t t = 0; t < 5; t++) {
        section(good, n, tags[t], &n_list);
        for (size_t bit = 0; bit < n_list * 8; bit++) {
            uint8_t *bad = mni_memdup(good, n), *copy;
            size_t ignored;
            mni_pack *p;
            CHECK(bad);
            section(bad, n, tags[t], &ignored)[bit / 8] ^= (uint8_t)(1u << bit % 8);
            sign(bad, n);
            const mann_status s = mni_pack_open_bytes(&p, bad, n, "bad", &e);
            tried++;
            refused += s != MANN_OK;
            CHECK(s == MANN_OK || s == MANN_E_FORMAT || s == MANN_E_VERSION ||
                  s == MANN_E_LIMIT);
            for (uint64_t i = 0; p && i < mni_pack_n_photos(p); i++) {
                const mni_pack_photo one = mni_pack_at(p, i);
                uint64_t at;
                CHECK(one.bytes + one.n_bytes <= bad + n && strlen(one.path) < n);
                mni_pack_find(p, one.path, &at);
                if (mni_pack_copy(p, i, &copy, &ignored, &e) == MANN_OK) mni_free(copy);
            }
            if (p) mni_pack_verify(p, &e);
            mni_pack_free(p);
            mni_free(bad);
        }
    }
    CHECK(refused > tried / 4 && refused < tried);
    mni_free(good);
}

typedef struct lie {
    const char *tag;
    size_t at, n_bytes;
    uint64_t value;
    const char *sentence;
} lie;

static void signed_lies(void)
{
#define PHOTO(i, field)                                                                \
    "PHOT", (i) * sizeof(mni_disk_photo) + offsetof(mni_disk_photo, field),             \
        sizeof((mni_disk_photo *)0)->field
    static const lie lies[] = {
        { "PACK", 0, 8, 2, "layout 2" },
        { "PACK", 8, 8, UINT64_MAX, "too many" },
        { "PACK", 8, 8, 7, "section PHOT has" },
        { "PACK", 16, 8, UINT64_MAX, "too many" },
        { "PACK", 16, 8, 1000, "1000 classes in" },
        { "CLAS", 1, 1, 'x', "class 3 has no name" },
        { PHOTO(1, at), 0, "at 0, wanted it at" },
        { PHOTO(1, n_bytes), UINT64_MAX, "wanted it at" },
        { PHOTO(7, n_bytes), 0, "belong to no photo" },
        { PHOTO(1, path_at), 0, "no path where one belongs" },
        { PHOTO(0, klass), 4, "class 4 of 4" },
        { PHOTO(0, klass), 2, "out of order" },
        { "PATH", 0, 1, 0, "no path where one belongs" },
        { "SORT", 4, 4, 8, "there is no photo 8" },
        { "SORT", 4, 4, 7, "not sorted" },
        { "CLAS", 0, 1, 0, "no name of its own" },
        { "CLAS", 0, 1, 'z', "out of order" },
        { PHOTO(2, content_hash), 1, "another content hash" },
        { PHOTO(2, crc), 1, "is damaged" },
        { "DATA", 3, 1, 1, "is damaged" },
    };
    size_t n, n_list;
    uint8_t *good = pack_small(&n);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        const lie *l = &lies[i];
        mann_error e = { MANN_OK, "" };
        uint8_t *bad = mni_memdup(good, n), value[8];
        CHECK(bad);
        mni_put64(value, l->value);
        memcpy(section(bad, n, l->tag, &n_list) + l->at, value, l->n_bytes);
        sign(bad, n);
        const mann_status s = open_bytes(bad, n, &e);
        if (s == MANN_OK || !strstr(e.text, l->sentence))
            test_fail(__FILE__, __LINE__, "lie %zu: %s: %s; wanted %s", i,
                      mann_status_name(s), e.text, l->sentence);
        mni_free(bad);
    }
    mni_free(good);
}

/* A file above the size that is checked whole at open: the lists are checked all the
 * same, a damaged photo is found when it is read, and the others are as they were. */
static void large_file_damaged(void)
{
    static const char *const one[] = { "c" };
    const size_t big = (size_t)17 << 20;
    char path[512];
    mni_pack_writer *w;
    mni_pack *p;
    mann_error e = { MANN_OK, "" };
    uint8_t *photo = mni_alloc(big, 1), *copy;
    size_t n;
    CHECK(photo);
    snprintf(path, sizeof path, "%s/big.mann", test_dir());
    const mni_vfs *v = mni_vfs_posix();
    CHECK_FINE(mni_pack_new(&w, v, path, one, 1, &e), e);
    for (int i = 0; i < 4; i++) {
        const char name[] = { (char)('a' + i), 0 };
        photo[0] = (uint8_t)i;
        CHECK_FINE(mni_pack_put(w, name, 0, photo, big, 0, &e), e);
    }
    CHECK_FINE(mni_pack_finish(w, &e), e);
    for (int list = 0; list < 2; list++) {
        mni_file *f;
        uint64_t size;
        CHECK_OK(mni_open(v, path, MNI_OPEN_WRITE, &f, NULL));
        CHECK_OK(v->ops->size(f, &size, NULL));
        /* a byte of photo b; then one of the first path, behind PACK and PHOT */
        const uint64_t at = list ? 4096 + 4 * (uint64_t)big + 64 + 192 : 4096 + big + 77;
        CHECK(at < size);
        CHECK_OK(mni_write(f, "x", 1, at, NULL));
        CHECK_OK(mni_close(f, NULL));
        const mann_status s = mni_pack_open(&p, v, path, &e);
        if (list) {
            CHECK_IS(s, MANN_E_FORMAT);
            CHECK(strstr(e.text, "section PATH is damaged"));
            continue;
        }
        CHECK_FINE(s, e);
        CHECK_IS(mni_pack_copy(p, 1, &copy, &n, &e), MANN_E_FORMAT);
        CHECK(strstr(e.text, "photo b is damaged"));
        CHECK_FINE(mni_pack_copy(p, 2, &copy, &n, &e), e);
        CHECK(n == big && copy[0] == 2);
        mni_free(copy);
        CHECK_IS(mni_pack_verify(p, &e), MANN_E_FORMAT);
        mni_pack_free(p);
    }
    mni_free(photo);
}

enum { GOLDEN_SIZE = 5504 };
#define GOLDEN_CRC 0x84F7B829u

/* The bytes of layout 1: a change of one is a change of the layout. */
static void golden_bytes(void)
{
    size_t n;
    uint8_t *file = pack_small(&n);
    mni_disk_header h;
    memcpy(&h, file, sizeof h);
    h.version = h.header_crc = 0;       /* the container's own */
    memcpy(file, &h, sizeof h);
    CHECK_EQ(n, GOLDEN_SIZE);
    CHECK_EQ(mni_crc32c_plain(0, file, n), GOLDEN_CRC);
    mni_free(file);
}

const test_case pack_damage_tests[] = {
    { "every_truncation", every_truncation, 0 },
    { "every_bit_flip", every_bit_flip, 0 },
    { "signed_flips_are_harmless", signed_flips_are_harmless, 0 },
    { "signed_lies", signed_lies, 0 },
    { "large_file_damaged", large_file_damaged, 0 },
    { "golden_bytes", golden_bytes, 0 },
    { NULL, NULL, 0 }
};
