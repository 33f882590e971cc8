/* pack_write.c - a data set becomes one file, photo by photo. See pack.h.
 *
 *   | DATA: photo photo photo ...  | PHOT | PATH | SORT | CLAS |
 *     \_ streamed, forgotten _____/  \_ kept in memory until the end _/
 *
 * The file's uuid is a hash of all lists, which hold the hashes of all photos: the same
 * photos under the same names give the same file. SPDX-License-Identifier: MIT */
#include "store/pack.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kern/crc32c.h"
#include "store/pack_disk.h"

struct mni_pack_writer {
    mni_writer *file;
    const char *const *classes;
    uint32_t n_classes;
    mni_disk_photo *photos;
    size_t n_photos, cap;
    mni_buf paths;
    uint64_t at;                            /* bytes of DATA so far */
};

static mann_status no_memory(mann_error *err)
{
    return mni_fail(err, MANN_E_NOMEM, "pack: list of photos");
}

static mann_status check_classes(const char *const *classes, uint32_t n, mann_error *err)
{
    for (uint32_t k = 0; k < n; k++)
        if (!classes[k][0] || (k && strcmp(classes[k - 1], classes[k]) >= 0))
            return mni_fail(err, MANN_E_ARG,
                            "pack: classes must have names, sorted, each once: '%.80s'",
                            classes[k]);
    return MANN_OK;
}

mann_status mni_pack_new(mni_pack_writer **out, const mni_vfs *v, const char *path,
                         const char *const *classes, uint32_t n_classes, mann_error *err)
{
    *out = NULL;
    MNI_TRY(check_classes(classes, n_classes, err));
    mni_pack_writer *w = mni_alloc(1, sizeof *w);
    if (!w) return no_memory(err);
    w->classes = classes;
    w->n_classes = n_classes;
    const mann_status s = mni_writer_new(&w->file, v, path, MNI_FILE_DATA,
                                         mni_uuid_from(0, 0), 1, err);
    if (s != MANN_OK) { mni_pack_abort(w); return s; }
    mni_writer_begin(w->file, "DATA", MNI_BYTES, MNI_ALIGN_PAGE);
    *out = w;
    return MANN_OK;
}

static void release(mni_pack_writer *w)
{
    mni_free(w->photos);
    mni_buf_fini(&w->paths);
    mni_free(w);
}

void mni_pack_abort(mni_pack_writer *w)
{
    if (!w) return;
    mni_writer_abort(w->file);
    release(w);
}

mann_status mni_pack_put(mni_pack_writer *w, const char *path, uint32_t klass,
                         const void *bytes, size_t n_bytes, uint64_t time,
                         mann_error *err)
{
    if (!path[0] || (klass != MANN_NO_CLASS && klass >= w->n_classes) ||
        (w->n_photos && klass < w->photos[w->n_photos - 1].klass))
        return mni_fail(err, MANN_E_ARG,
                        "pack: photos come with a path, in order of their classes: "
                        "'%.80s'",
                        path);
    if (n_bytes > MNI_PACK_MOST_BYTES)
        return mni_fail(err, MANN_E_LIMIT, "%s: %llu bytes, at most 1 GiB", path,
                        (unsigned long long)n_bytes);
    if (w->n_photos >= UINT32_MAX)
        return mni_fail(err, MANN_E_LIMIT, "pack: more than %u photos", UINT32_MAX);
    if (!mni_grow((void **)&w->photos, &w->cap, w->n_photos + 1, sizeof *w->photos))
        return no_memory(err);
    mni_disk_photo *p = &w->photos[w->n_photos];
    *p = (mni_disk_photo){ .at = w->at, .n_bytes = n_bytes, .time = time,
                           .content_hash = mni_hash_bytes(bytes, n_bytes, 0),
                           .path_at = w->paths.n_bytes, .klass = klass,
                           .crc = mni_crc32c(0, bytes, n_bytes) };
    mni_buf_add(&w->paths, path, strlen(path) + 1);
    if (w->paths.failed) return no_memory(err);
    mni_writer_put(w->file, bytes, n_bytes);    /* a failure is told by finish */
    w->at += n_bytes;
    w->n_photos++;
    return MANN_OK;
}

/* --- the end ------------------------------------------------------------------------ */

typedef struct sortable { const char *path; uint32_t i; } sortable;

static int by_path(const void *a, const void *b)
{
    const sortable *x = a, *y = b;
    const int c = strcmp(x->path, y->path);
    return c ? c : x->i < y->i ? -1 : x->i > y->i;
}

static mann_status put_sorted(mni_pack_writer *w, mann_error *err)
{
    sortable *list = mni_alloc(w->n_photos + 1, sizeof *list);
    if (!list) return no_memory(err);
    for (size_t i = 0; i < w->n_photos; i++)
        list[i] = (sortable){ (const char *)w->paths.bytes + w->photos[i].path_at,
                              (uint32_t)i };
    if (w->n_photos) qsort(list, w->n_photos, sizeof *list, by_path);
    mni_writer_begin(w->file, "SORT", MNI_U32, MNI_ALIGN_SECTION);
    for (size_t i = 0; i < w->n_photos; i++)
        mni_writer_put(w->file, &list[i].i, sizeof list[i].i);
    mni_writer_end(w->file);
    mni_free(list);
    return MANN_OK;
}

mann_status mni_pack_finish(mni_pack_writer *w, mann_error *err)
{
    const uint64_t head[MNI_PACK_HEAD] = { MNI_PACK_LAYOUT, w->n_photos, w->n_classes };
    const size_t photo_bytes = w->n_photos * sizeof *w->photos;
    uint64_t hash = 0;
    if (w->n_photos) {
        hash = mni_hash_bytes(w->photos, photo_bytes, hash);
        hash = mni_hash_bytes(w->paths.bytes, w->paths.n_bytes, hash);
    }
    mni_writer_end(w->file);
    mni_writer_section(w->file, "PACK", MNI_U64, MNI_ALIGN_SECTION, head, sizeof head);
    mni_writer_section(w->file, "PHOT", MNI_U64, MNI_ALIGN_SECTION, w->photos,
                       photo_bytes);
    mni_writer_section(w->file, "PATH", MNI_BYTES, MNI_ALIGN_SECTION, w->paths.bytes,
                       w->paths.n_bytes);
    mann_status s = put_sorted(w, err);
    mni_writer_begin(w->file, "CLAS", MNI_BYTES, MNI_ALIGN_SECTION);
    for (uint32_t k = 0; k < w->n_classes; k++) {
        const size_t n = strlen(w->classes[k]) + 1;
        mni_writer_put(w->file, w->classes[k], n);
        hash = mni_hash_bytes(w->classes[k], n, hash);
    }
    mni_writer_end(w->file);
    if (s != MANN_OK) { mni_pack_abort(w); return s; }
    mni_writer_identify(w->file, mni_uuid_from(w->n_photos, hash));
    s = mni_writer_finish(w->file, err);
    release(w);
    return s;
}
