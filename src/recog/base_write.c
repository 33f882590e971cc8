/* base_write.c - a gallery's file, front to back, in an order that a damaged one can be
 * read by.
 *
 *   header | META | RECS HEAP NMOF NMHP NMCK VSCL VECS | maps, index, ... | MET2 | table
 *            \_____ what nothing else can tell ______/  \_ follows from it _/
 *
 * META says how many there are of everything, so the places of what stands before the
 * maps follow from it alone (mni_meta_places): a file that was cut, or that has lost its
 * table, is still read up to where it ends (mend.c). MET2 is META once more, far from it.
 * Every record vouches for its vector, its path and its name by a checksum of its own.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "kern/crc32c.h"
#include "os/huge.h"
#include "recog/derived.h"
#include "recog/meta.h"
#include "recog/thumbs.h"

/* What META counts, and therefore is made before the first byte is written. */
typedef struct made {
    uint8_t *records;                   /* n x MNI_RECORD_BYTES */
    mni_name_key *names;                /* by number */
    uint32_t *class_at, *class_rows;
} made;

static void made_fini(made *w)
{
    mni_free(w->records);
    mni_free(w->names);
    mni_free(w->class_at);
    mni_free(w->class_rows);
}

static mann_status no_memory(mann_error *err)
{
    return mni_fail(err, MANN_E_NOMEM, "gallery: not enough memory to write it anew");
}

/* --- what is made first ------------------------------------------------------------- */

static mann_status make_records(made *w, mni_base_plan *p, mann_error *err)
{
    const size_t row_bytes = p->view.dim * mni_dtype_bytes(p->view.dtype);
    uint64_t at = 0;
    w->records = mni_alloc((size_t)p->n + 1, MNI_RECORD_BYTES);
    if (!w->records) return no_memory(err);
    mni_huge_advise(w->records, (size_t)p->n * MNI_RECORD_BYTES);
    p->meta.stamp = mni_mix64(p->n + 1);
    for (uint32_t i = 0; i < p->n; i++) {
        uint8_t *out = w->records + (size_t)i * MNI_RECORD_BYTES;
        mni_record r;
        mni_state_record(p->state, p->rows[i], &r);
        mni_put64(out, r.id);
        mni_put64(out + 8, r.content_hash);
        mni_put64(out + 16, r.time);
        mni_put64(out + 24, at);
        mni_put32(out + 32, r.source_chars);
        mni_put32(out + 36, r.key_chars);
        mni_put32(out + 40, p->klass[i]);
        mni_put32(out + MNI_RECORD_CRC,
                  mni_record_crc(out, mni_base_code(p, i, row_bytes), row_bytes,
                                 p->scales ? &p->scales[i] : NULL));
        const uint64_t n_text = (uint64_t)r.source_chars + r.key_chars;
        at += n_text + (n_text ? MNI_TEXT_CRC : 0);
        p->n_keys += r.key_chars != 0;
        p->meta.stamp = mni_hash_bytes(out, MNI_RECORD_BYTES, p->meta.stamp);
        p->meta.stamp = mni_hash_bytes(r.source, r.source_chars, p->meta.stamp);
        p->meta.stamp = mni_hash_bytes(r.key, r.key_chars, p->meta.stamp);
    }
    p->meta.heap_bytes = at;
    return MANN_OK;
}

static mann_status make_names(made *w, mni_base_plan *p, mann_error *err)
{
    const uint32_t n = p->meta.n_classes;
    w->names = mni_alloc((size_t)n + 1, sizeof *w->names);
    if (!w->names) return no_memory(err);
    p->meta.names_bytes = 0;
    for (uint32_t k = 0; k < n; k++) {
        w->names[k].number = k;
        w->names[k].chars = mni_state_name(p->state, k, &w->names[k].n_chars);
        p->meta.names_bytes += w->names[k].n_chars;
    }
    return MANN_OK;
}

static uint32_t klass_of(const void *ctx, uint32_t row)
{
    const mni_base_plan *p = ctx;
    return p->klass[row];
}

static mann_status make_classes(made *w, mni_base_plan *p, mann_error *err)
{
    const uint32_t c = p->meta.n_classes;
    w->class_at = mni_alloc((size_t)c + 2, sizeof *w->class_at);
    w->class_rows = mni_alloc((size_t)p->n + 1, sizeof *w->class_rows);
    if (!w->class_at || !w->class_rows) return no_memory(err);
    p->meta.n_live_classes =
        mni_sort_classes(w->class_at, w->class_rows, p->n, c, klass_of, p);
    return MANN_OK;
}

/* --- sections ----------------------------------------------------------------------- */

static void write_meta(const mni_meta *m, mni_writer *w, const char tag[4])
{
    uint8_t meta[MNI_META_BYTES];
    mni_meta_encode(m, meta);
    mni_writer_section(w, tag, MNI_BYTES, MNI_ALIGN_SECTION, meta, sizeof meta);
}

/* RECS, and HEAP: of each record path, key and the checksum of both. */
static void write_records(const made *m, const mni_base_plan *p, mni_writer *w)
{
    mni_writer_section(w, "RECS", MNI_BYTES, MNI_ALIGN_PAGE, m->records,
                       (size_t)p->n * MNI_RECORD_BYTES);
    mni_writer_begin(w, "HEAP", MNI_BYTES, MNI_ALIGN_SECTION);
    for (uint32_t i = 0; i < p->n; i++) {
        uint8_t crc[MNI_TEXT_CRC];
        mni_record r;
        mni_state_record(p->state, p->rows[i], &r);
        if (!r.source_chars && !r.key_chars) continue;
        mni_put32(crc, mni_crc32c(mni_text_crc(r.id, r.source, r.source_chars), r.key,
                                  r.key_chars));
        mni_writer_put(w, r.source, r.source_chars);
        mni_writer_put(w, r.key, r.key_chars);
        mni_writer_put(w, crc, sizeof crc);
    }
    mni_writer_end(w);
}

static void write_names(const made *m, const mni_base_plan *p, mni_writer *w)
{
    const uint32_t n = p->meta.n_classes;
    uint64_t at = 0;
    mni_writer_begin(w, "NMOF", MNI_U64, MNI_ALIGN_SECTION);
    mni_writer_put(w, &at, sizeof at);
    for (uint32_t k = 0; k < n; k++) {
        at += m->names[k].n_chars;
        mni_writer_put(w, &at, sizeof at);
    }
    mni_writer_end(w);
    mni_writer_begin(w, "NMHP", MNI_BYTES, MNI_ALIGN_SECTION);
    for (uint32_t k = 0; k < n; k++)
        mni_writer_put(w, m->names[k].chars, m->names[k].n_chars);
    mni_writer_end(w);
    mni_writer_begin(w, "NMCK", MNI_U32, MNI_ALIGN_SECTION);
    for (uint32_t k = 0; k < n; k++) {
        const uint32_t crc = mni_text_crc(k, m->names[k].chars, m->names[k].n_chars);
        mni_writer_put(w, &crc, sizeof crc);
    }
    mni_writer_end(w);
}

/* Numbers in order of names, of ids, of classes. Sorts `m->names`. */
static mann_status write_maps(made *m, const mni_base_plan *p, mni_writer *w,
                              mann_error *err)
{
    const uint32_t c = p->meta.n_classes;
    mni_sort_names(m->names, c);
    mni_writer_begin(w, "NMIX", MNI_U32, MNI_ALIGN_SECTION);
    for (uint32_t k = 0; k < c; k++)
        mni_writer_put(w, &m->names[k].number, sizeof m->names[k].number);
    mni_writer_end(w);
    mni_id_key *ids = mni_alloc((size_t)p->n + 1, sizeof *ids);
    if (!ids) return no_memory(err);
    for (uint32_t i = 0; i < p->n; i++)
        ids[i] = (mni_id_key){ mni_state_id(p->state, p->rows[i]), i };
    mni_sort_ids(ids, p->n);
    mni_writer_begin(w, "IDIX", MNI_U32, MNI_ALIGN_SECTION);
    for (uint32_t i = 0; i < p->n; i++) mni_writer_put(w, &ids[i].row, sizeof ids[i].row);
    mni_writer_end(w);
    mni_free(ids);
    mni_writer_section(w, "CLOF", MNI_U32, MNI_ALIGN_SECTION, m->class_at,
                       ((size_t)c + 1) * sizeof *m->class_at);
    mni_writer_section(w, "CLRW", MNI_U32, MNI_ALIGN_SECTION, m->class_rows,
                       (size_t)p->n * sizeof *m->class_rows);
    return MANN_OK;
}

/* Nothing at all for galleries without keys, which most are. */
static mann_status write_keys(const mni_base_plan *p, mni_writer *w, mann_error *err)
{
    uint32_t n = 0;
    if (!p->n_keys) return MANN_OK;
    mni_name_key *keys = mni_alloc(p->n_keys, sizeof *keys);
    if (!keys) return no_memory(err);
    for (uint32_t i = 0; i < p->n; i++) {
        mni_record r;
        mni_state_record(p->state, p->rows[i], &r);
        if (r.key_chars) keys[n++] = (mni_name_key){ r.key, r.key_chars, i };
    }
    mni_sort_names(keys, n);
    mni_writer_begin(w, "KYIX", MNI_U32, MNI_ALIGN_SECTION);
    for (uint32_t i = 0; i < n; i++)
        mni_writer_put(w, &keys[i].number, sizeof keys[i].number);
    mni_writer_end(w);
    mni_free(keys);
    return MANN_OK;
}

static mann_status write_extras(mni_gallery *g, const mni_base_plan *p, mni_writer *w,
                                mann_error *err)
{
    const mni_base *old = p->state->base;
    mni_ann_write(p->ann, w);
    if (p->calib.n_sizes) {
        uint8_t *bytes = mni_alloc(mni_calib_bytes(), 1);
        if (!bytes) return no_memory(err);
        mni_calib_encode(&p->calib, bytes);
        mni_writer_section(w, MNI_CALIB_TAG, MNI_BYTES, MNI_ALIGN_SECTION, bytes,
                           mni_calib_bytes());
        mni_free(bytes);
    }
    if (old->model.n_bytes)
        mni_writer_section(w, "MODL", MNI_BYTES, MNI_ALIGN_PAGE, old->model.data,
                           (size_t)old->model.n_bytes);
    mni_roots roots;
    MNI_TRY(mni_gallery_copy_roots(g, &roots, err));
    mni_writer_begin(w, "ROOT", MNI_BYTES, MNI_ALIGN_SECTION);
    for (uint32_t i = 0; i < roots.n; i++)
        mni_writer_put(w, roots.path[i], strlen(roots.path[i]) + 1);
    mni_writer_end(w);
    mni_roots_fini(&roots);
    return MANN_OK;
}

/* Rows that lie one behind the other in the old file go in one piece. */
static void write_vectors(const mni_base_plan *p, mni_writer *w, size_t row_bytes)
{
    mni_writer_begin(w, "VECS", p->view.dtype, MNI_ALIGN_PAGE);
    for (uint32_t i = 0, end; i < p->n; i = end) {
        const uint8_t *from = mni_base_code(p, i, row_bytes);
        for (end = i + 1; end < p->n; end++)
            if (mni_base_code(p, end, row_bytes) != from + (end - i) * row_bytes) break;
        mni_writer_put(w, from, (end - i) * row_bytes);
    }
    mni_writer_end(w);
}

/* The order of those up to VECS is part of the format: see mni_meta_places. */
static mann_status write_sections(mni_gallery *g, made *m, mni_base_plan *p,
                                  mni_writer *w, mann_error *err)
{
    const size_t row_bytes = p->view.dim * mni_dtype_bytes(p->view.dtype);
    MNI_TRY(make_records(m, p, err));
    MNI_TRY(make_names(m, p, err));
    MNI_TRY(make_classes(m, p, err));
    write_meta(&p->meta, w, "META");
    write_records(m, p, w);
    write_names(m, p, w);
    if (p->scales)
        mni_writer_section(w, "VSCL", MNI_F32, MNI_ALIGN_SECTION, p->scales,
                           p->n * sizeof *p->scales);
    write_vectors(p, w, row_bytes);
    MNI_TRY(write_maps(m, p, w, err));
    MNI_TRY(write_keys(p, w, err));
    MNI_TRY(write_extras(g, p, w, err));
    MNI_TRY(mni_thumbs_write(p, w, err));
    write_meta(&p->meta, w, "MET2");
    return MANN_OK;
}

mann_status mni_base_write(mni_gallery *g, mni_base_plan *p, const char *path,
                           mann_error *err)
{
    const mni_reader *r = p->state->base->reader;
    made m = { .records = NULL };
    mni_writer *w;
    p->meta.uuid = mni_reader_uuid(r);
    p->meta.generation = mni_reader_generation(r) + 1;
    MNI_TRY(mni_writer_new(&w, g->vfs, path, MNI_FILE_GALLERY, p->meta.uuid,
                           p->meta.generation, err));
    mann_status s = write_sections(g, &m, p, w, err);
    if (s == MANN_OK) s = mni_writer_finish(w, err);
    else mni_writer_abort(w);
    made_fini(&m);
    return s;
}

/* --- empty -------------------------------------------------------------------------- */

static mann_status write_model(mni_writer *w, const mni_model *m, mann_error *err)
{
    mni_buf buf = { 0 };
    mni_writer *inner;
    mann_status s = mni_writer_new_buf(
        &inner, &buf, MNI_FILE_MODEL, mni_uuid_from(0, mni_model_fingerprint(m)), 0, err);
    if (s == MANN_OK) {
        mni_model_write(m, inner);
        s = mni_writer_finish(inner, err);
    }
    if (s == MANN_OK)
        mni_writer_section(w, "MODL", MNI_BYTES, MNI_ALIGN_PAGE, buf.bytes, buf.n_bytes);
    mni_buf_fini(&buf);
    return s;
}

static mann_status write_nothing(mni_writer *w, const mni_meta *m,
                                 const mann_gallery_config *c, mann_error *err)
{
    static const uint64_t zero[1];
    static const struct { char tag[5]; mni_dtype dtype; size_t n_bytes; } maps[] = {
        { "NMIX", MNI_U32, 0 }, { "IDIX", MNI_U32, 0 }, { "CLOF", MNI_U32, 4 },
        { "CLRW", MNI_U32, 0 }, { "ROOT", MNI_BYTES, 0 },
    };
    mni_placed must[MNI_MOST_PLACES];
    const uint32_t n_must = mni_meta_places(m, must);
    write_meta(m, w, "META");
    for (uint32_t i = 1; i < n_must; i++)
        mni_writer_section(w, must[i].tag, must[i].dtype, must[i].align, zero,
                           (size_t)must[i].n_bytes);
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++)
        mni_writer_section(w, maps[i].tag, maps[i].dtype, MNI_ALIGN_SECTION, zero,
                           maps[i].n_bytes);
    if (c->model && c->embed_model) MNI_TRY(write_model(w, c->model, err));
    write_meta(m, w, "MET2");
    return MANN_OK;
}

mann_status mni_base_write_empty(const mni_vfs *v, const char *path, mni_meta *m,
                                 const mann_gallery_config *c, mann_error *err)
{
    mni_writer *w;
    MNI_TRY(mni_writer_new(&w, v, path, MNI_FILE_GALLERY, m->uuid, m->generation, err));
    const mann_status s = write_nothing(w, m, c, err);
    if (s == MANN_OK) return mni_writer_finish(w, err);
    mni_writer_abort(w);
    return s;
}
