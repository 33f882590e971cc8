/* test_pack.c - a data set in one file: what went in comes out in the same order; what is
 * cut, flipped or made up is refused; a pack that fails leaves what was there.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "kern/crc32c.h"
#include "store/disk.h"
#include "store/pack_disk.h"
#include "train/packing.h"
#include "store/pack.h"

/* --- a small data set --------------------------------------------------------------- */

static void put_file(const mni_vfs *v, const char *path, const char *bytes, size_t n,
                     uint64_t time)
{
    mni_file *f;
    CHECK_OK(mni_open(v, path, MNI_OPEN_WRITE | MNI_OPEN_CREATE, &f, NULL));
    CHECK_OK(mni_write(f, bytes, n, 0, NULL));
    CHECK_OK(v->ops->set_time(f, time, NULL));
    CHECK_OK(mni_close(f, NULL));
}

/* Odd names, a photo without a class, an empty one, folders that sort differently as
 * folders and as texts ('-' comes before '/'). */
static const char *const names[] = {
    "set/a/1.png",     "set/a/b/c.jpg",     "set/a/b-1.jpg", "set/a-b/x.png",
    "set/\xC3\xA4 b\nc/x y.png", "set/loose.png", "set/b/empty.png", "set/b/\xFF.gif"
};
enum { N_NAMES = sizeof names / sizeof *names, GOLDEN_SIZE = 5504 };
#define GOLDEN_CRC 0x84F7B829u

static void draw_set(const mni_vfs *v)
{
    char text[64];
    for (size_t i = 0; i < N_NAMES; i++) {
        const int n = snprintf(text, sizeof text, "these are the bytes of photo %zu", i);
        put_file(v, names[i], text, i == 6 ? 0 : (size_t)n, 1000 + i);
    }
}

static void check_same(const mni_dataset *a, const mni_dataset *b)
{
    CHECK_EQ(mni_dataset_n_images(a), mni_dataset_n_images(b));
    CHECK_EQ(mni_dataset_n_classes(a), mni_dataset_n_classes(b));
    for (uint32_t k = 0; k < mni_dataset_n_classes(a); k++)
        CHECK_STR(mni_dataset_class(a, k), mni_dataset_class(b, k));
    for (uint64_t i = 0; i < mni_dataset_n_images(a); i++) {
        uint32_t ka, kb;
        uint8_t *x, *y;
        size_t nx, ny;
        uint64_t tx, ty;
        CHECK_STR(mni_dataset_path(a, i, &ka), mni_dataset_path(b, i, &kb));
        CHECK_EQ(ka, kb);
        CHECK_OK(mni_dataset_bytes(a, i, &x, &nx, &tx, NULL));
        CHECK_OK(mni_dataset_bytes(b, i, &y, &ny, &ty, NULL));
        CHECK(nx == ny && tx == ty && memcmp(x, y, nx) == 0);
        mni_free(x);
        mni_free(y);
    }
}

static mann_status pack(const mni_vfs *v, const char *from, const char *to,
                        mann_pack_report *r, mann_error *err)
{
    mni_dataset *d;
    MNI_TRY(mni_dataset_open(&d, v, from, NULL, err));
    const mann_status s = mni_dataset_pack(d, v, to, NULL, r, err);
    mni_dataset_free(d);
    return s;
}

static const mni_vfs *world(mni_vfs_mem **m)
{
    CHECK_OK(mni_vfs_mem_new(m, NULL));
    draw_set(mni_vfs_mem_vfs(*m));
    return mni_vfs_mem_vfs(*m);
}

static int same_files(const mni_vfs *v, const char *a, const char *b)
{
    uint8_t *x, *y;
    size_t nx, ny;
    CHECK_OK(mni_read_file(v, a, 1 << 20, &x, &nx, NULL));
    CHECK_OK(mni_read_file(v, b, 1 << 20, &y, &ny, NULL));
    const int same = nx == ny && memcmp(x, y, nx) == 0;
    mni_free(x);
    mni_free(y);
    return same;
}

/* --- there and back ----------------------------------------------------------------- */

static void comes_back_as_it_was(void)
{
    mni_vfs_mem *m;
    const mni_vfs *v = world(&m);
    mann_error e = { MANN_OK, "" };
    mni_dataset *folder, *packed, *again;
    mann_pack_report r;
    mann_dataset_info info;
    CHECK_FINE(pack(v, "set", "p.mann", &r, &e), e);
    CHECK(r.n_photos == N_NAMES && r.n_skipped == 0 && r.n_classes == 4);
    CHECK_OK(mni_dataset_open(&folder, v, "set", NULL, NULL));
    CHECK_FINE(mni_dataset_open(&packed, v, "p.mann", NULL, &e), e);
    check_same(folder, packed);
    CHECK_FINE(mni_dataset_verify(packed, NULL, &e), e);
    mni_dataset_describe(packed, &info);
    CHECK(info.packed && info.n_images == N_NAMES && info.n_without_class == 1 &&
          info.photo_bytes == r.n_bytes && info.uuid[0]);

    CHECK_FINE(mni_dataset_unpack(packed, v, "out", NULL, &r, &e), e);
    CHECK(r.n_photos == N_NAMES && !r.manifest);
    CHECK_FINE(mni_dataset_open(&again, v, "out", NULL, &e), e);
    check_same(folder, again);
    CHECK_IS(mni_dataset_unpack(packed, v, "out", NULL, &r, &e), MANN_E_EXISTS);
    /* the same photos are the same file, from wherever they come */
    CHECK_FINE(pack(v, "out", "q.mann", NULL, &e), e);
    CHECK_FINE(pack(v, "p.mann", "r.mann", NULL, &e), e);
    CHECK(same_files(v, "p.mann", "q.mann") && same_files(v, "p.mann", "r.mann"));
    mni_dataset_free(folder);
    mni_dataset_free(packed);
    mni_dataset_free(again);
    mni_vfs_mem_free(m);
}

/* `train set.mann` finds the folders train and val as `train set/` does. */
static void parts_are_those_of_the_folder(void)
{
    mni_vfs_mem *m;
    const mni_vfs *v = world(&m);
    mann_error e = { MANN_OK, "" };
    mni_dataset *folder, *packed, *a, *b;
    put_file(v, "two/val/cup/1.png", "1", 1, 1);
    put_file(v, "two/val/1.png", "2", 1, 2);
    put_file(v, "two/train/mug/b/c.png", "3", 1, 3);
    put_file(v, "two/train/mug/b-1.png", "4", 1, 4);
    put_file(v, "two/train/a-b/1.png", "5", 1, 5);
    put_file(v, "two/train/a/1.png", "6", 1, 6);
    put_file(v, "two/train/0.png", "7", 1, 7);
    CHECK_FINE(pack(v, "two", "two.mann", NULL, &e), e);
    CHECK_OK(mni_dataset_open(&folder, v, "two", NULL, NULL));
    CHECK_FINE(mni_dataset_open(&packed, v, "two.mann", NULL, &e), e);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(mni_dataset_below(&a, folder, i ? "val" : "train", NULL, NULL));
        CHECK_FINE(mni_dataset_below(&b, packed, i ? "val" : "train", NULL, &e), e);
        CHECK_EQ(mni_dataset_n_classes(b), i ? 1 : 3);
        check_same(a, b);
        mni_dataset_free(a);
        mni_dataset_free(b);
    }
    CHECK_IS(mni_dataset_below(&b, packed, "test", NULL, &e), MANN_E_NOT_FOUND);
    mni_dataset_free(folder);
    mni_dataset_free(packed);
    mni_vfs_mem_free(m);
}

static void manifests_keep_their_classes(void)
{
    static const char lines[] = "set/a/1.png\tcup\nset/a/b-1.jpg\tmug\nset/a/1.png\tmug\n"
                                "set/loose.png\n";
    mni_vfs_mem *m;
    const mni_vfs *v = world(&m);
    mann_error e = { MANN_OK, "" };
    mni_dataset *list, *packed, *again;
    mann_pack_report r;
    put_file(v, "list.tsv", lines, sizeof lines - 1, 0);
    CHECK_FINE(pack(v, "list.tsv", "p.mann", &r, &e), e);
    CHECK_OK(mni_dataset_open(&list, v, "list.tsv", NULL, NULL));
    CHECK_FINE(mni_dataset_open(&packed, v, "p.mann", NULL, &e), e);
    check_same(list, packed);
    CHECK_FINE(mni_dataset_unpack(packed, v, "out", NULL, &r, &e), e);
    CHECK(r.manifest == 1 && r.n_photos == 4);
    CHECK_FINE(mni_dataset_open(&again, v, "out/manifest.tsv", NULL, &e), e);
    check_same(list, again);
    mni_dataset_free(list);
    mni_dataset_free(packed);
    mni_dataset_free(again);
    mni_vfs_mem_free(m);
}

static void paths_stay_inside(void)
{
    static const struct { const char *line; mann_status want; } lines[] = {
        { "../out/x.png\tcup", MANN_E_FORMAT }, { "/x.png\tcup", MANN_E_FORMAT },
        { "a/../../x.png\ta", MANN_E_FORMAT },  { "a//x.png\ta", MANN_E_FORMAT },
        { "./x.png\tcup", MANN_E_FORMAT },      { "..\tcup", MANN_E_FORMAT },
        { "manifest.tsv\tcup", MANN_E_UNSUPPORTED }, { "..a/..x.png\t..a", MANN_OK },
        { "a/.../x.png\ta", MANN_OK }
    };
    static const char *const one[] = { "cup" };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        mni_vfs_mem *m;
        mni_pack_writer *w;
        mni_dataset *d;
        mni_stat st;
        mann_error e = { MANN_OK, "" };
        char path[64];
        snprintf(path, sizeof path, "%.*s", (int)strcspn(lines[i].line, "\t"),
                 lines[i].line);
        CHECK_OK(mni_vfs_mem_new(&m, NULL));
        const mni_vfs *v = mni_vfs_mem_vfs(m);
        CHECK_FINE(mni_pack_new(&w, v, "p.mann", one, 1, &e), e);
        CHECK_FINE(mni_pack_put(w, "good.png", 0, "g", 1, 7, &e), e);
        CHECK_FINE(mni_pack_put(w, path, 0, "x", 1, 7, &e), e);
        CHECK_FINE(mni_pack_finish(w, &e), e);
        CHECK_FINE(mni_dataset_open(&d, v, "p.mann", NULL, &e), e);
        CHECK_IS(mni_dataset_unpack(d, v, "deep/out", NULL, NULL, &e), lines[i].want);
        CHECK((v->ops->stat(v, "deep/out", &st, NULL) == MANN_OK) ==
              (lines[i].want == MANN_OK));
        mni_dataset_free(d);
        mni_vfs_mem_free(m);
    }
}

static void unreadable_photos_are_counted(void)
{
    mni_vfs_mem *m;
    const mni_vfs *v = world(&m);
    mann_error e = { MANN_OK, "" };
    mann_pack_report r;
    static const char some[] = "set/a/1.png\tx\nset/gone.png\tx\n",
                      none[] = "gone.png\tx\n";
    put_file(v, "some.tsv", some, sizeof some - 1, 0);
    put_file(v, "none.tsv", none, sizeof none - 1, 0);
    CHECK_FINE(pack(v, "some.tsv", "p.mann", &r, &e), e);
    CHECK(r.n_photos == 1 && r.n_skipped == 1);
    CHECK_IS(pack(v, "none.tsv", "q.mann", &r, &e), MANN_E_NOT_FOUND);
    mni_stat st;
    CHECK_IS(v->ops->stat(v, "q.mann", &st, NULL), MANN_E_NOT_FOUND);
    mni_vfs_mem_free(m);
}

static void find_by_path(void)
{
    static const char *const classes[] = { "a", "b" };
    mni_vfs_mem *m;
    mni_pack_writer *w;
    mni_pack *p;
    mann_error e = { MANN_OK, "" };
    uint64_t at;
    char path[32];
    CHECK_OK(mni_vfs_mem_new(&m, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    CHECK_FINE(mni_pack_new(&w, v, "p", classes, 2, &e), e);
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof path, "%d", i * 7919 % 300);
        CHECK_FINE(mni_pack_put(w, path, i >= 200, path, strlen(path), 0, &e), e);
    }
    /* misuse is refused before it can be written */
    CHECK_IS(mni_pack_put(w, "x", 0, "", 0, 0, &e), MANN_E_ARG);     /* a after b */
    CHECK_IS(mni_pack_put(w, "x", 2, "", 0, 0, &e), MANN_E_ARG);
    CHECK_IS(mni_pack_put(w, "", 1, "", 0, 0, &e), MANN_E_ARG);
    CHECK_FINE(mni_pack_finish(w, &e), e);
    CHECK_FINE(mni_pack_open(&p, v, "p", &e), e);
    for (int i = 0; i < 300; i++) {
        snprintf(path, sizeof path, "%d", i);
        CHECK(mni_pack_find(p, path, &at));
        CHECK_STR(mni_pack_at(p, at).path, path);
        CHECK(memcmp(mni_pack_at(p, at).bytes, path, strlen(path)) == 0);
    }
    CHECK(!mni_pack_find(p, "300", &at) && !mni_pack_find(p, "", &at) &&
          !mni_pack_find(p, "~", &at));
    mni_pack_free(p);
    static const char *const unsorted[] = { "b", "a" }, *const empty[] = { "" };
    CHECK_IS(mni_pack_new(&w, v, "p", unsorted, 2, &e), MANN_E_ARG);
    CHECK_IS(mni_pack_new(&w, v, "p", empty, 1, &e), MANN_E_ARG);
    mni_vfs_mem_free(m);
}

/* --- damage ------------------------------------------------------------------------- */

/* A pack of few bytes, in memory of its own. */
static uint8_t *small_pack(size_t *n)
{
    mni_vfs_mem *m;
    const mni_vfs *v = world(&m);
    uint8_t *bytes;
    mann_error e = { MANN_OK, "" };
    CHECK_FINE(pack(v, "set", "p.mann", NULL, &e), e);
    CHECK_OK(mni_read_file(v, "p.mann", 1 << 20, &bytes, n, NULL));
    mni_vfs_mem_free(m);
    return bytes;
}

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
    uint8_t *good = small_pack(&n);
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
    uint8_t *file = small_pack(&n);
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
    uint8_t *good = small_pack(&n);
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
#define PHOTO(i, field) "PHOT", (i) * sizeof(mni_disk_photo) +                            \
                        offsetof(mni_disk_photo, field), sizeof((mni_disk_photo *)0)->field
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
    uint8_t *good = small_pack(&n);
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

/* --- faults ------------------------------------------------------------------------- */

static void every_fault(void)
{
    for (long n = 0, done = 0; !done; n++) {
        mni_vfs_mem *m;
        mni_vfs_faulty f;
        mni_dataset *d;
        mann_error e = { MANN_OK, "" };
        const mni_vfs *v = world(&m);
        CHECK_FINE(pack(v, "set", "p.mann", NULL, &e), e);
        CHECK_OK(mni_dataset_open(&d, v, "set/a", NULL, NULL));
        mni_vfs_faulty_init(&f, v);
        f.fail_in = n;
        const mann_status s = mni_dataset_pack(d, &f.vfs, "p.mann", NULL, NULL, &e);
        mni_dataset_free(d);
        mni_vfs_mem_power_cut(m);
        done = f.n_counted <= n;
        CHECK(done ? s == MANN_OK : s != MANN_OK);
        /* the old file or the new one, never less */
        CHECK_FINE(mni_dataset_open(&d, v, "p.mann", NULL, &e), e);
        CHECK_FINE(mni_dataset_verify(d, NULL, &e), e);
        if (s == MANN_OK) CHECK_EQ(mni_dataset_n_images(d), 3);
        else CHECK(mni_dataset_n_images(d) == 3 || mni_dataset_n_images(d) == N_NAMES);
        mni_dataset_free(d);
        mni_vfs_mem_free(m);
    }
}

static int stop(void *user, const mann_progress *p)
{
    return p->done >= *(const uint64_t *)user;
}

static void stopped_leaves_nothing(void)
{
    mni_vfs_mem *m;
    const mni_vfs *v = world(&m);
    mann_error e = { MANN_OK, "" };
    mni_dataset *d;
    mni_stat st;
    uint64_t when = 3;
    const mann_hooks h = { .progress = stop, .user = &when };
    CHECK_OK(mni_dataset_open(&d, v, "set", NULL, NULL));
    CHECK_IS(mni_dataset_pack(d, v, "p.mann", &h, NULL, &e), MANN_E_CANCELLED);
    CHECK_IS(v->ops->stat(v, "p.mann", &st, NULL), MANN_E_NOT_FOUND);
    CHECK_IS(mni_dataset_unpack(d, v, "out", &h, NULL, &e), MANN_E_CANCELLED);
    mni_dataset_free(d);
    mni_vfs_mem_free(m);
}

static mann_status pack_open_unpack(void *ctx)
{
    const mni_vfs *v = ctx;
    mni_dataset *d = NULL;
    mni_stat st;
    char out[32];
    static int turn;
    snprintf(out, sizeof out, "out%d", turn++);
    mann_status s = pack(v, "set", "p.mann", NULL, NULL);
    if (s == MANN_OK) s = mni_dataset_open(&d, v, "p.mann", NULL, NULL);
    if (s == MANN_OK) s = mni_dataset_unpack(d, v, out, NULL, NULL, NULL);
    mni_dataset_free(d);
    (void)st;
    return s;
}

static mann_status body_oom(void *ctx)
{
    mni_vfs_mem *m;
    (void)ctx;
    MNI_TRY(mni_vfs_mem_new(&m, NULL));
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    mni_file *f = NULL;
    mann_status s =
        mni_open(v, "set/a/1.png", MNI_OPEN_WRITE | MNI_OPEN_CREATE, &f, NULL);
    if (s == MANN_OK) s = mni_write(f, "abc", 3, 0, NULL);
    mni_close(f, NULL);
    if (s == MANN_OK) s = pack_open_unpack((void *)(uintptr_t)v);
    mni_vfs_mem_free(m);
    return s;
}

static void out_of_memory(void) { test_oom(body_oom, NULL, 0); }

/* The bytes of layout 1: a change of one is a change of the layout. */
static void golden_bytes(void)
{
    size_t n;
    uint8_t *file = small_pack(&n);
    mni_disk_header h;
    memcpy(&h, file, sizeof h);
    h.version = h.header_crc = 0;       /* the container's own */
    memcpy(file, &h, sizeof h);
    CHECK_EQ(n, GOLDEN_SIZE);
    CHECK_EQ(mni_crc32c_plain(0, file, n), GOLDEN_CRC);
    mni_free(file);
}

const test_case pack_tests[] = {
    { "comes_back_as_it_was", comes_back_as_it_was, 0 },
    { "parts_are_those_of_the_folder", parts_are_those_of_the_folder, 0 },
    { "manifests_keep_their_classes", manifests_keep_their_classes, 0 },
    { "paths_stay_inside", paths_stay_inside, 0 },
    { "unreadable_photos_are_counted", unreadable_photos_are_counted, 0 },
    { "find_by_path", find_by_path, 0 },
    { "every_truncation", every_truncation, 0 },
    { "every_bit_flip", every_bit_flip, 0 },
    { "signed_flips_are_harmless", signed_flips_are_harmless, 0 },
    { "signed_lies", signed_lies, 0 },
    { "large_file_damaged", large_file_damaged, 0 },
    { "every_fault", every_fault, 0 },
    { "stopped_leaves_nothing", stopped_leaves_nothing, 0 },
    { "out_of_memory", out_of_memory, 0 },
    { "golden_bytes", golden_bytes, 0 },
    { NULL, NULL, 0 }
};
