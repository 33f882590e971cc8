/* thumbs.c - see thumbs.h. A thumbnail belongs to a content, not to a record: moving,
 * renaming, another class or key do not touch it, and two records of one photo share it.
 *
 *   THIX   content u64 | place in THMB u64 | bytes u32 | checksum u32      in order of
 *          content ...                                                     contents
 *   THMB   JPEG JPEG JPEG ...            one behind the other, in the same order
 *
 * The checksum is of the content's 8 bytes and the JPEG: whatever bit is damaged, here or
 * there, this thumbnail is lost and no other. What is added waits in the tail and in the
 * journal (record THUMB: u64 content, then the JPEG); a new base takes those that a live
 * record has. SPDX-License-Identifier: MIT */
#include "recog/thumbs.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "image/image.h"
#include "image/jpeg_write.h"
#include "image/resize.h"
#include "kern/crc32c.h"
#include "recog/change.h"

static uint32_t checksum(uint64_t content, const void *bytes, size_t n)
{
    uint8_t head[8];
    mni_put64(head, content);
    return mni_crc32c(mni_crc32c(0, head, sizeof head), bytes, n);
}

mann_status mni_thumb_make(mni_buf *out, const mann_image *im, uint32_t side,
                           mann_error *err)
{
    const uint32_t most = im->width > im->height ? im->width : im->height;
    mann_image small = { 0, 0, 0, NULL };
    if (most <= side) return mni_jpeg_encode(out, im, MNI_THUMB_QUALITY, err);
    const uint32_t w = (uint32_t)((uint64_t)im->width * side / most),
                   h = (uint32_t)((uint64_t)im->height * side / most);
    mann_status s = mni_image_resize(&small, im, w ? w : 1, h ? h : 1, err);
    if (s == MANN_OK) s = mni_jpeg_encode(out, &small, MNI_THUMB_QUALITY, err);
    if (s == MANN_OK && out->failed)
        s = mni_fail(err, MANN_E_NOMEM, "thumbnail of %u pixels", (unsigned)side);
    mann_image_clear(&small);
    return s;
}

/* --- looking up --------------------------------------------------------------------- */

static uint64_t n_entries(const mni_base *b)
{
    return b->thumb_index.n_bytes / MNI_THUMB_BYTES;
}

static const uint8_t *entry(const mni_base *b, uint64_t i)
{
    return (const uint8_t *)b->thumb_index.data + i * MNI_THUMB_BYTES;
}

/* The thumbnail of an entry, if it is what its checksum says. */
static int vouched(const mni_base *b, const uint8_t *e, mni_thumb *out)
{
    const uint64_t at = mni_get64(e + 8);
    const uint32_t n = mni_get32(e + 16);
    if (n > MNI_MAX_THUMB || !mni_span_fits(at, n, 1, b->thumb_data.n_bytes)) return 0;
    *out = (mni_thumb){ (const uint8_t *)b->thumb_data.data + at, n };
    return checksum(mni_get64(e), out->bytes, n) == mni_get32(e + 20);
}

static int base_thumb(const mni_base *b, uint64_t content, mni_thumb *out)
{
    uint64_t low = 0, high = n_entries(b);
    while (low < high) {
        const uint64_t mid = low + (high - low) / 2, here = mni_get64(entry(b, mid));
        if (here == content) return vouched(b, entry(b, mid), out);
        if (here < content) low = mid + 1;
        else high = mid;
    }
    return 0;
}

int mni_state_thumb(const mni_state *s, uint64_t content, mni_thumb *out)
{
    uint32_t i;
    if (!content) return 0;
    if (!mni_idmap_get(&s->tail->by_content, content, &i))
        return base_thumb(s->base, content, out);
    const mni_tail_thumb *t = mni_stable_at(&s->tail->thumbs, i);
    *out = (mni_thumb){ t->bytes, t->n_bytes };
    return 1;
}

mann_status mni_gallery_thumb(mni_gallery *g, uint64_t id, void *out, size_t size,
                              size_t *n_bytes, mann_error *err)
{
    mni_record r;
    mni_thumb t = { NULL, 0 };
    uint32_t row;
    mann_status s = MANN_OK;
    mni_mutex_lock(&g->lock);
    int found = mni_state_find_id(g->state, id, &row);
    if (found) {
        mni_state_record(g->state, row, &r);
        found = mni_state_thumb(g->state, r.content_hash, &t);
    }
    *n_bytes = t.n_bytes;
    if (!found)
        s = mni_fail(err, MANN_E_NOT_FOUND, "%s: holds no thumbnail of record %llu",
                     g->path, (unsigned long long)id);
    else if (size < t.n_bytes)
        s = mni_fail(err, MANN_E_LIMIT, "%s: a thumbnail of %u bytes, there is room for "
                     "%zu", g->path, (unsigned)t.n_bytes, size);
    else if (t.n_bytes) memcpy(out, t.bytes, t.n_bytes);
    mni_mutex_unlock(&g->lock);
    return s;
}

/* --- coming in ---------------------------------------------------------------------- */

static mann_status keep_thumb(mni_change *c, uint64_t content, const void *jpeg,
                              size_t n_bytes, mann_error *err)
{
    mni_tail *t = c->next->tail;
    if (n_bytes == 0 || n_bytes > MNI_MAX_THUMB)
        return mni_fail(err, MANN_E_LIMIT, "%s: a thumbnail of %zu bytes, wanted 1..%d",
                        c->g->path, n_bytes, MNI_MAX_THUMB);
    mni_tail_thumb *slot = mni_stable_make(&t->thumbs, t->n_thumbs + c->n_new_thumbs);
    uint8_t *copy = slot ? mni_memdup(jpeg, n_bytes) : NULL;
    if (!copy) return mni_fail(err, MANN_E_NOMEM, "%s: a thumbnail", c->g->path);
    *slot = (mni_tail_thumb){ content, copy, (uint32_t)n_bytes };
    c->n_new_thumbs++;
    return MANN_OK;
}

mann_status mni_change_add_thumb(mni_change *c, uint64_t content, const void *jpeg,
                                 size_t n_bytes, mann_error *err)
{
    mni_buf buf = { 0 };
    mni_thumb there;
    if (mni_state_thumb(c->next, content, &there)) return MANN_OK;
    MNI_TRY(keep_thumb(c, content, jpeg, n_bytes, err));
    mni_buf_u64(&buf, content);
    mni_buf_add(&buf, jpeg, n_bytes);
    const mann_status s = mni_change_journal(c->g, MNI_RECORD_THUMB, &buf, err);
    mni_buf_fini(&buf);
    return s;
}

mann_status mni_change_replay_thumb(mni_change *c, mni_cursor *in, mann_error *err)
{
    const uint64_t content = mni_cursor_u64(in);
    const size_t n = mni_cursor_left(in);
    if (in->bad || n == 0 || n > MNI_MAX_THUMB || content == 0)
        return mni_fail(err, MANN_E_FORMAT,
                        "%s: a record of the journal is too short or too long",
                        c->g->path);
    return keep_thumb(c, content, mni_cursor_take(in, n), n, err);
}

/* What comes from outside must be what it says. */
static mann_status check_jpeg(const mni_gallery *g, const mann_thumb *t, mann_error *err)
{
    mann_image im = { 0, 0, 0, NULL };
    const char *why = t->n_bytes > MNI_MAX_THUMB ? "is too long"
                      : t->n_bytes < 2 || memcmp(t->bytes, "\xFF\xD8", 2) != 0
                          ? "is no JPEG" : NULL;
    if (why)
        return mni_fail(err, MANN_E_FORMAT, "%s: the thumbnail of record %llu %s",
                        g->path, (unsigned long long)t->id, why);
    MNI_TRY(mni_image_decode(&im, t->bytes, t->n_bytes, NULL, err));
    mann_image_clear(&im);
    return MANN_OK;
}

static mann_status put_one(mni_change *c, const mann_thumb *t, mann_error *err)
{
    mni_record r;
    uint32_t row;
    if (!mni_state_find_id(c->next, t->id, &row))
        return mni_fail(err, MANN_E_NOT_FOUND, "%s: has no record %llu", c->g->path,
                        (unsigned long long)t->id);
    mni_state_record(c->next, row, &r);
    if (!r.content_hash)
        return mni_fail(err, MANN_E_ARG, "%s: record %llu is a bare vector, which has "
                        "no thumbnail", c->g->path, (unsigned long long)t->id);
    return mni_change_add_thumb(c, r.content_hash, t->bytes, t->n_bytes, err);
}

mann_status mni_gallery_put_thumbs(mni_gallery *g, const mann_thumb *thumbs, size_t n,
                                   mann_error *err)
{
    mni_change c = { 0 };
    MNI_TRY(mni_gallery_must_write(g, err));
    for (size_t i = 0; i < n; i++) MNI_TRY(check_jpeg(g, &thumbs[i], err));
    if (n == 0) return MANN_OK;
    mni_mutex_lock(&g->writing);
    mann_status s = mni_change_begin(&c, g, err);
    if (s == MANN_OK) {
        for (size_t i = 0; s == MANN_OK && i < n; i++) s = put_one(&c, &thumbs[i], err);
        s = mni_change_finish(&c, s, err);
    }
    mni_mutex_unlock(&g->writing);
    return s;
}

int mni_gallery_lacks_thumb(mni_gallery *g, uint64_t content)
{
    mni_thumb t;
    mni_mutex_lock(&g->lock);
    const int lacks = !mni_state_thumb(g->state, content, &t);
    mni_mutex_unlock(&g->lock);
    return lacks;
}

mann_status mni_gallery_fill_thumbs(mni_gallery *g, const mni_photo *photos, size_t n,
                                    mann_error *err)
{
    mni_change c = { 0 };
    size_t any = 0;
    for (size_t i = 0; i < n; i++)
        any += photos[i].result == MNI_PHOTO_KNOWN && photos[i].thumb.n_bytes > 0;
    if (!any) return MANN_OK;
    mni_mutex_lock(&g->writing);
    mann_status s = mni_change_begin(&c, g, err);
    if (s == MANN_OK) {
        for (size_t i = 0; s == MANN_OK && i < n; i++)
            if (photos[i].result == MNI_PHOTO_KNOWN && photos[i].thumb.n_bytes)
                s = mni_change_add_thumb(&c, photos[i].content_hash,
                                         photos[i].thumb.bytes, photos[i].thumb.n_bytes,
                                         err);
        s = mni_change_finish(&c, s, err);
    }
    mni_mutex_unlock(&g->writing);
    return s;
}

/* --- in the file -------------------------------------------------------------------- */

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Contents of live records that have a thumbnail, sorted, each once. */
static mann_status list_contents(const mni_base_plan *p, uint64_t **out, size_t *n,
                                 mann_error *err)
{
    uint64_t *list = *out = mni_alloc((size_t)p->n + 1, sizeof *list);
    size_t kept = 0;
    mni_thumb t;
    *n = 0;
    if (!list) return mni_fail(err, MANN_E_NOMEM, "gallery: list of thumbnails");
    for (uint32_t i = 0; i < p->n; i++) {
        mni_record r;
        mni_state_record(p->state, p->rows[i], &r);
        if (mni_state_thumb(p->state, r.content_hash, &t)) list[(*n)++] = r.content_hash;
    }
    if (*n) qsort(list, *n, sizeof *list, by_number);
    for (size_t i = 0; i < *n; i++)
        if (kept == 0 || list[kept - 1] != list[i]) list[kept++] = list[i];
    *n = kept;
    return MANN_OK;
}

mann_status mni_thumbs_write(const mni_base_plan *p, mni_writer *w, mann_error *err)
{
    uint64_t *list, at = 0;
    size_t n;
    mni_thumb t;
    if (!p->state->tail->n_thumbs && !p->state->base->thumb_index.n_bytes) return MANN_OK;
    MNI_TRY(list_contents(p, &list, &n, err));
    if (n) mni_writer_begin(w, "THIX", MNI_BYTES, MNI_ALIGN_SECTION);
    for (size_t i = 0; i < n; i++) {
        uint8_t e[MNI_THUMB_BYTES];
        if (!mni_state_thumb(p->state, list[i], &t)) t = (mni_thumb){ NULL, 0 };
        mni_put64(e, list[i]);
        mni_put64(e + 8, at);
        mni_put32(e + 16, t.n_bytes);
        mni_put32(e + 20, checksum(list[i], t.bytes, t.n_bytes));
        mni_writer_put(w, e, sizeof e);
        at += t.n_bytes;
    }
    if (n) mni_writer_end(w);
    if (n) mni_writer_begin(w, "THMB", MNI_BYTES, MNI_ALIGN_SECTION);
    for (size_t i = 0; i < n; i++)
        if (mni_state_thumb(p->state, list[i], &t))
            mni_writer_put(w, t.bytes, t.n_bytes);
    if (n) mni_writer_end(w);
    mni_free(list);
    return MANN_OK;
}

mann_status mni_thumbs_open(mni_base *b, mann_error *err)
{
    if (!mni_reader_find(b->reader, "THIX", &b->thumb_index)) return MANN_OK;
    MNI_TRY(mni_reader_need(b->reader, "THMB", MNI_BYTES, UINT64_MAX, &b->thumb_data,
                            err));
    if (b->thumb_index.n_bytes % MNI_THUMB_BYTES == 0) return MANN_OK;
    return mni_fail(err, MANN_E_FORMAT, "%s: section THIX of %llu bytes, wanted %d each",
                    mni_reader_name(b->reader),
                    (unsigned long long)b->thumb_index.n_bytes, MNI_THUMB_BYTES);
}

mann_status mni_thumbs_check(const mni_base *b, mann_error *err)
{
    const uint64_t n = n_entries(b);
    uint64_t at = 0, before = 0;
    mni_thumb t;
    for (uint64_t i = 0; i < n; i++) {
        const uint8_t *e = entry(b, i);
        if (mni_get64(e) <= before || mni_get64(e + 8) != at || !vouched(b, e, &t))
            return mni_fail(err, MANN_E_FORMAT,
                            "%s: thumbnail %llu is damaged, or out of order",
                            mni_reader_name(b->reader), (unsigned long long)i);
        before = mni_get64(e);
        at += t.n_bytes;
    }
    if (at == b->thumb_data.n_bytes) return MANN_OK;
    return mni_fail(err, MANN_E_FORMAT, "%s: %llu bytes belong to no thumbnail",
                    mni_reader_name(b->reader),
                    (unsigned long long)(b->thumb_data.n_bytes - at));
}

void *mni_thumbs_mend(mni_base *b, uint64_t *n_lost)
{
    uint64_t n = 0, n_sound = 0, last = 0;
    mni_thumb t;
    if (mni_thumbs_open(b, NULL) != MANN_OK) b->thumb_index = (mni_section){ 0 };
    n = n_entries(b);
    uint8_t *copy = mni_alloc((size_t)n + 1, MNI_THUMB_BYTES);
    if (!copy) return NULL;
    for (uint64_t i = 0; i < n; i++) {
        const uint8_t *e = entry(b, i);
        if (!vouched(b, e, &t) || mni_get64(e) <= last) continue;
        last = mni_get64(e);
        memcpy(copy + n_sound++ * MNI_THUMB_BYTES, e, MNI_THUMB_BYTES);
    }
    *n_lost = n - n_sound;
    b->thumb_index = (mni_section){ copy, n_sound * MNI_THUMB_BYTES,
                                    n_sound * MNI_THUMB_BYTES, MNI_BYTES };
    return copy;
}
