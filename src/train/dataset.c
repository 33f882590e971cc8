/* dataset.c - opening a data set: walking a folder of class folders, reading a manifest.
 * See dataset.h; stored.c has the list itself, packs, and the stores of others.
 *
 *   photos/            the data set
 *     readme.txt       not an image: ignored
 *     loose.png        an image without a class
 *     cat/             a class
 *       1.jpg          an image of it
 *       side/2.jpg     deeper folders belong to the class
 *     .cache/          dot files and folders are skipped
 *
 * A symbolic link to a folder is followed unless it leads back to a folder we are inside
 * of. SPDX-License-Identifier: MIT */
#include "train/dataset_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "image/image.h"

enum { MAX_DEPTH = 32, MAX_MANIFEST_BYTES = 1 << 30 };

static void tell(const mann_hooks *h, mann_note_level level, const char *name,
                 const char *what)
{
    char sentence[512];
    if (!h || !h->note) return;
    snprintf(sentence, sizeof sentence, "%s: %s", name, what);
    h->note(h->user, level, sentence);
}

/* --- one folder's names, sorted ----------------------------------------------------- */

typedef struct names { char **at; size_t n, cap; int failed; } names;

static int keep_name(void *ctx, const char *name)
{
    names *l = ctx;
    if (name[0] == '.') return 0;
    char *copy = mni_grow((void **)&l->at, &l->cap, l->n + 1, sizeof *l->at)
                     ? mni_strdup(name)
                     : NULL;
    if (!copy) { l->failed = 1; return 1; }
    l->at[l->n++] = copy;
    return 0;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_fini(names *l)
{
    for (size_t i = 0; i < l->n; i++) mni_free(l->at[i]);
    mni_free(l->at);
}

static mann_status list_names(const mni_vfs *v, const char *dir, names *l,
                              mann_error *err)
{
    *l = (names){ 0 };
    mann_status s = v->ops->list(v, dir, keep_name, l, err);
    if (s == MANN_OK && l->failed) s = mni_dataset_no_memory(err);
    if (s != MANN_OK) { names_fini(l); *l = (names){ 0 }; return s; }
    if (l->n) qsort(l->at, l->n, sizeof *l->at, by_bytes);
    return MANN_OK;
}

/* --- walking ------------------------------------------------------------------------ */

typedef struct walk {
    mni_dataset *d;
    const mann_hooks *hooks;
    mni_stat above[MAX_DEPTH];          /* the folders we are inside of */
    int depth;
    uint64_t n_odd;
} walk;

static int inside_already(const walk *w, const mni_stat *st)
{
    for (int i = 0; i < w->depth; i++)
        if (w->above[i].inode == st->inode && w->above[i].device == st->device &&
            st->inode)
            return 1;
    return 0;
}

static mann_status walk_folder(walk *w, const char *full, const char *relative,
                               uint32_t klass, mann_error *err);

/* One name of a folder: an image, a folder below, or something else. */
static mann_status visit(walk *w, const char *full, const char *relative,
                         const char *name, uint32_t klass, mann_error *err)
{
    mni_dataset *d = w->d;
    mni_stat st;
    if (d->vfs->ops->stat(d->vfs, full, &st, NULL) != MANN_OK) {
        tell(w->hooks, MANN_NOTE_WARNING, relative,
             "cannot be looked at (a broken link?); skipped");
        return MANN_OK;
    }
    if (st.kind == MNI_IS_FILE) {
        if (mni_image_name(name)) return mni_dataset_add(d, relative, klass, 0, 0, err);
        w->n_odd++;
        tell(w->hooks, MANN_NOTE_DETAIL, relative, "not an image by its name; ignored");
        return MANN_OK;
    }
    if (st.kind != MNI_IS_DIR) return MANN_OK;
    if (inside_already(w, &st) || w->depth >= MAX_DEPTH) {
        tell(w->hooks, MANN_NOTE_WARNING, relative,
             "leads back to a folder above it, or too deep; skipped");
        return MANN_OK;
    }
    size_t before = d->n_images;
    int is_class = w->depth == 1;
    if (is_class) MNI_TRY(mni_dataset_add_class(d, name, &klass, err));
    w->above[w->depth++] = st;
    mann_status s = walk_folder(w, full, relative, klass, err);
    w->depth--;
    if (s == MANN_OK && is_class && d->n_images == before) {
        tell(w->hooks, MANN_NOTE_WARNING, relative,
             "a class folder without an image; skipped");
        mni_free((void *)(uintptr_t)d->classes[--d->n_classes]);
    }
    return s;
}

static mann_status walk_folder(walk *w, const char *full, const char *relative,
                               uint32_t klass, mann_error *err)
{
    names l;
    mni_text path = { 0 }, below = { 0 };
    mann_status s = list_names(w->d->vfs, full, &l, err);
    /* one unreadable folder is not the end */
    if (s != MANN_OK && s != MANN_E_NOMEM && w->depth > 1) {
        tell(w->hooks, MANN_NOTE_WARNING, relative, "cannot be listed; skipped");
        return MANN_OK;
    }
    for (size_t i = 0; s == MANN_OK && i < l.n; i++) {
        mni_text_clear(&path);
        mni_text_clear(&below);
        mni_path_join(&path, full, l.at[i]);
        mni_path_join(&below, relative, l.at[i]);
        s = path.failed || below.failed
            ? mni_dataset_no_memory(err)
            : visit(w, mni_text_get(&path), mni_text_get(&below), l.at[i], klass, err);
    }
    mni_text_fini(&path);
    mni_text_fini(&below);
    names_fini(&l);
    return s;
}

/* --- manifest ----------------------------------------------------------------------- */

/* "path<TAB>class" or "path" a line; '#' starts a comment line; CR LF is fine. */
static mann_status split_lines(const char *name, char *text, mni_listed **lines,
                               size_t *n, mann_error *err)
{
    size_t cap = 0, number = 0;
    *lines = NULL;
    *n = 0;
    for (char *at = text, *end; *at; at = end) {
        end = at + strcspn(at, "\n");
        if (*end) *end++ = '\0';
        number++;
        size_t length = strlen(at);
        if (length && at[length - 1] == '\r') at[length - 1] = '\0';
        if (!*at || *at == '#') continue;
        char *tab = strchr(at, '\t');
        if (tab) *tab++ = '\0';
        if (!*at || (tab && !*tab))
            return mni_fail(err, MANN_E_FORMAT, "%s: line %zu: wanted path<TAB>class",
                            name, number);
        if (!mni_grow((void **)lines, &cap, *n + 1, sizeof **lines))
            return mni_dataset_no_memory(err);
        (*lines)[(*n)++] = (mni_listed){ .path = at, .klass = tab };
    }
    return MANN_OK;
}

static mann_status read_manifest(mni_dataset *d, const char *path, mann_error *err)
{
    uint8_t *bytes;
    size_t n_bytes, n;
    mni_listed *lines;
    MNI_TRY(mni_read_file(d->vfs, path, MAX_MANIFEST_BYTES, &bytes, &n_bytes, err));
    mann_status s = MANN_OK;
    if (memchr(bytes, '\0', n_bytes)) {
        s = mni_fail(err, MANN_E_FORMAT,
                     "%s: is neither a folder nor a manifest (lines of path<TAB>class)",
                     path);
        mni_free(bytes);
        return s;
    }
    s = split_lines(path, (char *)bytes, &lines, &n, err);
    if (s == MANN_OK) s = mni_dataset_list(d, lines, n, 1, err);
    mni_free(lines);
    mni_free(bytes);
    return s;
}

/* --- open --------------------------------------------------------------------------- */

static mann_status set_root(mni_dataset *d, const char *path, int is_folder,
                            mann_error *err)
{
    mni_text root = { 0 };
    if (is_folder) mni_text_add(&root, path);
    else mni_path_dir(&root, path);
    d->root = root.failed ? NULL : mni_strdup(mni_text_get(&root));
    mni_text_fini(&root);
    return d->root ? MANN_OK : mni_dataset_no_memory(err);
}

/* What is no folder is a pack, if it begins as one, or a manifest. */
static mann_status read_file(mni_dataset *d, const char *path, mann_error *err)
{
    char head[8];
    size_t got = 0;
    mni_file *f;
    MNI_TRY(mni_open(d->vfs, path, MNI_OPEN_READ, &f, err));
    mann_status s = mni_read(f, head, sizeof head, 0, &got, err);
    mni_close(f, NULL);
    if (s != MANN_OK) return s;
    if (got == sizeof head && memcmp(head, MNI_CONTAINER_MAGIC, sizeof head) == 0)
        return mni_dataset_read_pack(d, path, err);
    MNI_TRY(set_root(d, path, 0, err));
    return read_manifest(d, path, err);
}

mann_status mni_dataset_open(mni_dataset **out, const mni_vfs *v, const char *path,
                             const mann_hooks *h, mann_error *err)
{
    mni_stat st;
    *out = NULL;
    MNI_TRY(v->ops->stat(v, path, &st, err));
    mni_dataset *d = mni_alloc(1, sizeof *d);
    if (!d) return mni_dataset_no_memory(err);
    d->vfs = v;
    mann_status s;
    if (st.kind == MNI_IS_DIR) {
        walk w = { .d = d, .hooks = h, .depth = 1 };
        w.above[0] = st;
        s = set_root(d, path, 1, err);
        if (s == MANN_OK) s = walk_folder(&w, path, "", MANN_NO_CLASS, err);
        if (s == MANN_OK) s = mni_dataset_loose_last(d, err);
    } else {
        s = read_file(d, path, err);
    }
    if (s == MANN_OK && d->n_images == 0)
        s = mni_fail(err, MANN_E_NOT_FOUND,
                     "%s: holds no image (wanted class folders with PNG, JPEG, WebP, "
                     "GIF, BMP, PNM, TGA or QOI files, a manifest, or what 'pack' "
                     "wrote)",
                     path);
    if (s != MANN_OK) { mni_dataset_free(d); return s; }
    *out = d;
    return MANN_OK;
}

mann_status mni_dataset_files(mni_dataset **out, const mni_vfs *v,
                              const char *const *paths, size_t n, const char *klass,
                              mann_error *err)
{
    uint32_t number = MANN_NO_CLASS;
    *out = NULL;
    mni_dataset *d = mni_alloc(1, sizeof *d);
    if (!d) return mni_dataset_no_memory(err);
    d->vfs = v;
    mann_status s = set_root(d, ".", 1, err);
    if (s == MANN_OK && klass) s = mni_dataset_add_class(d, klass, &number, err);
    for (size_t i = 0; s == MANN_OK && i < n; i++)
        s = mni_dataset_add(d, paths[i], number, 0, 0, err);
    if (s != MANN_OK) { mni_dataset_free(d); return s; }
    *out = d;
    return MANN_OK;
}
