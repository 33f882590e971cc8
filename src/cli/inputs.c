/* inputs.c - see inputs.h. SPDX-License-Identifier: MIT */
#include "cli/inputs.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "os/vfs.h"

enum { DEEPEST = 64 };                  /* folders inside folders */

typedef struct names { char **items; size_t n, cap; int failed; } names;

typedef struct walk {
    mni_inputs *in;
    int (*wanted)(const char *path);
    size_t root;
    uint64_t device[DEEPEST], inode[DEEPEST];   /* of the folders above */
    mann_error *err;
} walk;

static void names_fini(names *l)
{
    for (size_t i = 0; i < l->n; i++) mni_free(l->items[i]);
    mni_free(l->items);
}

static int remember(void *ctx, const char *name)
{
    names *l = ctx;
    if (name[0] == '.') return 0;
    char *copy = mni_strdup(name);
    if (!copy || !mni_grow((void **)&l->items, &l->cap, l->n + 1, sizeof *l->items)) {
        mni_free(copy);
        return l->failed = 1;
    }
    l->items[l->n++] = copy;
    return 0;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static mann_status add_one(mni_inputs *in, const char *path, size_t root, mann_error *err)
{
    char *copy = mni_strdup(path);
    if (!copy || !mni_grow((void **)&in->items, &in->cap, in->n + 1, sizeof *in->items)) {
        mni_free(copy);
        return mni_fail(err, MANN_E_NOMEM, "%s: list of files", path);
    }
    in->items[in->n++] = (mni_input){ copy, root };
    return MANN_OK;
}

static mann_status enter(walk *w, const char *dir, const mni_stat *st, unsigned depth);

static mann_status visit(walk *w, const char *path, unsigned depth)
{
    mni_stat st;
    if (mni_vfs_posix()->ops->stat(mni_vfs_posix(), path, &st, NULL) != MANN_OK)
        return MANN_OK;                 /* a link to nowhere, or gone meanwhile */
    if (st.kind == MNI_IS_DIR) return enter(w, path, &st, depth);
    if (st.kind != MNI_IS_FILE || !w->wanted(path)) return MANN_OK;
    return add_one(w->in, path, w->root, w->err);
}

static mann_status enter(walk *w, const char *dir, const mni_stat *st, unsigned depth)
{
    if (depth == DEEPEST)
        return mni_fail(w->err, MANN_E_LIMIT, "%s: more than %d folders deep", dir,
                        DEEPEST);
    for (unsigned i = 0; i < depth; i++)
        if (w->device[i] == st->device && w->inode[i] == st->inode) return MANN_OK;
    w->device[depth] = st->device;
    w->inode[depth] = st->inode;

    names list = { 0 };
    mann_status s = mni_vfs_posix()->ops->list(mni_vfs_posix(), dir, remember, &list,
                                               w->err);
    if (s == MANN_OK && list.failed)
        s = mni_fail(w->err, MANN_E_NOMEM, "%s: list of names", dir);
    if (list.n) qsort(list.items, list.n, sizeof *list.items, by_bytes);
    for (size_t i = 0; i < list.n && s == MANN_OK; i++) {
        mni_text path = { 0 };
        mni_path_join(&path, dir, list.items[i]);
        s = path.failed ? mni_fail(w->err, MANN_E_NOMEM, "%s: path", dir)
                        : visit(w, mni_text_get(&path), depth + 1);
        mni_text_fini(&path);
    }
    names_fini(&list);
    return s;
}

mann_status mni_inputs_add(mni_inputs *in, const char *path,
                           int (*wanted)(const char *path), mann_error *err)
{
    mni_stat st;
    MNI_TRY(mni_vfs_posix()->ops->stat(mni_vfs_posix(), path, &st, err));
    if (st.kind != MNI_IS_DIR) return add_one(in, path, 0, err);
    size_t n = strlen(path);
    walk w = {
        .in = in, .wanted = wanted, .root = n + (n && path[n - 1] != '/'), .err = err
    };
    if (strcmp(path, ".") == 0) w.root = 0;     /* mni_path_join leaves it away */
    return enter(&w, path, &st, 0);
}

mann_status mni_inputs_name(mni_inputs *in, const char *path, mann_error *err)
{
    return add_one(in, path, 0, err);
}

mann_status mni_inputs_pack(mni_inputs *in, const char *path, mann_error *err)
{
    mann_dataset *set;
    mni_text full = { 0 };
    MNI_TRY(mann_dataset_open(&set, path, NULL, err));
    const uint64_t n = mann_dataset_n_images(set);
    mann_status s = MANN_OK;
    for (uint64_t i = 0; s == MANN_OK && i < n; i++) {
        mni_text_clear(&full);
        mni_path_join(&full, path, mann_dataset_path(set, i, NULL));
        s = full.failed ? mni_fail(err, MANN_E_NOMEM, "%s: path", path)
                        : add_one(in, mni_text_get(&full), strlen(path) + 1, err);
    }
    mni_text_fini(&full);
    mann_dataset_free(set);
    return s;
}

void mni_inputs_fini(mni_inputs *in)
{
    for (size_t i = 0; i < in->n; i++) mni_free(in->items[i].path);
    mni_free(in->items);
    *in = (mni_inputs){ 0 };
}

void mni_input_class(const char *relative, char *out, size_t size)
{
    const char *slash = strchr(relative, '/');
    size_t n = slash ? (size_t)(slash - relative) : 0;
    if (n >= size) n = size - 1;
    memcpy(out, relative, n);
    out[n] = '\0';
}
