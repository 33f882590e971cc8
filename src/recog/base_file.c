/* base_file.c - the gallery's file as a set of views. See state.h; the sections are
 * listed in src/recog/README.md. Counts are checked against section lengths here; numbers
 * inside bulk arrays (classes, offsets, rows) are range-checked where they are followed.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "kern/crc32c.h"
#include "os/pages.h"
#include "recog/meta.h"
#include "recog/state.h"
#include "recog/views.h"
#include "recog/thumbs.h"
#include "store/disk.h"

enum { META_CRC = MNI_META_BYTES - 4 };

void mni_meta_encode(const mni_meta *m, uint8_t out[MNI_META_BYTES])
{
    uint32_t bits;
    memset(out, 0, MNI_META_BYTES);
    mni_put32(out, m->metric);
    mni_put32(out + 4, m->dim);
    mni_put32(out + 8, m->store);
    mni_put32(out + 12, m->n_classes);
    mni_put32(out + 16, m->n_live_classes);
    mni_put32(out + 20, m->embedded_model);
    mni_put64(out + 24, m->n_rows);
    mni_put64(out + 32, m->next_id);
    mni_put64(out + 40, m->fingerprint);
    mni_put64(out + 48, m->stamp);
    mni_put64(out + 56, m->seed);
    mni_put32(out + 64, m->n_calibrated_rows);
    memcpy(&bits, &m->false_accept, sizeof bits);
    mni_put32(out + 68, bits);
    mni_put64(out + 72, m->heap_bytes);
    mni_put64(out + 80, m->names_bytes);
    mni_put64(out + 88, m->generation);
    memcpy(out + 96, m->uuid.bytes, sizeof m->uuid.bytes);
    mni_put32(out + 108, m->views);
    mni_put32(out + META_CRC, mni_crc32c(0, out, META_CRC));
}

int mni_meta_sound(const uint8_t p[MNI_META_BYTES])
{
    return mni_get32(p + META_CRC) == mni_crc32c(0, p, META_CRC);
}

mann_status mni_meta_decode(mni_meta *m, const uint8_t *p, const char *name,
                            mann_error *err)
{
    uint32_t bits = mni_get32(p + 68);
    *m = (mni_meta){
        .metric = mni_get32(p), .dim = mni_get32(p + 4), .store = mni_get32(p + 8),
        .n_classes = mni_get32(p + 12), .n_live_classes = mni_get32(p + 16),
        .embedded_model = mni_get32(p + 20), .n_rows = mni_get64(p + 24),
        .next_id = mni_get64(p + 32), .fingerprint = mni_get64(p + 40),
        .stamp = mni_get64(p + 48), .seed = mni_get64(p + 56),
        .n_calibrated_rows = mni_get32(p + 64), .heap_bytes = mni_get64(p + 72),
        .names_bytes = mni_get64(p + 80), .generation = mni_get64(p + 88),
    };
    memcpy(m->uuid.bytes, p + 96, sizeof m->uuid.bytes);
    memcpy(&m->false_accept, &bits, sizeof bits);
    m->views = mni_get32(p + 108);
    if (m->views > MNI_ALL_VIEWS)
        return mni_fail(err, MANN_E_VERSION,
                        "%s: looks at photos in ways (%u) that this program does not "
                        "know", name, (unsigned)m->views);
    if (m->metric < MANN_L2 || m->metric > MANN_COSINE)
        return mni_fail(err, MANN_E_FORMAT, "%s: metric %u is not one of 1..3", name,
                        (unsigned)m->metric);
    if (m->dim == 0 || m->dim > MNI_MAX_DIM)
        return mni_fail(err, MANN_E_FORMAT, "%s: %u dimensions, wanted 1..%u", name,
                        (unsigned)m->dim, (unsigned)MNI_MAX_DIM);
    if (m->store < MANN_STORE_F32 || m->store > MANN_STORE_INT8)
        return mni_fail(err, MANN_E_FORMAT, "%s: storage %u is not one of 1..3", name,
                        (unsigned)m->store);
    if (m->n_rows > MNI_MAX_ROWS || m->n_classes > MNI_MAX_ROWS ||
        m->n_live_classes > m->n_classes)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: %llu rows and %u classes (%u live) cannot be", name,
                        (unsigned long long)m->n_rows, (unsigned)m->n_classes,
                        (unsigned)m->n_live_classes);
    if (!(m->false_accept > 0 && m->false_accept < 1))
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: the stated false-accept rate is not in (0, 1)", name);
    return MANN_OK;
}

uint32_t mni_record_crc(const uint8_t *record, const void *vector, size_t n_bytes,
                        const float *scale)
{
    uint32_t crc = mni_crc32c(0, record, MNI_RECORD_CRC);
    crc = mni_crc32c(crc, vector, n_bytes);
    return scale ? mni_crc32c(crc, scale, sizeof *scale) : crc;
}

uint32_t mni_text_crc(uint64_t number, const char *text, size_t n_bytes)
{
    uint8_t head[8];
    mni_put64(head, number);
    return mni_crc32c(mni_crc32c(0, head, sizeof head), text, n_bytes);
}

mni_dtype mni_store_dtype(uint32_t store)
{
    return store == MANN_STORE_F16    ? MNI_F16
           : store == MANN_STORE_INT8 ? MNI_I8
                                      : MNI_F32;
}

/* Each begins at the first aligned place behind the one before (store/README.md). */
uint32_t mni_meta_places(const mni_meta *m, mni_placed out[MNI_MOST_PLACES])
{
    const uint64_t n = m->n_rows, c = m->n_classes;
    const mni_dtype dtype = mni_store_dtype(m->store);
    const mni_placed all[] = {
        { "META", MNI_BYTES, MNI_ALIGN_SECTION, 0, MNI_META_BYTES },
        { "RECS", MNI_BYTES, MNI_ALIGN_PAGE, 0, n * MNI_RECORD_BYTES },
        { "HEAP", MNI_BYTES, MNI_ALIGN_SECTION, 0, m->heap_bytes },
        { "NMOF", MNI_U64, MNI_ALIGN_SECTION, 0, 8 * (c + 1) },
        { "NMHP", MNI_BYTES, MNI_ALIGN_SECTION, 0, m->names_bytes },
        { "NMCK", MNI_U32, MNI_ALIGN_SECTION, 0, 4 * c },
        { "VSCL", MNI_F32, MNI_ALIGN_SECTION, 0, 4 * n },
        { "VECS", dtype, MNI_ALIGN_PAGE, 0, n * m->dim * mni_dtype_bytes(dtype) },
    };
    uint64_t end = sizeof(mni_disk_header);
    uint32_t n_out = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (dtype != MNI_I8 && strcmp(all[i].tag, "VSCL") == 0) continue;
        out[n_out] = all[i];
        out[n_out].at = mni_disk_round(end, all[i].align);
        end = out[n_out].at + all[i].n_bytes;
        n_out++;
    }
    return n_out;
}

static mann_status view_u32(const mni_reader *r, const char tag[4], uint64_t n,
                            const uint32_t **out, mann_error *err)
{
    mni_section s;
    MNI_TRY(mni_reader_need(r, tag, MNI_U32, n, &s, err));
    *out = s.data;
    return MANN_OK;
}

mann_status mni_base_view_vectors(mni_base *b, mann_error *err)
{
    mni_section s;
    mni_dtype dtype = mni_store_dtype(b->meta.store);
    MNI_TRY(
        mni_reader_need(b->reader, "VECS", dtype, b->meta.n_rows * b->meta.dim, &s, err));
    b->rows = (mni_rows){ .data = s.data,
                          .n = (uint32_t)b->meta.n_rows,
                          .dim = b->meta.dim,
                          .dtype = dtype,
                          .metric = (mann_metric)b->meta.metric };
    if (dtype != MNI_I8) return MANN_OK;
    MNI_TRY(mni_reader_need(b->reader, "VSCL", MNI_F32, b->meta.n_rows, &s, err));
    b->rows.scale = s.data;
    return MANN_OK;
}

static mann_status view_sections(mni_base *b, mann_error *err)
{
    const mni_reader *r = b->reader;
    mni_section s;
    MNI_TRY(mni_reader_need(r, "META", MNI_BYTES, MNI_META_BYTES, &s, err));
    MNI_TRY(mni_meta_decode(&b->meta, s.data, mni_reader_name(r), err));
    uint64_t n = b->meta.n_rows, c = b->meta.n_classes;
    MNI_TRY(mni_reader_need(r, "RECS", MNI_BYTES, n * MNI_RECORD_BYTES, &s, err));
    b->records = s.data;
    MNI_TRY(mni_reader_need(r, "HEAP", MNI_BYTES, UINT64_MAX, &b->heap, err));
    MNI_TRY(mni_reader_need(r, "NMOF", MNI_U64, c + 1, &s, err));
    b->name_at = s.data;
    MNI_TRY(mni_reader_need(r, "NMHP", MNI_BYTES, UINT64_MAX, &b->name_heap, err));
    MNI_TRY(view_u32(r, "NMIX", c, &b->by_name, err));
    MNI_TRY(view_u32(r, "IDIX", n, &b->by_id, err));
    if (mni_reader_find(r, "KYIX", &s)) {               /* none: no record has a key */
        if (s.count > n)
            return mni_fail(err, MANN_E_FORMAT, "%s: %llu keys for %llu records",
                            mni_reader_name(r), (unsigned long long)s.count,
                            (unsigned long long)n);
        MNI_TRY(view_u32(r, "KYIX", s.count, &b->by_key, err));
        b->n_keys = (uint32_t)s.count;
    }
    MNI_TRY(view_u32(r, "CLOF", c + 1, &b->class_at, err));
    MNI_TRY(view_u32(r, "CLRW", n, &b->class_rows, err));
    MNI_TRY(mni_base_view_vectors(b, err));
    mni_reader_find(r, "MODL", &b->model);
    mni_reader_find(r, "ROOT", &b->roots);
    MNI_TRY(mni_thumbs_open(b, err));
    if (mni_reader_find(r, MNI_CALIB_TAG, &s))
        MNI_TRY(mni_calib_decode(&b->calib, s.data, (size_t)s.n_bytes, err));
    return mni_ann_open(&b->ann, r, &b->rows, err);
}

/* A walk over a graph touches a page here and one there, and so do the records of what
 * was found; everything else reads long runs. */
static void announce(const mni_base *b)
{
    const char *knob = mni_ann_knob_name(b->ann);
    if (!knob || strcmp(knob, "ef") != 0)
        mni_reader_in_turn(b->reader);
    else if (b->rows.dtype != MNI_I8)       /* those are walked themselves */
        mni_pages_in_turn(b->rows.data, (size_t)b->rows.n * b->rows.dim *
                                            mni_dtype_bytes(b->rows.dtype));
}

mann_status mni_base_open(mni_base **out, const mni_vfs *v, const char *path,
                          unsigned flags, mann_error *err)
{
    *out = NULL;
    mni_base *b = mni_alloc(1, sizeof *b);
    if (!b) return mni_fail(err, MANN_E_NOMEM, "%s: gallery", path);
    atomic_init(&b->refs, 1);
    mann_status s =
        mni_reader_open(&b->reader, v, path, flags | MNI_READ_SCATTERED, err);
    if (s == MANN_OK && mni_reader_kind(b->reader) != MNI_FILE_GALLERY)
        s = mni_fail(err, MANN_E_MISMATCH, "%s: is a MetricANN file, but not a gallery",
                     path);
    if (s == MANN_OK) s = view_sections(b, err);
    if (s != MANN_OK) { mni_base_release(b); return s; }
    announce(b);
    *out = b;
    return MANN_OK;
}

void mni_base_release(mni_base *b)
{
    if (!b || atomic_fetch_sub(&b->refs, 1) != 1) return;
    mni_ann_free(b->ann);
    for (size_t i = 0; i < sizeof b->mended / sizeof *b->mended; i++)
        mni_free(b->mended[i]);
    mni_reader_free(b->reader);
    mni_free(b);
}
