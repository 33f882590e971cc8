/* sources.c - see sources.h.
 *
 *   data/photos.mann/mug/1.jpg        a file? no
 *   data/photos.mann/mug              a file? no, nor a folder
 *   data/photos.mann                  a file: a pack, ask it for mug/1.jpg
 *
 * Opening a pack walks through its list, so the last packs stay open. Each time the file
 * is looked at: another one in its place is opened anew.
 * SPDX-License-Identifier: MIT */
#include "recog/sources.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "os/thread.h"
#include "store/pack.h"

enum { KEPT = 4 };

typedef struct kept { char *path; mni_stat stat; mni_pack *pack; } kept;

struct mni_sources {
    const mni_vfs *vfs;
    mni_mutex lock;             /* guards the rest, and packs while they are read */
    kept kept[KEPT];            /* the one asked last first; pack NULL: free */
};

mann_status mni_sources_new(mni_sources **out, const mni_vfs *v, mann_error *err)
{
    mni_sources *s = *out = mni_alloc(1, sizeof *s);
    if (s && mni_mutex_init(&s->lock)) {
        s->vfs = v;
        return MANN_OK;
    }
    mni_free(s);
    *out = NULL;
    return mni_fail(err, MANN_E_NOMEM, "gallery: list of packs");
}

static void forget(kept *k)
{
    mni_pack_free(k->pack);
    mni_free(k->path);
    *k = (kept){ 0 };
}

void mni_sources_free(mni_sources *s)
{
    if (!s) return;
    for (int i = 0; i < KEPT; i++) forget(&s->kept[i]);
    mni_mutex_fini(&s->lock);
    mni_free(s);
}

static int same_file(const mni_stat *a, const mni_stat *b)
{
    return a->device == b->device && a->inode == b->inode && a->n_bytes == b->n_bytes &&
           a->mtime == b->mtime;
}

/* Under the lock: kept[0] becomes this pack. */
static mann_status open_pack(mni_sources *s, const char *path, const mni_stat *st,
                             mann_error *err)
{
    int at = 0;
    while (at < KEPT - 1 && s->kept[at].pack && strcmp(s->kept[at].path, path) != 0) at++;
    kept one = s->kept[at];
    if (one.pack && (strcmp(one.path, path) != 0 || !same_file(&one.stat, st)))
        forget(&one);
    memmove(s->kept + 1, s->kept, (size_t)at * sizeof one);
    s->kept[0] = one;
    if (one.pack) return MANN_OK;
    one = (kept){ mni_strdup(path), *st, NULL };
    if (!one.path) return mni_fail(err, MANN_E_NOMEM, "%s: path", path);
    const mann_status status = mni_pack_open(&one.pack, s->vfs, path, err);
    if (status != MANN_OK) { mni_free(one.path); return status; }
    s->kept[0] = one;
    return MANN_OK;
}

/* The pack that the path leads into: `file` is it, the result what is wanted of it; NULL:
 * the path leads into none. */
static const char *split(const mni_vfs *v, const char *path, mni_text *file, mni_stat *st)
{
    for (size_t n = strlen(path); n-- > 1;) {
        if (path[n] != '/') continue;
        mni_text_clear(file);
        mni_text_add_n(file, path, n);
        if (file->failed) return NULL;
        if (v->ops->stat(v, mni_text_get(file), st, NULL) != MANN_OK) continue;
        return st->kind == MNI_IS_FILE ? path + n + 1 : NULL;
    }
    return NULL;
}

/* bytes NULL: only, is it there? */
static mann_status ask_pack(mni_sources *s, const char *path, uint8_t **bytes,
                            size_t *n_bytes, mann_error *err)
{
    mni_text file = { 0 };
    mni_stat st;
    uint64_t i;
    const char *inside = split(s->vfs, path, &file, &st);
    if (!inside) {
        const int failed = file.failed;
        mni_text_fini(&file);
        return failed ? mni_fail(err, MANN_E_NOMEM, "%s: path", path) : MANN_E_NOT_FOUND;
    }
    mni_mutex_lock(&s->lock);
    mann_status status = open_pack(s, mni_text_get(&file), &st, err);
    if (status == MANN_OK) {
        const mni_pack *p = s->kept[0].pack;
        if (!mni_pack_find(p, inside, &i))
            status = mni_fail(err, MANN_E_NOT_FOUND, "%s: no such photo in that file",
                              path);
        else if (bytes) status = mni_pack_copy(p, i, bytes, n_bytes, err);
    }
    mni_mutex_unlock(&s->lock);
    mni_text_fini(&file);
    return status;
}

mann_status mni_source_read(mni_sources *s, const char *path, uint64_t limit,
                            uint8_t **bytes, size_t *n_bytes, mann_error *err)
{
    mann_error first = { MANN_OK, "" };
    mann_status status = mni_read_file(s->vfs, path, limit, bytes, n_bytes, &first);
    if (status == MANN_E_NOT_FOUND) {
        mann_error then = first;
        status = ask_pack(s, path, bytes, n_bytes, &then);
        first = then;
    }
    if (status == MANN_OK) return MANN_OK;
    return mni_fail(err, status, "%s", first.text);
}

mann_status mni_source_there(mni_sources *s, const char *path, mann_error *err)
{
    mni_stat st;
    const mann_status status = s->vfs->ops->stat(s->vfs, path, &st, err);
    return status == MANN_E_NOT_FOUND ? ask_pack(s, path, NULL, NULL, err) : status;
}

static int see_name(void *ctx, const char *name)
{
    if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) *(int *)ctx = 1;
    return 0;
}

int mni_source_root_there(mni_sources *s, const char *root)
{
    const mni_vfs *v = s->vfs;
    mni_stat st;
    int any = 0;
    if (v->ops->stat(v, root, &st, NULL) != MANN_OK) return 0;
    if (st.kind != MNI_IS_FILE)
        return v->ops->list(v, root, see_name, &any, NULL) == MANN_OK && any;
    mni_mutex_lock(&s->lock);
    any = open_pack(s, root, &st, NULL) == MANN_OK;
    mni_mutex_unlock(&s->lock);
    return any;
}
