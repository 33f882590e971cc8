/* bare_file.c - a bare index as a file: a container of kind MNI_FILE_INDEX with the
 * sections
 *
 *     "BARE"  bytes     u32 metric, u32 dim, u32 n rows, u32 flags (1: the
 *                       structure learned from a sample), u64 next id, u64 seed
 *     "IDS "  u64       n, unique, none of them 2^64-1
 *     "ROWS"  f32       n x dim, prepared (unit length for cosine); page-aligned
 *     "ANNK"  bytes     the spec ("Flat"), followed by the sections of that kind
 *
 * Opening checks counts against sections and touches neither rows nor ids. A damaged
 * vector gives a distance of infinity, never a crash; ids that are not unique are found
 * when the map is made. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "index/bare_parts.h"

enum { HEAD_BYTES = 32 };

mann_status mni_bare_save(const mni_bare *ix, const mni_vfs *v, const char *path,
                          mann_error *err)
{
    const size_t ids_bytes = (size_t)ix->rows.n * sizeof(uint64_t);
    const size_t row_bytes = (size_t)ix->rows.n * ix->rows.dim * sizeof(float);
    uint8_t head[HEAD_BYTES] = { 0 };
    mni_put32(head, (uint32_t)ix->rows.metric);
    mni_put32(head + 4, ix->rows.dim);
    mni_put32(head + 8, ix->rows.n);
    mni_put32(head + 12, (uint32_t)ix->taught);
    mni_put64(head + 16, ix->next_id);
    mni_put64(head + 24, ix->seed);
    uint64_t hash = mni_hash_bytes(head, sizeof head, 0);
    hash = mni_hash_bytes(ix->ids ? (const void *)ix->ids : "", ids_bytes, hash);
    hash = mni_hash_bytes(ix->rows.data ? ix->rows.data : "", row_bytes, hash);

    mni_writer *w;
    MNI_TRY(mni_writer_new(&w, v, path, MNI_FILE_INDEX, mni_uuid_from(ix->seed, hash), 1,
                           err));
    mni_writer_section(w, "BARE", MNI_BYTES, MNI_ALIGN_SECTION, head, sizeof head);
    mni_writer_section(w, "IDS ", MNI_U64, MNI_ALIGN_SECTION,
                       ix->ids ? (const void *)ix->ids : "", ids_bytes);
    mni_writer_section(w, "ROWS", MNI_F32, MNI_ALIGN_PAGE,
                       ix->rows.data ? ix->rows.data : "", row_bytes);
    mni_ann_write(ix->ann, w);
    return mni_writer_finish(w, err);
}

/* The map of all ids; refuses doubles. */
static mann_status map_all(mni_idmap *map, const uint64_t *ids, uint32_t n,
                           mann_error *err)
{
    for (uint32_t row = 0; row < n; row++) {
        uint32_t other;
        if (ids[row] == MNI_NO_ID || mni_idmap_get(map, ids[row], &other))
            return mni_fail(err, MANN_E_FORMAT, "index: id %llu of row %lu is not unique",
                            (unsigned long long)ids[row], (unsigned long)row);
        if (!mni_idmap_put(map, ids[row], row))
            return mni_fail(err, MANN_E_NOMEM, "index: map of %lu ids", (unsigned long)n);
    }
    return MANN_OK;
}

mann_status mni_bare_own(mni_bare *ix, mann_error *err)
{
    if (ix->read_only)
        return mni_fail(err, MANN_E_READ_ONLY, "index: %s was opened for reading",
                        mni_reader_name(ix->reader));
    if (!ix->reader || ix->own_rows) return MANN_OK;
    mni_idmap map = { 0 };
    const size_t n = ix->rows.n, dim = ix->rows.dim;
    float *rows = mni_memdup(ix->rows.data, n * dim * sizeof *rows);
    uint64_t *ids = mni_memdup(ix->ids, n * sizeof *ids);
    mann_status s = rows && ids ? map_all(&map, ix->ids, ix->rows.n, err)
                                : mni_fail(err, MANN_E_NOMEM, "index: copy of %llu rows",
                                           (unsigned long long)n);
    for (size_t i = 0; s == MANN_OK && i < n; i++)
        if (ids[i] >= ix->next_id)
            s = mni_fail(err, MANN_E_FORMAT, "index: id %llu, but the next one is %llu",
                         (unsigned long long)ids[i], (unsigned long long)ix->next_id);
    if (s == MANN_OK) s = mni_ann_own(ix->ann, err);
    if (s != MANN_OK) {
        mni_free(rows);
        mni_free(ids);
        mni_idmap_fini(&map);
        return s;
    }
    /* The reader stays: the structure may hold views of it. */
    ix->rows.data = ix->own_rows = rows;
    ix->ids = ix->own_ids = ids;
    ix->cap_rows = n;
    ix->map = map;
    return MANN_OK;
}

static mann_status read_sections(mni_bare *ix, mann_error *err)
{
    const mni_reader *r = ix->reader;
    mni_section head, ids, rows;
    if (mni_reader_kind(r) != MNI_FILE_INDEX)
        return mni_fail(err, MANN_E_FORMAT, "is a file of kind %d, wanted an index (%d)",
                        (int)mni_reader_kind(r), MNI_FILE_INDEX);
    MNI_TRY(mni_reader_need(r, "BARE", MNI_BYTES, HEAD_BYTES, &head, err));
    const uint8_t *at = head.data;
    ix->taught = (int)(mni_get32(at + 12) & 1);
    const uint32_t metric = mni_get32(at), dim = mni_get32(at + 4), n = mni_get32(at + 8);
    if (metric < MANN_L2 || metric > MANN_COSINE)
        return mni_fail(err, MANN_E_FORMAT, "metric %lu, wanted %d..%d",
                        (unsigned long)metric, MANN_L2, MANN_COSINE);
    if (dim == 0 || dim > MNI_BARE_MAX_DIM || n > MNI_BARE_MAX_ROWS)
        return mni_fail(err, MANN_E_FORMAT,
                        "%lu rows of %lu values, wanted at most %d of 1..%d",
                        (unsigned long)n, (unsigned long)dim, MNI_BARE_MAX_ROWS,
                        MNI_BARE_MAX_DIM);
    MNI_TRY(mni_reader_need(r, "IDS ", MNI_U64, n, &ids, err));
    MNI_TRY(mni_reader_need(r, "ROWS", MNI_F32, (uint64_t)n * dim, &rows, err));
    ix->rows = (mni_rows){ .data = rows.data, .n = n, .dim = dim, .dtype = MNI_F32,
                           .metric = (mann_metric)metric };
    ix->ids = ids.data;
    ix->next_id = mni_get64(at + 16);
    ix->seed = mni_get64(at + 24);
    return mni_ann_open(&ix->ann, r, &ix->rows, err);
}

mann_status mni_bare_verify(const mni_bare *ix, mann_error *err)
{
    mni_idmap map = { 0 };
    mann_status s = map_all(&map, ix->ids, ix->rows.n, err);
    mni_idmap_fini(&map);
    MNI_TRY(s);
    MNI_TRY(mni_rows_check(&ix->rows, err));
    return mni_ann_check(ix->ann, &ix->rows, err);
}

mann_status mni_bare_open(mni_bare **out, const mni_vfs *v, const char *path,
                          unsigned flags, mann_error *err)
{
    *out = NULL;
    mni_bare *ix = mni_alloc(1, sizeof *ix);
    if (!ix) return mni_fail(err, MANN_E_NOMEM, "%s: header of an index", path);
    mann_status s = mni_reader_open(&ix->reader, v, path,
                                    flags & MANN_OPEN_VERIFY ? MNI_READ_VERIFY : 0, err);
    if (s == MANN_OK) {
        s = read_sections(ix, err);
        if (s == MANN_OK && (flags & MANN_OPEN_VERIFY)) s = mni_bare_verify(ix, err);
        if (s != MANN_OK) mni_fail_prefix(err, s, "%s", path);
    }
    if (s != MANN_OK) {
        mni_bare_free(ix);
        return s;
    }
    ix->built_rows = ix->rows.n;
    ix->read_only = !(flags & MANN_OPEN_WRITE);
    *out = ix;
    return MANN_OK;
}
