/* test_ann_forged.c - indexes that nobody built: the corpus of the fuzz targets, and a
 * few hundred changes of each of its files. `make test-san` runs it under the sanitizers.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "ann_forge.h"
#include "ann_help.h"
#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "os/vfs.h"

#define FOLDER "tests/fuzz/corpus/index"
enum { MOST = 64, CHANGES = 150 };

typedef struct names { char name[MOST][64]; int n; } names;

static int remember(void *ctx, const char *name)
{
    names *all = ctx;
    if (name[0] == '.' || all->n == MOST) return 0;
    snprintf(all->name[all->n++], sizeof all->name[0], "%s", name);
    return 0;
}

static void promise(const char *name, const uint8_t *bytes, size_t n, int *opened)
{
    const char *why;
    const int code = ann_forged(bytes, n, &why);
    if (code < 0) test_fail(__FILE__, __LINE__, "%s: %s", name, why);
    *opened += code;
}

/* A byte, a few neighbours, or a number of four bytes at a time. */
static void disturb(mni_rng *r, uint8_t *bytes, size_t n)
{
    static const uint32_t odd[] = { 0, 1, 0x7fffffff, 0x80000000, UINT32_MAX };
    const int times = 1 + (int)mni_rng_below(r, 3);
    for (int i = 0; i < times; i++) {
        /* heads and counts stand at the beginning of sections: half of the time there */
        const size_t most = mni_rng_below(r, 2) && n > 400 ? 400 : n;
        const size_t at = mni_rng_below(r, (uint32_t)most);
        if (mni_rng_below(r, 2) || at + 4 > n)
            bytes[at] ^= (uint8_t)mni_rng_below(r, 256);
        else
            memcpy(bytes + at, &odd[mni_rng_below(r, 5)], 4);
    }
}

static void the_corpus_and_its_neighbours(void)
{
    const mni_vfs *v = mni_vfs_posix();
    names all = { .n = 0 };
    mann_error e = { MANN_OK, "" };
    int as_they_are = 0, disturbed = 0;
    CHECK_FINE(v->ops->list(v, FOLDER, remember, &all, &e), e);
    for (int f = 0; f < all.n; f++) {
        char path[160];
        uint8_t *bytes;
        size_t n;
        mni_rng r = mni_rng_at(test_seed(), MNI_FOR_TEST, 300, 0, (uint64_t)f);
        snprintf(path, sizeof path, FOLDER "/%s", all.name[f]);
        CHECK_FINE(mni_read_file(v, path, 1 << 20, &bytes, &n, &e), e);
        promise(path, bytes, n, &as_they_are);
        for (int i = 0; i < CHANGES; i++) {
            uint8_t *copy = mni_memdup(bytes, n);
            CHECK(copy);
            disturb(&r, copy, n);
            promise(path, copy, i % 10 ? n : mni_rng_below(&r, (uint32_t)n), &disturbed);
            mni_free(copy);
        }
        mni_free(bytes);
    }
    /* most files of the corpus are good ones; and some changes pass unnoticed */
    CHECK(all.n >= 5 && 2 * as_they_are > all.n && disturbed > 0);
}

/* What any kind writes comes back through the list of sections. */
static void round_trip(const ann_kind *kind)
{
    float *rows = ann_vectors(31, 60);
    mni_bare *ix = ann_build(kind, MANN_L2, rows, 60, NULL);
    size_t n;
    int opened = 0;
    uint8_t *list = ann_unforge(ix, &n);
    CHECK(list);
    promise(kind->spec, list, n, &opened);
    CHECK_EQ(opened, 1);
    mni_free(list);
    mni_bare_free(ix);
    mni_free(rows);
}

static void every_kind_is_forged_well(void) { ann_each(round_trip); }

extern const test_case ann_forged_tests[];
const test_case ann_forged_tests[] = {
    { "the_corpus_and_its_neighbours", the_corpus_and_its_neighbours, 0 },
    { "every_kind_is_forged_well", every_kind_is_forged_well, 0 },
    { NULL, NULL, 0 }
};
