/* stored.c - the list of a data set, and where the bytes of its photos come from. See
 * dataset_parts.h. SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "train/dataset_parts.h"

#define MAX_FILE_BYTES (UINT64_C(1) << 30)

typedef unsigned long long ull;

mann_status mni_dataset_no_memory(mann_error *err)
{
    return mni_fail(err, MANN_E_NOMEM, "data set: list of files");
}

static void free_name(const char *name) { mni_free((void *)(uintptr_t)name); }

void mni_dataset_free(mni_dataset *d)
{
    if (!d) return;
    for (size_t i = 0; !d->views && i < d->n_images; i++) free_name(d->images[i].path);
    for (size_t i = 0; !d->views && i < d->n_classes; i++) free_name(d->classes[i]);
    if (d->store.close) d->store.close(d->store.user);
    mni_free(d->images);
    mni_free(d->classes);
    mni_free(d->root);
    mni_pack_free(d->pack);
    mni_free((void *)(uintptr_t)d->sets);
    mni_free(d->set_end);
    mni_free(d);
}

/* --- the list ----------------------------------------------------------------------- */

mann_status mni_dataset_add(mni_dataset *d, const char *path, uint32_t klass,
                            uint64_t key, uint64_t time, mann_error *err)
{
    if (!mni_grow((void **)&d->images, &d->images_cap, d->n_images + 1,
                  sizeof *d->images))
        return mni_dataset_no_memory(err);
    if (!d->views && !(path = mni_strdup(path))) return mni_dataset_no_memory(err);
    d->images[d->n_images++] = (mni_image_ref){ path, key, time, klass };
    return MANN_OK;
}

mann_status mni_dataset_add_class(mni_dataset *d, const char *name, uint32_t *klass,
                                  mann_error *err)
{
    if (!mni_grow((void **)&d->classes, &d->classes_cap, d->n_classes + 1,
                  sizeof *d->classes))
        return mni_dataset_no_memory(err);
    if (!d->views && !(name = mni_strdup(name))) return mni_dataset_no_memory(err);
    *klass = (uint32_t)d->n_classes;
    d->classes[d->n_classes++] = name;
    return MANN_OK;
}

static int by_class_then_key(const void *a, const void *b)
{
    const mni_listed *x = a, *y = b;
    int c = 0;
    if (!x->klass || !y->klass) c = x->klass ? -1 : y->klass ? 1 : 0;
    else c = strcmp(x->klass, y->klass);
    return c ? c : x->key < y->key ? -1 : x->key > y->key;
}

static int by_path_then_key(const void *a, const void *b)
{
    const mni_listed *x = a, *y = b;
    const int c = strcmp(x->path, y->path);
    return c ? c : x->key < y->key ? -1 : x->key > y->key;
}

/* A class is sorted by the keys of its photos, or by their paths. */
static void sort_list(mni_listed *list, size_t n, int by_path)
{
    if (n) qsort(list, n, sizeof *list, by_class_then_key);
    for (size_t i = 0, end; by_path && i < n; i = end) {
        const char *klass = list[i].klass;
        for (end = i + 1; end < n; end++)
            if (!klass ? list[end].klass != NULL : !list[end].klass ||
                strcmp(list[end].klass, klass) != 0)
                break;
        qsort(list + i, end - i, sizeof *list, by_path_then_key);
    }
}

mann_status mni_dataset_list(mni_dataset *d, mni_listed *list, size_t n, int by_path,
                             mann_error *err)
{
    uint32_t klass = MANN_NO_CLASS;
    sort_list(list, n, by_path);
    for (size_t i = 0; i < n; i++) {
        const mni_listed *one = &list[i];
        if (!one->klass) klass = MANN_NO_CLASS;
        else if (i == 0 || strcmp(one->klass, list[i - 1].klass) != 0)
            MNI_TRY(mni_dataset_add_class(d, one->klass, &klass, err));
        MNI_TRY(mni_dataset_add(d, one->path, klass, one->key, one->time, err));
    }
    return MANN_OK;
}

mann_status mni_dataset_loose_last(mni_dataset *d, mann_error *err)
{
    size_t kept = 0, n_loose = 0;
    mni_image_ref *loose = mni_alloc(d->n_images + 1, sizeof *loose);
    if (!loose) return mni_dataset_no_memory(err);
    for (size_t i = 0; i < d->n_images; i++) {
        if (d->images[i].klass == MANN_NO_CLASS) loose[n_loose++] = d->images[i];
        else d->images[kept++] = d->images[i];
    }
    if (n_loose) memcpy(d->images + kept, loose, n_loose * sizeof *loose);
    mni_free(loose);
    return MANN_OK;
}

uint32_t    mni_dataset_n_classes(const mni_dataset *d) { return (uint32_t)d->n_classes; }
uint64_t    mni_dataset_n_images(const mni_dataset *d) { return d->n_images; }
const char *mni_dataset_class(const mni_dataset *d, uint32_t klass)
{
    return d->classes[klass];
}
const char *mni_dataset_root(const mni_dataset *d) { return d->root; }

const char *mni_dataset_path(const mni_dataset *d, uint64_t image, uint32_t *klass)
{
    if (klass) *klass = d->images[image].klass;
    return d->images[image].path;
}

/* --- packs -------------------------------------------------------------------------- */

mann_status mni_dataset_read_pack(mni_dataset *d, const char *path, mann_error *err)
{
    d->views = 1;
    d->root = mni_strdup(path);
    if (!d->root) return mni_dataset_no_memory(err);
    MNI_TRY(mni_pack_open(&d->pack, d->vfs, path, err));
    const uint64_t n = mni_pack_n_photos(d->pack);
    for (uint32_t k = 0, ignored; k < mni_pack_n_classes(d->pack); k++)
        MNI_TRY(mni_dataset_add_class(d, mni_pack_class(d->pack, k), &ignored, err));
    for (uint64_t i = 0; i < n; i++) {
        const mni_pack_photo p = mni_pack_at(d->pack, i);
        MNI_TRY(mni_dataset_add(d, p.path, p.klass, i, p.time, err));
    }
    return MANN_OK;
}

/* --- stores of others --------------------------------------------------------------- */

typedef struct taking {                 /* what the store tells, copied */
    mni_dataset *d;
    mni_listed *list;
    size_t n, cap;
    mann_status status;                 /* of the first call of tell that failed */
    mann_error why;
} taking;

static mann_status take_photo(taking *t, const mann_stored *photo)
{
    mann_stored p = { .struct_size = sizeof p };
    const size_t size = photo ? photo->struct_size : 0;
    if (size < sizeof p.struct_size || size > 4096)
        return mni_fail(&t->why, MANN_E_ARG, "a photo of struct_size %zu", size);
    memcpy(&p, photo, size < sizeof p ? size : sizeof p);
    if (!p.path || !*p.path || (p.klass && !*p.klass))
        return mni_fail(&t->why, MANN_E_ARG, "a photo without %s",
                        p.path && *p.path ? "a name for its class" : "a path");
    if (!mni_grow((void **)&t->list, &t->cap, t->n + 1, sizeof *t->list))
        return mni_dataset_no_memory(&t->why);
    mni_listed one = { mni_strdup(p.path), NULL, p.key, p.time };
    if (p.klass) one.klass = mni_strdup(p.klass);
    if (!one.path || (p.klass && !one.klass)) {
        free_name(one.path);
        free_name(one.klass);
        return mni_dataset_no_memory(&t->why);
    }
    t->list[t->n++] = one;
    return MANN_OK;
}

static mann_status tell(void *to, const mann_stored *photo)
{
    taking *t = to;
    if (t->status == MANN_OK) t->status = take_photo(t, photo);
    return t->status;
}

/* A store says what it likes: any number is a status, and the sentence may be missing. */
static mann_status from_outside(mann_status s, mann_error *mine, const char *what,
                                mann_error *err)
{
    if (s == MANN_OK) return MANN_OK;
    if ((int)s < 0 || s > MANN_E_BUDGET) s = MANN_E_IO;
    mine->text[sizeof mine->text - 1] = '\0';
    return mni_fail(err, s, "%s: %s", what,
                    mine->text[0] ? mine->text : mann_status_name(s));
}

mann_status mni_dataset_from_storage(mni_dataset **out, const mann_storage *store,
                                     mann_error *err)
{
    *out = NULL;
    mni_dataset *d = mni_alloc(1, sizeof *d);
    if (!d) return mni_dataset_no_memory(err);
    taking t = { .d = d };
    mann_error mine = { MANN_OK, "" };
    mann_status s = store->list(store->user, tell, &t, &mine);
    if (t.status != MANN_OK) s = from_outside(t.status, &t.why, "store", err);
    else s = from_outside(s, &mine, "store", err);
    if (s == MANN_OK) s = mni_dataset_list(d, t.list, t.n, 1, err);
    if (s == MANN_OK && t.n == 0)
        s = mni_fail(err, MANN_E_NOT_FOUND, "store: holds no photo");
    for (size_t i = 0; i < t.n; i++) {
        free_name(t.list[i].path);
        free_name(t.list[i].klass);
    }
    mni_free(t.list);
    if (s != MANN_OK) { mni_dataset_free(d); return s; }
    d->store = *store;                  /* from here on close is ours to call */
    *out = d;
    return MANN_OK;
}

typedef struct filling { uint8_t *bytes; size_t n, cap; mann_status status; } filling;

/* One byte more than there are: readers of text like a zero behind them. */
static int make_room(filling *f, uint64_t n)
{
    if (n > MAX_FILE_BYTES) f->status = MANN_E_LIMIT;
    else if (!mni_grow((void **)&f->bytes, &f->cap, (size_t)n + 1, 1))
        f->status = MANN_E_NOMEM;
    return f->status == MANN_OK;
}

static mann_status put(void *to, const void *bytes, size_t n_bytes)
{
    filling *f = to;
    if (f->status != MANN_OK || !make_room(f, (uint64_t)f->n + n_bytes)) return f->status;
    if (n_bytes) memcpy(f->bytes + f->n, bytes, n_bytes);
    f->n += n_bytes;
    return MANN_OK;
}

static mann_status read_stored(const mni_dataset *d, const mni_image_ref *image,
                               uint8_t **bytes, size_t *n_bytes, uint64_t *time,
                               mann_error *err)
{
    const mann_storage *store = &d->store;
    const mann_stored photo = {
        .struct_size = sizeof photo, .path = image->path, .key = image->key,
        .klass = image->klass == MANN_NO_CLASS ? NULL : d->classes[image->klass],
        .time = image->time
    };
    mann_error mine = { MANN_OK, "" };
    filling f = { .status = MANN_OK };
    uint64_t size = 0;
    mann_status s = MANN_OK;
    *time = image->time;
    if (store->stat) s = store->stat(store->user, &photo, &size, time, &mine);
    if (s == MANN_OK && make_room(&f, size))
        s = store->read(store->user, &photo, put, &f, &mine);
    if (f.status != MANN_OK)
        s = mni_fail(err, f.status, "%s: %s", image->path,
                     f.status == MANN_E_LIMIT ? "more than 1 GiB" : "no memory for it");
    else s = from_outside(s, &mine, image->path, err);
    if (s != MANN_OK) { mni_free(f.bytes); return s; }
    f.bytes[f.n] = 0;
    *bytes = f.bytes;
    *n_bytes = f.n;
    return MANN_OK;
}

/* --- bytes -------------------------------------------------------------------------- */

static mann_status read_below_root(const mni_dataset *d, const char *path,
                                   uint8_t **bytes, size_t *n_bytes, uint64_t *mtime,
                                   mann_error *err)
{
    mni_text full = { 0 };
    mni_stat st;
    /* a manifest may name absolute paths */
    if (path[0] == '/') mni_text_add(&full, path);
    else mni_path_join(&full, d->root, path);
    mann_status s = full.failed
                        ? mni_dataset_no_memory(err)
                        : d->vfs->ops->stat(d->vfs, mni_text_get(&full), &st, err);
    if (s == MANN_OK) {
        *mtime = st.mtime;
        s = mni_read_file(d->vfs, mni_text_get(&full), MAX_FILE_BYTES, bytes, n_bytes,
                          err);
    }
    mni_text_fini(&full);
    return s;
}

mann_status mni_dataset_bytes(const mni_dataset *d, uint64_t image, uint8_t **bytes,
                              size_t *n_bytes, uint64_t *mtime, mann_error *err)
{
    const mni_image_ref *i = &d->images[image];
    if (d->whole) return mni_dataset_bytes(d->whole, i->key, bytes, n_bytes, mtime, err);
    if (d->sets)
        return mni_dataset_bytes(d->sets[i->time], i->key, bytes, n_bytes, mtime, err);
    if (d->pack) {
        *mtime = i->time;
        return mni_pack_copy(d->pack, i->key, bytes, n_bytes, err);
    }
    if (d->store.read) return read_stored(d, i, bytes, n_bytes, mtime, err);
    return read_below_root(d, i->path, bytes, n_bytes, mtime, err);
}

/* --- parts -------------------------------------------------------------------------- */

/* Of "train/mug/side/1.jpg": "mug/side/1.jpg", whose class is "mug". */
static mann_status list_below(mni_dataset *d, const mni_dataset *set, const char *name,
                              mann_error *err)
{
    const size_t n = strlen(name);
    mni_listed *list = mni_alloc(set->n_images + 1, sizeof *list);
    mni_buf classes = { 0 };            /* names cut out of paths, one behind the other */
    size_t n_list = 0;
    if (!list) return mni_dataset_no_memory(err);
    for (size_t i = 0; i < set->n_images; i++) {
        const char *path = set->images[i].path;
        if (strncmp(path, name, n) != 0 || path[n] != '/' || !path[n + 1]) continue;
        list[n_list++] = (mni_listed){ .path = path + n + 1, .key = i };
        const size_t n_class = strcspn(path + n + 1, "/");
        if (path[n + 1 + n_class]) mni_buf_add(&classes, path + n + 1, n_class);
        mni_buf_u8(&classes, 0);
    }
    const char *at = (const char *)classes.bytes;
    for (size_t i = 0; !classes.failed && i < n_list; i++, at += strlen(at) + 1)
        if (*at) list[i].klass = at;
    mann_status s = classes.failed ? mni_dataset_no_memory(err)
                                   : mni_dataset_list(d, list, n_list, 0, err);
    mni_buf_fini(&classes);
    mni_free(list);
    return s;
}

mann_status mni_dataset_below(mni_dataset **out, const mni_dataset *set, const char *name,
                              const mann_hooks *h, mann_error *err)
{
    mni_text path = { 0 };
    *out = NULL;
    if (!set->pack && !set->store.read && !set->whole) {
        mni_path_join(&path, set->root, name);
        const mann_status s =
            path.failed ? mni_dataset_no_memory(err)
                        : mni_dataset_open(out, set->vfs, mni_text_get(&path), h, err);
        mni_text_fini(&path);
        return s;
    }
    mni_dataset *d = mni_alloc(1, sizeof *d);
    if (!d) return mni_dataset_no_memory(err);
    d->whole = set;
    mann_status s = list_below(d, set, name, err);
    if (s == MANN_OK && d->n_images == 0)
        s = mni_fail(err, MANN_E_NOT_FOUND, "no photo has a path below '%s'", name);
    if (s != MANN_OK) { mni_dataset_free(d); return s; }
    *out = d;
    return MANN_OK;
}
