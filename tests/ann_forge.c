/* ann_forge.c - see ann_forge.h. SPDX-License-Identifier: MIT */
#include "ann_forge.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "forge.h"
#include "index/kinds.h"
#include "os/vfs.h"

#define PATH "forged.mann"
enum { K = 4, MOST_DIM = 512 };

#define PROMISE(x) do { if (!(x)) { *why = #x; return -1; } } while (0)

/* In order, no row twice, nothing behind the end. */
static int in_order(const uint64_t *ids, const float *d, size_t k)
{
    size_t n = 0;
    while (n < k && ids[n] != MNI_NO_ID) n++;
    for (size_t i = 1; i < n; i++)
        if (!(d[i - 1] <= d[i])) return 0;
    for (size_t i = n; i < k; i++)
        if (ids[i] != MNI_NO_ID) return 0;
    return 1;
}

static int odd(void *user, uint64_t id, const char *klass)
{
    (void)user, (void)klass;
    return id % 2 == 1;
}

static int hear(void *user, size_t query, const mann_hit *hits, size_t n)
{
    (void)query, (void)hits;
    *(size_t *)user += n;
    return 0;
}

/* Everything that reads. */
static int ask(const mni_bare *ix, const float *q, const char **why)
{
    uint64_t ids[K];
    float d[K];
    size_t heard = 0;
    mann_search how = { .struct_size = sizeof how, .k = K };    /* no api/ here */
    mni_ann_fact facts[MNI_ANN_FACTS];
    const mann_matrix m = { q, 1, mni_bare_dim(ix), 0 };
    for (int round = 0; round < 2; round++) {
        how.filter = round ? odd : NULL;
        if (mni_bare_query(ix, m, &how, NULL, ids, d, NULL) == MANN_OK)
            PROMISE(in_order(ids, d, K));
    }
    how.filter = NULL;
    mni_bare_within(ix, m, 1.0f, &how, NULL, hear, &heard, NULL);
    PROMISE(mni_bare_report(ix, facts) <= MNI_ANN_FACTS);
    return 0;
}

/* What verify has passed is as good as one's own: it may be changed and stays sound. */
static int change(mni_bare *ix, const mni_vfs *v, const float *q, const char **why)
{
    const uint64_t fresh = 12345, old = 3;
    const mann_matrix m = { q, 1, mni_bare_dim(ix), 0 };
    if (mni_bare_add(ix, &fresh, m, NULL, NULL) == MANN_OK)
        PROMISE(mni_bare_remove(ix, &old, 1, NULL, NULL) == MANN_OK);
    PROMISE(mni_bare_verify(ix, NULL) == MANN_OK);
    PROMISE(mni_bare_save(ix, v, "again.mann", NULL) == MANN_OK);
    return ask(ix, q, why);
}

static int open_and_use(const mni_vfs *v, const char **why)
{
    float q[MOST_DIM];
    mni_bare *ix;
    mann_error e = { MANN_OK, "" };
    const mann_status s = mni_bare_open(&ix, v, PATH, MANN_OPEN_WRITE, &e);
    PROMISE((s == MANN_OK) == (ix != NULL) && (s == MANN_OK || e.text[0]));
    if (!ix) return 0;
    int code = 1;
    for (uint32_t i = 0; i < MOST_DIM; i++) q[i] = (float)(i % 3) - 0.7f;
    if (mni_bare_dim(ix) <= MOST_DIM) {
        if (ask(ix, q, why) < 0) code = -1;
        else if (mni_bare_verify(ix, NULL) == MANN_OK && change(ix, v, q, why) < 0)
            code = -1;
    }
    mni_bare_free(ix);
    return code;
}

int ann_forged(const uint8_t *bytes, size_t n_bytes, const char **why)
{
    mni_vfs_mem *memory;
    int code = 0;
    *why = "";
    if (mni_vfs_mem_new(&memory, NULL) != MANN_OK) return 0;
    const mni_vfs *v = mni_vfs_mem_vfs(memory);
    if (forge_file(v, PATH, MNI_FILE_INDEX, bytes, n_bytes) == MANN_OK)
        code = open_and_use(v, why);
    mni_vfs_mem_free(memory);
    return code;
}

uint8_t *ann_unforge(const mni_bare *ix, size_t *n_bytes)
{
    mni_vfs_mem *memory;
    uint8_t *list = NULL;
    *n_bytes = 0;
    if (mni_vfs_mem_new(&memory, NULL) != MANN_OK) return NULL;
    const mni_vfs *v = mni_vfs_mem_vfs(memory);
    if (mni_bare_save(ix, v, PATH, NULL) == MANN_OK) list = forge_list(v, PATH, n_bytes);
    mni_vfs_mem_free(memory);
    return list;
}
