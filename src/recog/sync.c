/* sync.c - the gallery comes to hold what a folder holds, keyed by content.
 *
 *   photo of the set           record of the gallery          what happens
 *   content known, class too   its path is another file now   nothing: a copy
 *   content known              its file is nowhere any more   moves: new path, class
 *   content known              only in other classes          a row more, vector copied
 *   content new                the path had another content   a new vector, the same id
 *   content new                -                              embedded and added
 *   -                          its file is nowhere any more   gone: told, or removed
 *
 * Nowhere: neither in the set nor below any folder that the gallery knows, so that a
 * gallery of two folders survives the sync of one. Is one of those folders not to be seen
 * now (a disk that is not mounted), nothing is removed. Records whose path does not begin
 * with their class (photos that were named one by one) are never called gone; a manifest
 * whose photos are such is told how many of them there are.
 *
 * The lists are made once, at the start; every group of photos is one or two durable
 * changes. Interrupted, the next run finds what was done by its content.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "recog/change.h"
#include "recog/thumbs.h"

/* Marks of a row. SEEN: some photo is this record; AWAY: what it was at the start it is
 * no more, this run gave it another class, path or content. HELD: its path shows it. */
enum { SEEN = 1, NOWHERE = 2, IN_SET = 4, AWAY = 8, HELD = 16 };

typedef struct keyed { uint64_t key; uint64_t at; } keyed;      /* sorted by both */
typedef struct list { keyed *items; size_t n; } list;

typedef struct sync_run {
    mni_gallery *g;
    mni_state *s;                       /* as it was at the start */
    const mni_photos *set;
    mni_pool *pool;
    const mann_hooks *hooks;
    list contents, paths;               /* live rows by content, by hash of their path */
    uint8_t *marks;                     /* of each row of s */
    uint64_t *twins;                    /* of each row: 1 + a photo that is its copy */
    mni_idmap added;                    /* content and class that this run put in */
    mni_roots roots;                    /* as they were at the start */
    uint64_t n_untold;          /* rows that may be gone, or were named one by one */
    const char *root;                   /* that of the set, absolute; NULL: none */
    mann_sync_report report;
} sync_run;

/* --- lists -------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
    const keyed *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static void list_put(list *l, uint64_t key, uint64_t at)
{
    l->items[l->n++] = (keyed){ key, at };
}

static void list_sort(list *l)
{
    if (l->n) qsort(l->items, l->n, sizeof *l->items, by_key);
}

/* Place of the first item with this key; l->n if there is none. */
static size_t list_find(const list *l, uint64_t key)
{
    size_t low = 0, high = l->n;
    while (low < high) {
        const size_t mid = low + (high - low) / 2;
        if (l->items[mid].key < key) low = mid + 1;
        else high = mid;
    }
    return low < l->n && l->items[low].key == key ? low : l->n;
}

static int same_text(const char *a, uint32_t n, const char *b)
{
    return strlen(b) == n && memcmp(a, b, n) == 0;
}

/* Is the record of this class? klass NULL: of none. */
static int has_class(const sync_run *r, const mni_record *rec, const char *klass)
{
    uint32_t n;
    if (rec->klass == MANN_NO_CLASS || !klass)
        return rec->klass == MANN_NO_CLASS && !klass;
    const char *name = mni_state_name(r->s, rec->klass, &n);
    return same_text(name, n, klass);
}

/* --- what there is ------------------------------------------------------------------ */

static mann_status no_memory(const sync_run *r, mann_error *err)
{
    return mni_fail(err, MANN_E_NOMEM, "%s: not enough memory to list what is there",
                    r->g->path);
}

static int exists_below_a_root(const sync_run *r, const mni_record *rec, mni_text *path,
                               mni_text *source)
{
    mni_text_clear(source);
    mni_text_add_n(source, rec->source, rec->source_chars);
    for (uint32_t i = 0; i < r->roots.n; i++) {
        mni_text_clear(path);
        mni_roots_place(path, r->roots.path[i], mni_text_get(source));
        if (path->failed || source->failed) return 1;   /* in doubt it is there */
        if (mni_source_there(r->g->sources, mni_text_get(path), NULL) !=
            MANN_E_NOT_FOUND)
            return 1;
    }
    return 0;
}

/* Two folders may have a file of the same name: does this path below another one than
 * that of the set show the record's content? In doubt it does. */
static int shown_by_another_root(const sync_run *r, const mni_record *rec)
{
    mni_text path = { 0 }, source = { 0 };
    int shown = 0;
    mni_text_add_n(&source, rec->source, rec->source_chars);
    for (uint32_t i = 0; i < r->roots.n && !shown; i++) {
        uint8_t *bytes = NULL;
        size_t n_bytes;
        if (!r->root || strcmp(r->roots.path[i], r->root) == 0) continue;
        mni_text_clear(&path);
        mni_roots_place(&path, r->roots.path[i], mni_text_get(&source));
        if (path.failed || source.failed) { shown = 1; break; }
        const mann_status s = mni_source_read(r->g->sources, mni_text_get(&path),
                                              UINT64_C(1) << 30, &bytes, &n_bytes, NULL);
        shown = s == MANN_OK ? mni_hash_bytes(bytes, n_bytes, 0) == rec->content_hash
                             : s != MANN_E_NOT_FOUND;
        if (s == MANN_OK) mni_free(bytes);
    }
    mni_text_fini(&path);
    mni_text_fini(&source);
    return shown;
}

/* Does the set name classes by itself, as a manifest does, and not by folders? */
static int is_a_list(const sync_run *r)
{
    for (uint64_t i = 0; i < r->set->n; i++) {
        const char *klass, *path = r->set->path(r->set->ctx, i, &klass);
        const size_t n = klass ? strlen(klass) : 0;
        if (klass && (strncmp(path, klass, n) != 0 || path[n] != '/')) return 1;
    }
    return 0;
}

/* "mug/1.jpg" of class mug: what a folder of class folders gives. */
static int begins_with_its_class(const sync_run *r, const mni_record *rec)
{
    uint32_t n;
    if (rec->klass == MANN_NO_CLASS) return !memchr(rec->source, '/', rec->source_chars);
    const char *name = mni_state_name(r->s, rec->klass, &n);
    return rec->source_chars > n && rec->source[n] == '/' &&
           memcmp(rec->source, name, n) == 0;
}

static mann_status list_rows(sync_run *r, mann_error *err)
{
    const uint32_t n = mni_state_rows(r->s);
    r->contents.items = mni_alloc((size_t)n + 1, sizeof *r->contents.items);
    r->paths.items = mni_alloc((size_t)n + 1, sizeof *r->paths.items);
    r->marks = mni_alloc((size_t)n + 1, 1);
    r->twins = mni_alloc((size_t)n + 1, sizeof *r->twins);
    if (!r->contents.items || !r->paths.items || !r->marks || !r->twins)
        return no_memory(r, err);
    for (uint32_t row = 0; row < n; row++) {
        mni_record rec;
        if (!mni_state_alive(r->s, row)) continue;
        mni_state_record(r->s, row, &rec);
        if (!rec.source_chars) continue;        /* a bare vector: no photo to go by */
        if (rec.content_hash) list_put(&r->contents, rec.content_hash, row);
        list_put(&r->paths, mni_hash_bytes(rec.source, rec.source_chars, 0), row);
    }
    list_sort(&r->contents);
    list_sort(&r->paths);
    return MANN_OK;
}

static mann_status mark_rows(sync_run *r, mann_error *err)
{
    mni_text path = { 0 }, source = { 0 };
    const char *klass;
    for (uint64_t i = 0; i < r->set->n; i++) {
        const char *p = r->set->path(r->set->ctx, i, &klass);
        const uint64_t key = mni_hash_bytes(p, strlen(p), 0);
        for (size_t at = list_find(&r->paths, key);
             at < r->paths.n && r->paths.items[at].key == key; at++) {
            mni_record rec;
            mni_state_record(r->s, (uint32_t)r->paths.items[at].at, &rec);
            if (same_text(rec.source, rec.source_chars, p))
                r->marks[r->paths.items[at].at] |= IN_SET;
        }
    }
    for (size_t at = 0; at < r->paths.n; at++) {
        const uint32_t row = (uint32_t)r->paths.items[at].at;
        mni_record rec;
        if (r->marks[row] & IN_SET) continue;
        mni_state_record(r->s, row, &rec);
        if (exists_below_a_root(r, &rec, &path, &source)) continue;
        if (begins_with_its_class(r, &rec)) r->marks[row] |= NOWHERE;
        else r->n_untold++;
    }
    const int failed = path.failed || source.failed;
    mni_text_fini(&path);
    mni_text_fini(&source);
    return failed ? no_memory(r, err) : MANN_OK;
}

/* --- one photo ---------------------------------------------------------------------- */

typedef enum what { PRESENT, TWIN, MOVE, COPY } what;

/* Content that some record has need not be decoded: equal photos have equal vectors. */
static int is_known(void *ctx, uint64_t i, uint64_t content_hash)
{
    const sync_run *r = ctx;
    (void)i;
    if (list_find(&r->contents, content_hash) == r->contents.n) return 0;
    return r->set->thumb_side && mni_gallery_lacks_thumb(r->g, content_hash)
               ? MNI_KNOWN_BARE : 1;
}

/* Which record is this photo? The same path counts most, then a record of the same class
 * that has lost its file, then any that has lost it, then a twin in the same class. */
static what match(sync_run *r, const char *path, const char *klass, uint64_t content,
                  uint32_t *row)
{
    enum { NONE, A_TWIN, LOST, LOST_HERE, SAME } best = NONE;
    uint32_t any = 0;
    for (size_t at = list_find(&r->contents, content);
         at < r->contents.n && r->contents.items[at].key == content; at++) {
        const uint32_t here = (uint32_t)r->contents.items[at].at;
        mni_record rec;
        int rank = NONE;
        mni_state_record(r->s, here, &rec);
        const int of_class = has_class(r, &rec, klass);
        if (same_text(rec.source, rec.source_chars, path))
            rank = of_class && !(r->marks[here] & AWAY) ? SAME
                   : r->marks[here] & SEEN              ? NONE
                                                        : LOST_HERE;
        else if ((r->marks[here] & (NOWHERE | SEEN)) == NOWHERE)
            rank = of_class ? LOST_HERE : LOST;
        else if (of_class && !(r->marks[here] & AWAY)) rank = A_TWIN;
        any = here;
        if (rank > (int)best) { best = rank; *row = here; }
    }
    if (best == SAME) return PRESENT;
    if (best == A_TWIN) return TWIN;
    if (best == LOST || best == LOST_HERE) return MOVE;
    *row = any;
    return COPY;
}

/* A record whose path shows another content now, and that nobody has claimed. */
static int replaced(sync_run *r, const char *path, const char *klass, uint32_t *row)
{
    const uint64_t key = mni_hash_bytes(path, strlen(path), 0);
    for (size_t at = list_find(&r->paths, key);
         at < r->paths.n && r->paths.items[at].key == key; at++) {
        mni_record rec;
        *row = (uint32_t)r->paths.items[at].at;
        mni_state_record(r->s, *row, &rec);
        if (!(r->marks[*row] & SEEN) && has_class(r, &rec, klass) &&
            same_text(rec.source, rec.source_chars, path) &&
            !shown_by_another_root(r, &rec))
            return 1;
    }
    return 0;
}

/* --- a group ------------------------------------------------------------------------ */

typedef struct group {
    mni_new_row *rows;
    mni_moved *moved;
    float *vectors;                     /* of copies */
    size_t n_rows, n_moved;
} group;

static uint64_t content_of_class(const char *klass, uint64_t content)
{
    return mni_hash_bytes(klass ? klass : "", klass ? strlen(klass) : 0, content);
}

static mann_status add_photo(sync_run *r, group *w, uint64_t i, const mni_photo *p,
                             const float *vector, mann_error *err)
{
    mni_new_row *n = &w->rows[w->n_rows];
    uint32_t row, one;
    *n = (mni_new_row){ .vector = vector, .content_hash = p->content_hash,
                        .time = p->mtime, .thumb = p->thumb.bytes,
                        .n_thumb = p->thumb.n_bytes };
    n->source = r->set->path(r->set->ctx, i, &n->klass);
    const uint64_t key = content_of_class(n->klass, p->content_hash);
    if (mni_idmap_get(&r->added, key, &one)) {  /* the same photo twice in the set */
        r->report.n_present++;
        return MANN_OK;
    }
    if (!mni_idmap_put(&r->added, key, 1)) return no_memory(r, err);
    w->n_rows++;
    if (replaced(r, n->source, n->klass, &row)) {
        n->id = mni_state_id(r->s, row);
        n->has_id = 1;
        r->marks[row] |= SEEN | AWAY;
        r->report.n_changed++;
    } else {
        r->report.n_added++;
    }
    return MANN_OK;
}

static mann_status take_photo(sync_run *r, group *w, uint64_t i, size_t slot,
                              const mni_photo *p, mann_error *err)
{
    const uint32_t dim = r->s->base->meta.dim;
    const char *klass, *path = r->set->path(r->set->ctx, i, &klass);
    uint32_t row;
    if (p->result == MNI_PHOTO_BAD) {           /* unreadable now: what we have stays */
        if (replaced(r, path, klass, &row)) r->marks[row] |= SEEN;
        mni_note_skipped(r->hooks, path, p);
        r->report.n_skipped++;
        return MANN_OK;
    }
    if (p->result == MNI_PHOTO_OK) return add_photo(r, w, i, p, p->vector, err);
    const what m = match(r, path, klass, p->content_hash, &row);
    if (m == COPY) {
        float *v = w->vectors + slot * dim;
        mni_state_vector(r->s, row, v);
        return add_photo(r, w, i, p, v, err);
    }
    r->marks[row] |= SEEN;
    if (m == PRESENT || m == TWIN) {
        if (m == PRESENT) r->marks[row] |= HELD;
        else if (!r->twins[row]) r->twins[row] = i + 1;
        r->report.n_present++;
        return MANN_OK;
    }
    r->marks[row] |= AWAY;
    if (!mni_idmap_put(&r->added, content_of_class(klass, p->content_hash), 1))
        return no_memory(r, err);
    w->moved[w->n_moved++] = (mni_moved){ mni_state_id(r->s, row), klass, path };
    r->report.n_moved++;
    return MANN_OK;
}

static mann_status take_group(void *ctx, uint64_t first, size_t n,
                              const mni_photo *photos, mann_error *err)
{
    sync_run *r = ctx;
    const mann_sync_report before = r->report;
    group w = { .rows = mni_alloc(n, sizeof *w.rows),
                .moved = mni_alloc(n, sizeof *w.moved),
                .vectors = mni_alloc(n, r->s->base->meta.dim * sizeof *w.vectors) };
    mann_status s = w.rows && w.moved && w.vectors ? MANN_OK : no_memory(r, err);
    for (size_t i = 0; s == MANN_OK && i < n; i++)
        s = take_photo(r, &w, first + i, i, &photos[i], err);
    if (s == MANN_OK) s = mni_gallery_move(r->g, w.moved, w.n_moved, err);
    if (s == MANN_OK && w.n_rows) s = mni_gallery_add(r->g, w.rows, w.n_rows, NULL, err);
    if (s == MANN_OK) s = mni_gallery_fill_thumbs(r->g, photos, n, err);
    mni_free(w.rows);
    mni_free(w.moved);
    mni_free(w.vectors);
    if (s != MANN_OK) {
        r->report = before;             /* nothing is told that is not durable */
        return s;
    }
    return mni_gallery_fold_if_due(r->g, r->pool, r->hooks, err);
}

/* A copy was there, and the record's own path turned out to show something else: the
 * record takes the path of the copy. */
static mann_status take_paths_of_copies(sync_run *r, mann_error *err)
{
    const uint32_t n = mni_state_rows(r->s);
    mni_moved one;
    for (uint32_t row = 0; row < n; row++) {
        if (!r->twins[row] || (r->marks[row] & (IN_SET | HELD | AWAY)) != IN_SET)
            continue;
        one.id = mni_state_id(r->s, row);
        one.source = r->set->path(r->set->ctx, r->twins[row] - 1, &one.klass);
        MNI_TRY(mni_gallery_move(r->g, &one, 1, err));
        r->report.n_moved++;
        r->report.n_present--;
    }
    return MANN_OK;
}

/* --- what is left ------------------------------------------------------------------- */

static void note_gone(const sync_run *r, const mni_record *rec, int removed)
{
    char sentence[512];
    if (!r->hooks || !r->hooks->note) return;
    snprintf(sentence, sizeof sentence, "%s: %.*s", removed ? "removed" : "gone",
             rec->source_chars < 400 ? (int)rec->source_chars : 400, rec->source);
    r->hooks->note(r->hooks->user, MANN_NOTE_INFO, sentence);
}

/* A folder that the gallery knows and that is not there, or empty as the place is where
 * nothing is mounted; NULL: they all are. Who knows as many as there is room for may have
 * forgotten one; "." may have been another folder. */
static const char *absent_root(const sync_run *r)
{
    if (r->roots.n == MNI_MAX_ROOTS) return "more folders than a gallery remembers";
    for (uint32_t i = 0; i < r->roots.n; i++) {
        const char *root = r->roots.path[i], *set = r->set->root ? r->set->root : "";
        if (strcmp(root, ".") == 0 && strcmp(set, ".") != 0) return root;
        if (!mni_source_root_there(r->g->sources, root)) return root;
    }
    return NULL;
}

static void note_kept(const sync_run *r, const char *root)
{
    char sentence[512];
    if (!r->hooks || !r->hooks->note) return;
    snprintf(sentence, sizeof sentence,
             "nothing was removed: photos also came from %.300s, which is not there now",
             root);
    r->hooks->note(r->hooks->user, MANN_NOTE_WARNING, sentence);
}

/* A manifest's photos need not lie below their class: then a record whose photo is not in
 * it any more looks like one that was added by name, from a folder nobody knows. */
static void note_untold(const sync_run *r)
{
    char sentence[256];
    if (!r->n_untold || !r->hooks || !r->hooks->note || !is_a_list(r)) return;
    snprintf(sentence, sizeof sentence,
             "%llu records were kept that are not in this list: their paths do not begin "
             "with their class, so whether their photos are gone cannot be told; remove "
             "them by id or class",
             (unsigned long long)r->n_untold);
    r->hooks->note(r->hooks->user, MANN_NOTE_WARNING, sentence);
}

static mann_status finish_gone(sync_run *r, int gone, mann_error *err)
{
    const char *absent = gone == MANN_SYNC_REMOVE ? absent_root(r) : NULL;
    const int remove = gone && !absent;
    uint64_t *ids = mni_alloc(r->paths.n + 1, sizeof *ids);
    size_t n = 0, removed = 0;
    if (!ids) return no_memory(r, err);
    for (uint32_t row = 0; row < mni_state_rows(r->s); row++) {
        mni_record rec;
        if (!(r->marks[row] & (NOWHERE | IN_SET)) || (r->marks[row] & SEEN)) continue;
        mni_state_record(r->s, row, &rec);
        if (r->marks[row] & IN_SET && shown_by_another_root(r, &rec)) continue;
        ids[n++] = rec.id;
        note_gone(r, &rec, remove);
    }
    r->report.n_gone = n;
    mann_status s = MANN_OK;
    if (n && absent) note_kept(r, absent);
    note_untold(r);
    if (n && remove) s = mni_gallery_remove(r->g, ids, n, &removed, err);
    r->report.n_removed = removed;
    mni_free(ids);
    return s;
}

mann_status mni_gallery_sync(mni_gallery *g, const mni_photos *photos, int gone,
                             mni_pool *pool, const mann_hooks *h,
                             mann_sync_report *report, mann_error *err)
{
    mni_photos set = *photos;
    sync_run r = { .g = g, .set = &set, .pool = pool, .hooks = h };
    const mni_model *m;
    MNI_TRY(mni_gallery_must_write(g, err));
    MNI_TRY(mni_gallery_model(g, &m, err));
    if (photos->root) MNI_TRY(mni_gallery_add_root(g, photos->root, err));
    char root[4096];
    if (photos->root &&
        g->vfs->ops->absolute(g->vfs, photos->root, root, sizeof root, NULL) == MANN_OK)
        r.root = root;
    set.thumb_side = g->thumb_side;
    r.s = mni_gallery_state(g);
    mann_status s = mni_gallery_copy_roots(g, &r.roots, err);
    if (s == MANN_OK) s = list_rows(&r, err);
    if (s == MANN_OK) s = mark_rows(&r, err);
    if (s == MANN_OK)
        s = mni_embed_photos(m, &g->recipe, mni_gallery_views(g), &set, "sync",
                             is_known, take_group, &r,
                             pool, h, NULL, err);
    if (s == MANN_OK) s = take_paths_of_copies(&r, err);
    if (s == MANN_OK) s = finish_gone(&r, gone, err);
    r.report.struct_size = sizeof r.report;
    if (report) *report = r.report;
    mni_state_release(r.s);
    mni_free(r.contents.items);
    mni_free(r.paths.items);
    mni_free(r.marks);
    mni_free(r.twins);
    mni_idmap_fini(&r.added);
    mni_roots_fini(&r.roots);
    return s;
}
