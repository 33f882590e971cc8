/* exported_thumbs.c - thumbnails of an exported gallery: DIR/thumbs/ID.jpg.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "cli/exported.h"

enum { MOST_BYTES = 65535, GROUP = 256 };       /* of one; of a commit */

/* "17.jpg" -> 17 */
static int id_of(const char *name, uint64_t *id)
{
    char digits[24];
    const size_t n = strlen(name);
    if (n < 5 || n > 24 || strcmp(name + n - 4, ".jpg") != 0) return 0;
    memcpy(digits, name, n - 4);
    digits[n - 4] = '\0';
    return mni_parse_u64(digits, id);
}

typedef struct listed { uint64_t *ids; size_t n, cap; int failed; } listed;

static int list_one(void *ctx, const char *name)
{
    listed *l = ctx;
    uint64_t id;
    if (!id_of(name, &id)) return 0;
    if (!mni_grow((void **)&l->ids, &l->cap, l->n + 1, sizeof *l->ids))
        return l->failed = 1;
    l->ids[l->n++] = id;
    return 0;
}

/* What there is in DIR/thumbs; nothing if it is not there. */
static mann_status list_thumbs(mni_cli *c, const char *folder, listed *l)
{
    const mni_vfs *v = mni_vfs_posix();
    mni_stat st;
    if (v->ops->stat(v, folder, &st, NULL) != MANN_OK || st.kind != MNI_IS_DIR)
        return MANN_OK;
    MNI_TRY(v->ops->list(v, folder, list_one, l, &c->err));
    return l->failed ? mni_fail(&c->err, MANN_E_NOMEM, "%s: list of names", folder)
                     : MANN_OK;
}

static void path_of(mni_text *path, const char *folder, uint64_t id)
{
    mni_text_clear(path);
    mni_text_f(path, "%s/%llu.jpg", folder, (unsigned long long)id);
}

static mann_status write_file(mni_cli *c, const char *path, const void *bytes, size_t n)
{
    mni_file *f;
    MNI_TRY(mni_open(mni_vfs_posix(), path,
                     MNI_OPEN_WRITE | MNI_OPEN_CREATE | MNI_OPEN_TRUNCATE, &f, &c->err));
    const mann_status s = mni_write(f, bytes, n, 0, &c->err);
    const mann_status closed = mni_close(f, s == MANN_OK ? &c->err : NULL);
    return s == MANN_OK ? closed : s;
}

static mann_status export_all(mni_cli *c, mann_gallery *g, const uint64_t *ids, size_t n,
                              const char *folder, uint8_t *jpeg)
{
    const mni_vfs *v = mni_vfs_posix();
    mni_text path = { 0 };
    mann_status s = MANN_OK;
    int made = 0;
    for (size_t i = 0; s == MANN_OK && i < n; i++) {
        size_t n_bytes;
        if (mann_gallery_thumb(g, ids[i], jpeg, MOST_BYTES, &n_bytes, NULL) != MANN_OK)
            continue;
        if (!made) s = v->ops->mkdir(v, folder, &c->err);
        made = 1;
        path_of(&path, folder, ids[i]);
        if (s == MANN_OK)
            s = path.failed ? mni_fail(&c->err, MANN_E_NOMEM, "%s: path", folder)
                            : write_file(c, mni_text_get(&path), jpeg, n_bytes);
    }
    mni_text_fini(&path);
    return s;
}

mann_status mni_thumbs_export(mni_cli *c, mann_gallery *g, const uint64_t *ids, size_t n,
                              const char *dir)
{
    const mni_vfs *v = mni_vfs_posix();
    mni_text folder = { 0 }, path = { 0 };
    listed old = { 0 };
    uint8_t *jpeg = mni_alloc(MOST_BYTES, 1);
    mni_path_join(&folder, dir, "thumbs");
    mann_status s = jpeg && !folder.failed
                        ? list_thumbs(c, mni_text_get(&folder), &old)
                        : mni_fail(&c->err, MANN_E_NOMEM, "thumbnails");
    for (size_t i = 0; s == MANN_OK && i < old.n; i++) {
        path_of(&path, mni_text_get(&folder), old.ids[i]);
        if (!path.failed) v->ops->remove(v, mni_text_get(&path), NULL);
    }
    if (s == MANN_OK) s = export_all(c, g, ids, n, mni_text_get(&folder), jpeg);
    mni_free(jpeg);
    mni_free(old.ids);
    mni_text_fini(&folder);
    mni_text_fini(&path);
    return s;
}

static mann_status import_group(mni_cli *c, mann_gallery *g, const char *folder,
                                const uint64_t *ids, size_t n)
{
    mann_thumb thumbs[GROUP];
    uint8_t *bytes[GROUP] = { NULL };
    mni_text path = { 0 };
    mann_status s = MANN_OK;
    for (size_t i = 0; s == MANN_OK && i < n; i++) {
        size_t n_bytes = 0;
        path_of(&path, folder, ids[i]);
        s = mni_read_file(mni_vfs_posix(), mni_text_get(&path), MOST_BYTES, &bytes[i],
                          &n_bytes, &c->err);
        if (s != MANN_OK) bytes[i] = NULL;
        thumbs[i] = (mann_thumb){ ids[i], bytes[i], n_bytes };
    }
    if (s == MANN_OK) s = mann_gallery_put_thumbs(g, thumbs, n, &c->err);
    for (size_t i = 0; i < n; i++) mni_free(bytes[i]);
    mni_text_fini(&path);
    return s;
}

mann_status mni_thumbs_import(mni_cli *c, mann_gallery *g, const char *dir)
{
    mni_text folder = { 0 };
    listed l = { 0 };
    mni_path_join(&folder, dir, "thumbs");
    mann_status s = folder.failed ? mni_fail(&c->err, MANN_E_NOMEM, "thumbnails")
                                  : list_thumbs(c, mni_text_get(&folder), &l);
    for (size_t at = 0; s == MANN_OK && at < l.n; at += GROUP)
        s = import_group(c, g, mni_text_get(&folder), l.ids + at,
                         l.n - at < GROUP ? l.n - at : GROUP);
    mni_free(l.ids);
    mni_text_fini(&folder);
    return s;
}
