/* verify.c - every byte and every number of a gallery, checked against what it must be.
 *
 * The checksums say that the file is what was written; the rest says that what was
 * written makes sense: sorted maps are sorted, every class and row number exists, every
 * vector is finite and (cosine) of unit length, ids are unique, the index is sound.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "recog/thumbs.h"

static mann_status bad_row(const mni_gallery *g, uint32_t row, const char *what,
                           mann_error *err)
{
    return mni_fail(err, MANN_E_FORMAT, "%s: record %u: %s", g->path, (unsigned)row,
                    what);
}

static mann_status check_records(const mni_gallery *g, const mni_base *b, mann_error *err)
{
    for (uint32_t row = 0; row < b->rows.n; row++) {
        const uint8_t *p = b->records + (size_t)row * MNI_RECORD_BYTES;
        uint32_t klass = mni_get32(p + 40);
        if (klass != MANN_NO_CLASS && klass >= b->meta.n_classes)
            return bad_row(g, row, "its class does not exist", err);
        if (!mni_span_fits(mni_get64(p + 24),
                           (uint64_t)mni_get32(p + 32) + mni_get32(p + 36), 1,
                           b->heap.n_bytes))
            return bad_row(g, row, "its path lies outside the heap", err);
        if (mni_get64(p) >= b->meta.next_id)
            return bad_row(g, row, "its id was never given", err);
    }
    return MANN_OK;
}

static mann_status check_ids(const mni_gallery *g, const mni_base *b, mann_error *err)
{
    uint64_t before = 0;
    for (uint32_t i = 0; i < b->rows.n; i++) {
        if (b->by_id[i] >= b->rows.n)
            return bad_row(g, i, "the map of ids leads outside", err);
        uint64_t id = mni_get64(b->records + (size_t)b->by_id[i] * MNI_RECORD_BYTES);
        if (i && id <= before)
            return bad_row(g, b->by_id[i], "its id stands twice or out of order", err);
        before = id;
    }
    return MANN_OK;
}

static mann_status check_classes(const mni_gallery *g, const mni_base *b, mann_error *err)
{
    uint32_t n = b->meta.n_classes, live = 0, before = 0;
    for (uint32_t k = 0; k < n; k++) {
        if (b->name_at[k] > b->name_at[k + 1] ||
            b->name_at[k + 1] > b->name_heap.n_bytes || b->by_name[k] >= n ||
            b->class_at[k] > b->class_at[k + 1] || b->class_at[k + 1] > b->rows.n)
            return mni_fail(err, MANN_E_FORMAT,
                            "%s: class %u: its name or rows lie outside", g->path,
                            (unsigned)k);
        live += b->class_at[k + 1] > b->class_at[k];
        for (uint32_t i = b->class_at[k]; i < b->class_at[k + 1]; i++) {
            uint32_t row = b->class_rows[i];
            if (row >= b->rows.n ||
                mni_get32(b->records + (size_t)row * MNI_RECORD_BYTES + 40) != k ||
                (i > b->class_at[k] && row <= before))
                return mni_fail(err, MANN_E_FORMAT,
                                "%s: class %u: its list of rows is wrong", g->path,
                                (unsigned)k);
            before = row;
        }
    }
    if (live != b->meta.n_live_classes)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: %u classes have rows, the header says %u", g->path,
                        (unsigned)live, (unsigned)b->meta.n_live_classes);
    return MANN_OK;
}

static mann_status check_vectors(const mni_gallery *g, const mni_state *s,
                                 mann_error *err)
{
    uint32_t dim = s->base->meta.dim;
    float *v = mni_alloc(dim, sizeof *v);
    mann_status status = v ? MANN_OK : mni_fail(err, MANN_E_NOMEM, "%s: a row", g->path);
    for (uint32_t row = 0; status == MANN_OK && row < mni_state_rows(s); row++) {
        double squares = 0;
        mni_state_vector(s, row, v);
        for (uint32_t i = 0; i < dim; i++) squares += (double)v[i] * (double)v[i];
        if (!isfinite(squares)) status = bad_row(g, row, "its vector is not finite", err);
        else if (s->base->meta.metric == MANN_COSINE &&
                 fabs(squares - 1) > MNI_UNIT_BOUND)
            status = bad_row(g, row, "its vector is not of unit length", err);
    }
    mni_free(v);
    return status;
}

static void tell(const mann_hooks *h, const char *what, mann_status s)
{
    char sentence[128];
    if (!h || !h->note) return;
    snprintf(sentence, sizeof sentence, "%-32s %s", what, s == MANN_OK ? "ok" : "FAILED");
    h->note(h->user, s == MANN_OK ? MANN_NOTE_INFO : MANN_NOTE_WARNING, sentence);
}

mann_status mni_gallery_verify(mni_gallery *g, const mann_hooks *h, mann_error *err)
{
    mni_state *s = mni_gallery_state(g);
    const mni_base *b = s->base;
    mann_status status = mni_reader_verify(b->reader, err);
    tell(h, "checksums of every section", status);
    if (status == MANN_OK) tell(h, "records", status = check_records(g, b, err));
    if (status == MANN_OK) tell(h, "map of ids", status = check_ids(g, b, err));
    if (status == MANN_OK) status = mni_base_check_keys(g, s, err);
    if (b->n_keys) tell(h, "keys", status);
    if (status == MANN_OK)
        tell(h, "classes and their names", status = check_classes(g, b, err));
    if (status == MANN_OK) status = mni_thumbs_check(b, err);
    if (b->thumb_index.n_bytes) tell(h, "thumbnails", status);
    if (status == MANN_OK) tell(h, "vectors", status = check_vectors(g, s, err));
    if (status == MANN_OK)
        tell(h, "index", status = mni_ann_check(b->ann, &b->rows, err));
    mni_state_release(s);
    return status;
}
