/* mend.c - what can be saved of a damaged gallery.
 *
 * Every 64 KiB of every section have a checksum, and every record has one of its own. A
 * record counts as saved when either vouches for its entry in RECS and for its vector;
 * its path and its class name are saved or lost on their own. What is derived is not
 * looked at but made anew: maps of ids and names, lists of classes, the index.
 *
 *   lost chunk of            costs
 *   RECS VECS VSCL           the records in it whose own checksum does not fit
 *   HEAP                     the paths and keys whose own checksum does not fit (the
 *                            record has none then)
 *   NMOF NMHP                class names, likewise (lost-class-N from now on)
 *   NMIX IDIX KYIX CLOF CLRW nothing
 *   the index                nothing: it is built again
 *   MODL CALB ROOT           the model (its fingerprint stays), the calibration, folders
 *   META                     nothing: MET2 says the same
 *   header, table, the end   what stands behind the vectors, and the rows that were cut
 *                            off (salvage.c)
 *   META and MET2            everything: a snapshot is what helps
 *
 * The journal is replayed onto what was saved, as far as its own checksums go.
 * SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "recog/derived.h"
#include "recog/gallery.h"
#include "recog/salvage.h"
#include "recog/thumbs.h"
#include "store/disk.h"

typedef struct damage { uint8_t *bad; uint64_t n; } damage;

typedef struct mending {
    mni_base *b;
    mni_mended *m;
    damage records, vectors, scales, heap, name_at, names;
    mni_section recs, nmof, name_sums;
    size_t n_owned;
    const mni_salvaged *salvaged;       /* NULL: header and table are sound */
} mending;

/* --- which bytes are vouched for ---------------------------------------------------- */

static int sound(const damage *d, uint64_t at, uint64_t n_bytes)
{
    if (n_bytes == 0) return 1;
    for (uint64_t c = at / MNI_DISK_CHUNK; c <= (at + n_bytes - 1) / MNI_DISK_CHUNK; c++)
        if (c >= d->n || d->bad[c]) return 0;
    return 1;
}

static int all_sound(const damage *d)
{
    for (uint64_t c = 0; c < d->n; c++)
        if (d->bad[c]) return 0;
    return 1;
}

/* Is every byte of this section vouched for? An absent one is. */
static mann_status section_sound(const mni_reader *r, const char tag[4], int *yes,
                                 mann_error *err)
{
    mni_section s;
    damage d;
    *yes = 1;
    if (!mni_reader_find(r, tag, &s)) return MANN_OK;
    MNI_TRY(mni_reader_damage(r, tag, &d.bad, &d.n, err));
    *yes = all_sound(&d);
    mni_free(d.bad);
    return MANN_OK;
}

/* --- arrays that take the place of those in the file -------------------------------- */

static void *own(mending *w, size_t n, size_t size)
{
    void *p = mni_alloc(n + 1, size);
    if (p) w->b->mended[w->n_owned++] = p;
    return p;
}

static mann_status no_memory(const mending *w, mann_error *err)
{
    return mni_fail(err, MANN_E_NOMEM, "%s: not enough memory to repair it",
                    mni_reader_name(w->b->reader));
}

static mann_status new_dead(mending *w, mann_error *err)
{
    const size_t n_words = w->b->rows.n / 64 + 1;
    mni_dead *d = mni_alloc(1, sizeof *d + n_words * sizeof *d->words);
    if (!d) return no_memory(w, err);
    atomic_init(&d->refs, 1);
    d->n_bits = (uint32_t)(n_words * 64);
    w->m->dead = d;
    return MANN_OK;
}

/* The checksums of the chunks, or else the record's own: of a chunk that is damaged in
 * one place most records are sound. */
static int row_sound(const mending *w, uint32_t row)
{
    const mni_rows *r = &w->b->rows;
    const uint64_t bytes = (uint64_t)r->dim * mni_dtype_bytes(r->dtype);
    if (sound(&w->records, (uint64_t)row * MNI_RECORD_BYTES, MNI_RECORD_BYTES) &&
        sound(&w->vectors, row * bytes, bytes) &&
        (r->dtype != MNI_I8 || sound(&w->scales, 4 * (uint64_t)row, 4)))
        return 1;
    const uint8_t *record = w->recs.data;
    record += (size_t)row * MNI_RECORD_BYTES;
    const uint8_t *vector = (const uint8_t *)r->data + (size_t)row * bytes;
    return mni_get32(record + MNI_RECORD_CRC) ==
           mni_record_crc(record, vector, (size_t)bytes,
                          r->dtype == MNI_I8 ? &r->scale[row] : NULL);
}

/* Path and key of a record stand in HEAP one behind the other, then their checksum. */
static int texts_sound(const mending *w, const uint8_t *record)
{
    const mni_section *heap = &w->b->heap;
    const uint64_t at = mni_get64(record + 24),
                   n = (uint64_t)mni_get32(record + 32) + mni_get32(record + 36);
    if (!mni_span_fits(at, n, 1, heap->n_bytes)) return 0;
    if (sound(&w->heap, at, n)) return 1;
    const char *text = (const char *)heap->data + at;
    return mni_span_fits(at, n + MNI_TEXT_CRC, 1, heap->n_bytes) &&
           mni_get32((const uint8_t *)text + n) ==
               mni_text_crc(mni_get64(record), text, (size_t)n);
}

/* A checksum says that a record is as it was written, not that it makes sense: what
 * verify would refuse is not saved. `vector` has room for one. */
static int row_sensible(const mni_base *b, const uint8_t *p, uint32_t row, float *vector)
{
    const uint32_t klass = mni_get32(p + 40);
    double squares = 0;
    if ((klass != MANN_NO_CLASS && klass >= b->meta.n_classes) ||
        mni_get64(p) >= b->meta.next_id)
        return 0;
    mni_rows_get(&b->rows, row, vector);
    for (uint32_t i = 0; i < b->meta.dim; i++)
        squares += (double)vector[i] * (double)vector[i];
    return isfinite(squares) &&
           (b->meta.metric != MANN_COSINE || fabs(squares - 1) <= MNI_UNIT_BOUND);
}

static void bury(mending *w, uint32_t row)
{
    uint8_t *p = (uint8_t *)(uintptr_t)w->b->records + (size_t)row * MNI_RECORD_BYTES;
    memset(p, 0, MNI_RECORD_BYTES);
    mni_put64(p, UINT64_MAX);
    mni_put32(p + 40, MANN_NO_CLASS);
    w->m->dead->words[row / 64] |= UINT64_C(1) << row % 64;
    w->m->dead->n_dead++;
    w->m->rows_lost++;
}

/* A copy of RECS: lost records are dead and have no id, lost paths are empty. */
static mann_status mend_records(mending *w, mann_error *err)
{
    mni_base *b = w->b;
    const uint32_t n = b->rows.n;
    uint8_t *copy = own(w, n, MNI_RECORD_BYTES);
    if (!copy) return no_memory(w, err);
    if (n) memcpy(copy, w->recs.data, (size_t)n * MNI_RECORD_BYTES);
    b->records = copy;
    MNI_TRY(new_dead(w, err));
    float *vector = own(w, b->meta.dim, sizeof *vector);
    if (!vector) return no_memory(w, err);
    for (uint32_t row = 0; row < n; row++) {
        uint8_t *p = copy + (size_t)row * MNI_RECORD_BYTES;
        if (!row_sound(w, row) || !row_sensible(b, p, row, vector)) {
            bury(w, row);
            continue;
        }
        if (texts_sound(w, p)) continue;
        w->m->paths_lost += mni_get32(p + 32) != 0;
        w->m->keys_lost += mni_get32(p + 36) != 0;
        mni_put64(p + 24, 0);
        mni_put32(p + 32, 0);
        mni_put32(p + 36, 0);
    }
    return MANN_OK;
}

/* NMCK has a checksum of each name; the place it names is right if that is. */
static int name_sound(const mending *w, uint32_t k, uint64_t *from, uint64_t *n_bytes)
{
    const uint64_t *at = w->nmof.data;
    const mni_section *heap = &w->b->name_heap;
    *from = at[k];
    *n_bytes = at[k + 1] - at[k];
    if (at[k] > at[k + 1] || *n_bytes > MNI_MAX_NAME ||
        !mni_span_fits(*from, *n_bytes, 1, heap->n_bytes))
        return 0;
    if (sound(&w->name_at, 8 * (uint64_t)k, 16) && sound(&w->names, *from, *n_bytes))
        return 1;
    return k < w->name_sums.count &&
           ((const uint32_t *)w->name_sums.data)[k] ==
               mni_text_crc(k, (const char *)heap->data + *from, (size_t)*n_bytes);
}

static mann_status sort_names(mending *w, mann_error *err)
{
    mni_base *b = w->b;
    const uint32_t n = b->meta.n_classes;
    mni_name_key *names = mni_alloc((size_t)n + 1, sizeof *names);
    uint32_t *order = own(w, n, sizeof *order);
    if (!names || !order) { mni_free(names); return no_memory(w, err); }
    for (uint32_t k = 0; k < n; k++)
        names[k] = (mni_name_key){ (const char *)b->name_heap.data + b->name_at[k],
                                   (uint32_t)(b->name_at[k + 1] - b->name_at[k]), k };
    mni_sort_names(names, n);
    for (uint32_t k = 0; k < n; k++) order[k] = names[k].number;
    b->by_name = order;
    mni_free(names);
    return MANN_OK;
}

static mann_status mend_names(mending *w, mann_error *err)
{
    enum { LOST_BYTES = 40 };           /* "lost-class-4294967295-01234567" */
    char id[40];
    mni_base *b = w->b;
    const uint32_t n = b->meta.n_classes;
    uint64_t *at = own(w, (size_t)n + 1, sizeof *at), from = 0, n_bytes = 0, room = 0;
    if (!at) return no_memory(w, err);
    for (uint32_t k = 0; k < n; k++)
        room += name_sound(w, k, &from, &n_bytes) ? n_bytes : LOST_BYTES;
    char *heap = own(w, (size_t)room, 1);
    if (!heap) return no_memory(w, err);
    mni_uuid_text(mni_reader_uuid(b->reader), id);
    for (uint32_t k = 0; k < n; k++) {
        if (name_sound(w, k, &from, &n_bytes)) {
            memcpy(heap + at[k], (const char *)b->name_heap.data + from, (size_t)n_bytes);
        } else {
            char lost[LOST_BYTES];
            n_bytes = (uint64_t)snprintf(lost, sizeof lost, "lost-class-%u-%.8s",
                                         (unsigned)k, id);
            memcpy(heap + at[k], lost, (size_t)n_bytes);
            w->m->names_lost++;
        }
        at[k + 1] = at[k] + n_bytes;
    }
    b->name_heap = (mni_section){ heap, at[n], at[n], MNI_BYTES };
    b->name_at = at;
    return sort_names(w, err);
}

/* Rows in order of their ids. Those of lost records are found by nobody. */
static mann_status mend_ids(mending *w, mann_error *err)
{
    mni_base *b = w->b;
    const uint32_t n = b->rows.n;
    mni_id_key *all = mni_alloc((size_t)n + 1, sizeof *all);
    uint32_t *order = own(w, n, sizeof *order);
    if (!all || !order) { mni_free(all); return no_memory(w, err); }
    for (int twins = 1; twins;) {       /* an id has one record: the first */
        for (uint32_t i = 0; i < n; i++)
            all[i] = (mni_id_key){ mni_get64(b->records + (size_t)i * MNI_RECORD_BYTES),
                                   i };
        mni_sort_ids(all, n);
        twins = 0;
        for (uint32_t i = 1; i < n; i++) {
            if (all[i].id != all[i - 1].id || all[i].id == UINT64_MAX) continue;
            bury(w, all[i].row);
            twins = 1;
        }
    }
    for (uint32_t i = 0; i < n; i++) order[i] = all[i].row;
    b->by_id = order;
    mni_free(all);
    return MANN_OK;
}

static void forget_key(mending *w, uint32_t row)
{
    uint8_t *p = (uint8_t *)(uintptr_t)w->b->records + (size_t)row * MNI_RECORD_BYTES;
    mni_put32(p + 36, 0);
    w->m->keys_lost++;
}

/* Rows in order of their keys. */
static mann_status mend_keys(mending *w, mann_error *err)
{
    mni_base *b = w->b;
    uint32_t n = 0;
    for (uint32_t i = 0; i < b->rows.n; i++)
        n += mni_get32(b->records + (size_t)i * MNI_RECORD_BYTES + 36) != 0;
    mni_name_key *all = mni_alloc((size_t)n + 1, sizeof *all);
    uint32_t *order = own(w, n, sizeof *order);
    if (!all || !order) { mni_free(all); return no_memory(w, err); }
    n = 0;
    for (uint32_t i = 0; i < b->rows.n; i++) {
        const uint8_t *p = b->records + (size_t)i * MNI_RECORD_BYTES;
        const uint32_t n_key = mni_get32(p + 36);
        const char *text = (const char *)b->heap.data + mni_get64(p + 24);
        if (!n_key) continue;
        const char *key = text + mni_get32(p + 32);
        if (mni_key_check("", key, n_key, NULL) != MANN_OK) forget_key(w, i);
        else all[n++] = (mni_name_key){ key, n_key, i };
    }
    mni_sort_names(all, n);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (i && all[i].n_chars == all[i - 1].n_chars &&
            memcmp(all[i].chars, all[i - 1].chars, all[i].n_chars) == 0)
            forget_key(w, all[i].number);       /* a key has one record */
        else order[kept++] = all[i].number;
    }
    b->by_key = order;
    b->n_keys = kept;
    mni_free(all);
    return MANN_OK;
}

static uint32_t klass_of(const void *ctx, uint32_t row)
{
    const mni_base *b = ctx;
    return mni_get32(b->records + (size_t)row * MNI_RECORD_BYTES + 40);
}

/* Rows by class: offsets and list in one array. */
static mann_status mend_classes(mending *w, mann_error *err)
{
    mni_base *b = w->b;
    const uint32_t n = b->rows.n, c = b->meta.n_classes;
    uint32_t *at = own(w, (size_t)c + 2 + n, sizeof *at), *rows = at ? at + c + 2 : NULL;
    if (!at) return no_memory(w, err);
    b->meta.n_live_classes = mni_sort_classes(at, rows, n, c, klass_of, b);
    b->class_at = at;
    b->class_rows = rows;
    return MANN_OK;
}

/* --- everything --------------------------------------------------------------------- */

static mann_status find_damage(mending *w, mann_error *err)
{
    const mni_reader *r = w->b->reader;
    MNI_TRY(mni_reader_damage(r, "RECS", &w->records.bad, &w->records.n, err));
    MNI_TRY(mni_reader_damage(r, "VECS", &w->vectors.bad, &w->vectors.n, err));
    if (w->b->rows.dtype == MNI_I8)
        MNI_TRY(mni_reader_damage(r, "VSCL", &w->scales.bad, &w->scales.n, err));
    MNI_TRY(mni_reader_damage(r, "HEAP", &w->heap.bad, &w->heap.n, err));
    MNI_TRY(mni_reader_damage(r, "NMOF", &w->name_at.bad, &w->name_at.n, err));
    return mni_reader_damage(r, "NMHP", &w->names.bad, &w->names.n, err);
}

static mann_status mend_extras(mending *w, mann_error *err)
{
    mni_base *b = w->b;
    const mni_reader *r = b->reader;
    mni_section s;
    int yes;
    MNI_TRY(section_sound(r, "MODL", &yes, err));
    if (yes) mni_reader_find(r, "MODL", &b->model);
    w->m->model_lost = !yes;
    MNI_TRY(section_sound(r, "ROOT", &yes, err));
    if (yes) mni_reader_find(r, "ROOT", &b->roots);
    w->m->roots_lost = !yes;
    MNI_TRY(section_sound(r, MNI_CALIB_TAG, &yes, err));
    if (yes && mni_reader_find(r, MNI_CALIB_TAG, &s))
        yes = mni_calib_decode(&b->calib, s.data, (size_t)s.n_bytes, NULL) == MANN_OK;
    w->m->calibration_lost = !yes;
    MNI_TRY(section_sound(r, "ANNK", &yes, err));
    if (yes && mni_reader_find(r, "ANNK", &s) && s.n_bytes < sizeof w->m->index)
        memcpy(w->m->index, s.data, (size_t)s.n_bytes);
    w->m->index_lost = !yes;
    void *thumbs = mni_thumbs_mend(b, &w->m->thumbs_lost);
    if (!thumbs) return no_memory(w, err);
    b->mended[w->n_owned++] = thumbs;
    return MANN_OK;
}

/* Of what stands behind the vectors only the model has been found, if it was whole. */
static void salvage_extras(mending *w)
{
    mni_base *b = w->b;
    const int has_model = mni_reader_find(b->reader, "MODL", &b->model);
    w->m->frame_lost = 1;
    w->m->model_lost = b->meta.embedded_model && !has_model;
    w->m->calibration_lost = b->meta.n_calibrated_rows > 0;
    w->m->roots_lost = w->m->index_lost = 1;
    w->m->rows_lost += w->salvaged->n_cut;
}

/* META, or MET2 which says the same. */
static mann_status mend_meta(mending *w, mann_error *err)
{
    static const char tags[2][5] = { "META", "MET2" };
    const mni_reader *r = w->b->reader;
    if (w->salvaged) {
        w->b->meta = w->salvaged->meta;
        return MANN_OK;
    }
    for (size_t i = 0; i < 2; i++) {
        mni_section s;
        if (mni_reader_find(r, tags[i], &s) && s.n_bytes == MNI_META_BYTES &&
            mni_meta_sound(s.data))
            return mni_meta_decode(&w->b->meta, s.data, mni_reader_name(r), err);
    }
    return mni_fail(err, MANN_E_FORMAT,
                    "%s: both copies of the block META are damaged, which says what "
                    "all others mean: nothing can be saved from this file, restore a "
                    "snapshot",
                    mni_reader_name(r));
}

static mann_status mend_all(mending *w, mann_error *err)
{
    mni_base *b = w->b;
    const mni_reader *r = b->reader;
    MNI_TRY(mend_meta(w, err));
    const uint64_t n = b->meta.n_rows, c = b->meta.n_classes;
    MNI_TRY(mni_reader_need(r, "RECS", MNI_BYTES, n * MNI_RECORD_BYTES, &w->recs, err));
    MNI_TRY(mni_reader_need(r, "HEAP", MNI_BYTES, UINT64_MAX, &b->heap, err));
    MNI_TRY(mni_reader_need(r, "NMOF", MNI_U64, c + 1, &w->nmof, err));
    MNI_TRY(mni_reader_need(r, "NMHP", MNI_BYTES, UINT64_MAX, &b->name_heap, err));
    MNI_TRY(mni_reader_need(r, "NMCK", MNI_U32, c, &w->name_sums, err));
    MNI_TRY(mni_base_view_vectors(b, err));
    MNI_TRY(find_damage(w, err));
    MNI_TRY(mend_records(w, err));
    MNI_TRY(mend_names(w, err));
    MNI_TRY(mend_ids(w, err));
    MNI_TRY(mend_keys(w, err));
    MNI_TRY(mend_classes(w, err));
    if (w->salvaged) salvage_extras(w);
    else MNI_TRY(mend_extras(w, err));
    const mni_ann_job job = { .rows = &b->rows, .seed = b->meta.seed };
    return mni_ann_build(&b->ann, "Flat", &job, err);   /* not what is in the file */
}

/* The base of `reader`, which is taken; `salvaged` may be NULL. */
static mann_status mend_with(mni_base **out, mni_mended *m, mni_reader *reader,
                             mni_salvaged *salvaged, mann_error *err)
{
    mending w = { .m = m, .salvaged = salvaged };
    const char *name = mni_reader_name(reader);
    *m = (mni_mended){ .dead = NULL };
    w.b = mni_alloc(1, sizeof *w.b);
    if (!w.b) {
        mann_status s = mni_fail(err, MANN_E_NOMEM, "%s: gallery", name);
        mni_reader_free(reader);
        if (salvaged) mni_free(salvaged->bytes);
        return s;
    }
    atomic_init(&w.b->refs, 1);
    w.b->reader = reader;
    if (salvaged) w.b->mended[w.n_owned++] = salvaged->bytes;
    const mann_status s = mend_all(&w, err);
    damage *const lists[] = { &w.records, &w.vectors, &w.scales,
                              &w.heap, &w.name_at, &w.names };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) mni_free(lists[i]->bad);
    if (s == MANN_OK) {
        *out = w.b;
        return MANN_OK;
    }
    mni_base_release(w.b);
    mni_dead_release(m->dead);
    m->dead = NULL;
    return s;
}

mann_status mni_base_mend(mni_base **out, mni_mended *m, const mni_vfs *v,
                          const char *path, mann_error *err)
{
    mni_reader *r;
    mni_salvaged salvaged;
    mann_error e = { MANN_OK, "" };
    *out = NULL;
    mann_status s = mni_reader_open(&r, v, path, MNI_READ_DAMAGED, &e);
    if (s == MANN_OK) {
        s = mni_reader_is(r, MNI_FILE_GALLERY, err);
        if (s == MANN_OK) return mend_with(out, m, r, NULL, err);
        mni_reader_free(r);
        return s;
    }
    if (s == MANN_E_FORMAT || s == MANN_E_VERSION || s == MANN_E_LIMIT)
        s = mni_salvage(&salvaged, v, path, &e);
    if (s == MANN_OK) return mend_with(out, m, salvaged.reader, &salvaged, err);
    if (err) *err = e;
    return s;
}

static void tell_lost(const mann_hooks *h, const mni_mended *m)
{
    const struct { int lost; const char *sentence; } all[] = {
        { m->frame_lost, "its header, its table or its end is lost: what stood behind "
                         "the vectors is made anew" },
        { m->model_lost, "the model inside is lost: give it again with --model" },
        { m->calibration_lost, "the calibration is lost: rebuild measures it again" },
        { m->roots_lost, "the list of folders that photos came from is lost" },
        { m->index_lost, "what kind of index it had is lost" },
        { m->thumbs_lost != 0, "some thumbnails are lost" },
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].lost && h && h->note)
            h->note(h->user, MANN_NOTE_WARNING, all[i].sentence);
}

mann_status mni_gallery_repair(const mni_vfs *v, const char *path, const char *to,
                               const char *spec, mni_pool *pool, const mann_hooks *h,
                               mann_repair_report *report, mann_error *err)
{
    mni_gallery *g;
    mni_stat st;
    if (v->ops->stat(v, to, &st, NULL) == MANN_OK)
        return mni_fail(err, MANN_E_EXISTS, "%s: exists already", to);
    MNI_TRY(mni_gallery_open(&g, v, path, MNI_OPEN_MEND, err));
    const mni_mended *m = &g->mended;
    tell_lost(h, m);
    if (!spec) spec = m->index[0] ? m->index : "auto";
    mann_status s = mni_gallery_build(g, to, spec, MNI_MEASURE_DUE, pool, h, err);
    if (s == MANN_OK && report)
        *report = (mann_repair_report){
            .struct_size = sizeof *report,
            .n_saved = g->state->n_live,
            .n_lost = m->rows_lost,
            .n_paths_lost = m->paths_lost,
            .n_keys_lost = m->keys_lost,
            .n_names_lost = m->names_lost,
            .journal_cut_bytes = g->replayed.n_cut_bytes,
            .model_lost = (uint32_t)m->model_lost,
            .journal_ignored = (uint32_t)g->replayed.foreign,
        };
    mni_gallery_free(g);
    return s;
}
