/* make_index_corpus.c - the first files of tests/fuzz/corpus/index: one small index of
 * every kind, as ann_forge.h has it. Run by `make fuzz-index-corpus` after a kind changed
 * its format. SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "../ann_forge.h"
#include "base/mem.h"
#include "base/rng.h"
#include "os/vfs.h"

enum { ROWS = 48, DIM = 8 };

static const struct { const char *name, *spec; mann_metric metric; } kinds[] = {
    { "flat", "Flat", MANN_L2 },
    { "sq8", "SQ8", MANN_COSINE },
    { "hnsw", "HNSW3,efc16", MANN_L2 },
    { "hnsw-sq8", "HNSW3,efc16,SQ8", MANN_INNER },
    { "hnsw-sq4", "HNSW3,efc16,SQ4", MANN_COSINE },
    { "ivf", "IVF4,Flat", MANN_L2 },
    { "ivf-inner", "IVF4,Flat", MANN_INNER },
    { "pq", "IVF3,PQ4", MANN_L2 },
    { "pq-fast", "IVF3,PQ4x4fs,RFlat", MANN_COSINE },
    { "pq-turned", "OPQ4,IVF3,PQ4", MANN_L2 },
};

static mann_status make(const char *spec, mann_metric metric, mni_bare **out,
                        mann_error *err)
{
    mni_builder *b;
    float rows[ROWS * DIM];
    uint64_t ids[ROWS];
    mni_rng r = mni_rng_at(1, MNI_FOR_TEST, 301, 0, 0);
    for (int i = 0; i < ROWS * DIM; i++) rows[i] = mni_rng_normal(&r);
    for (int i = 0; i < ROWS; i++) ids[i] = (uint64_t)(i * 3);
    MNI_TRY(mni_builder_new(&b, spec, metric, DIM, 1, err));
    mann_status s = mni_builder_add(b, ids, (mann_matrix){ rows, ROWS, DIM, 0 }, NULL,
                                    err);
    if (s == MANN_OK) s = mni_builder_finish(&b, out, NULL, NULL, err);
    mni_builder_free(b);
    return s;
}

int main(int argc, char **argv)
{
    if (argc != 2) return 2;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        mni_bare *ix = NULL;
        mann_error e = { MANN_OK, "" };
        char path[4096];
        size_t n = 0;
        mann_status s = make(kinds[i].spec, kinds[i].metric, &ix, &e);
        uint8_t *list = s == MANN_OK ? ann_unforge(ix, &n) : NULL;
        snprintf(path, sizeof path, "%s/%s", argv[1], kinds[i].name);
        if (list) s = mni_replace_file(mni_vfs_posix(), path, list, n, &e);
        printf("%-12s %6zu bytes  %s\n", kinds[i].name, n, e.text);
        mni_free(list);
        mni_bare_free(ix);
        if (s != MANN_OK && s != MANN_E_UNSUPPORTED) return 1;
    }
    return 0;
}
