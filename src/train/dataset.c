/* dataset.c - walking a folder of class folders, or reading a manifest. See dataset.h.
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
#include "train/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "image/image.h"

enum { MAX_DEPTH = 32, MAX_MANIFEST_BYTES = 1 << 30 };
#define MAX_FILE_BYTES (1ull << 30)

typedef struct image_ref { char *path; uint32_t klass; } image_ref;

struct mann_dataset {
    const mni_vfs *vfs;
    char *root;
    image_ref *images;
    size_t n_images, images_cap;
    char **classes;
    size_t n_classes, classes_cap;
    uint32_t n_sets, *set_end; /* joined: behind the last class of each; else NULL */
};

void mni_dataset_free(mni_dataset *d)
{
    if (!d) return;
    for (size_t i = 0; i < d->n_images; i++) mni_free(d->images[i].path);
    for (size_t i = 0; i < d->n_classes; i++) mni_free(d->classes[i]);
    mni_free(d->images);
    mni_free(d->classes);
    mni_free(d->root);
    mni_free(d->set_end);
    mni_free(d);
}

static mann_status no_memory(mann_error *err)
{
    return mni_fail(err, MANN_E_NOMEM, "data set: list of files");
}

static void tell(const mann_hooks *h, mann_note_level level, const char *name,
                 const char *what)
{
    char sentence[512];
    if (!h || !h->note) return;
    snprintf(sentence, sizeof sentence, "%s: %s", name, what);
    h->note(h->user, level, sentence);
}

static mann_status add_image(mni_dataset *d, const char *path, uint32_t klass,
                             mann_error *err)
{
    if (!mni_grow((void **)&d->images, &d->images_cap, d->n_images + 1,
                  sizeof *d->images))
        return no_memory(err);
    char *copy = mni_strdup(path);
    if (!copy) return no_memory(err);
    d->images[d->n_images++] = (image_ref){ copy, klass };
    return MANN_OK;
}

static mann_status add_class(mni_dataset *d, const char *name, uint32_t *klass,
                             mann_error *err)
{
    if (!mni_grow((void **)&d->classes, &d->classes_cap, d->n_classes + 1,
                  sizeof *d->classes))
        return no_memory(err);
    char *copy = mni_strdup(name);
    if (!copy) return no_memory(err);
    *klass = (uint32_t)d->n_classes;
    d->classes[d->n_classes++] = copy;
    return MANN_OK;
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
    if (s == MANN_OK && l->failed) s = no_memory(err);
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
        if (mni_image_name(name)) return add_image(d, relative, klass, err);
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
    if (is_class) MNI_TRY(add_class(d, name, &klass, err));
    w->above[w->depth++] = st;
    mann_status s = walk_folder(w, full, relative, klass, err);
    w->depth--;
    if (s == MANN_OK && is_class && d->n_images == before) {
        tell(w->hooks, MANN_NOTE_WARNING, relative,
             "a class folder without an image; skipped");
        mni_free(d->classes[--d->n_classes]);
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
            ? no_memory(err)
            : visit(w, mni_text_get(&path), mni_text_get(&below), l.at[i], klass, err);
    }
    mni_text_fini(&path);
    mni_text_fini(&below);
    names_fini(&l);
    return s;
}

/* --- manifest ----------------------------------------------------------------------- */

typedef struct line { const char *path, *klass; size_t number; } line;

static int by_class_then_path(const void *a, const void *b)
{
    const line *x = a, *y = b;
    if (!x->klass || !y->klass)
        return x->klass ? -1 : y->klass ? 1 : strcmp(x->path, y->path);
    int c = strcmp(x->klass, y->klass);
    return c ? c : strcmp(x->path, y->path);
}

/* "path<TAB>class" or "path" a line; '#' starts a comment line; CR LF is fine. */
static mann_status split_lines(const char *name, char *text, line **lines, size_t *n,
                               mann_error *err)
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
            return no_memory(err);
        (*lines)[(*n)++] = (line){ at, tab, number };
    }
    return MANN_OK;
}

static mann_status read_manifest(mni_dataset *d, const char *path, mann_error *err)
{
    uint8_t *bytes;
    size_t n_bytes, n;
    line *lines;
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
    if (s == MANN_OK && n) qsort(lines, n, sizeof *lines, by_class_then_path);
    uint32_t klass = MANN_NO_CLASS;
    for (size_t i = 0; s == MANN_OK && i < n; i++) {
        if (!lines[i].klass) klass = MANN_NO_CLASS;
        else if (i == 0 || strcmp(lines[i].klass, lines[i - 1].klass) != 0)
            s = add_class(d, lines[i].klass, &klass, err);
        if (s == MANN_OK) s = add_image(d, lines[i].path, klass, err);
    }
    mni_free(lines);
    mni_free(bytes);
    return s;
}

/* --- open --------------------------------------------------------------------------- */

/* The walk meets classes and paths in order; images without a class go behind all
 * others. */
static mann_status classless_last(mni_dataset *d, mann_error *err)
{
    size_t kept = 0, n_loose = 0;
    image_ref *loose = mni_alloc(d->n_images + 1, sizeof *loose);
    if (!loose) return no_memory(err);
    for (size_t i = 0; i < d->n_images; i++) {
        if (d->images[i].klass == MANN_NO_CLASS) loose[n_loose++] = d->images[i];
        else d->images[kept++] = d->images[i];
    }
    if (n_loose) memcpy(d->images + kept, loose, n_loose * sizeof *loose);
    mni_free(loose);
    return MANN_OK;
}

static mann_status set_root(mni_dataset *d, const char *path, int is_folder,
                            mann_error *err)
{
    mni_text root = { 0 };
    if (is_folder) mni_text_add(&root, path);
    else mni_path_dir(&root, path);
    d->root = root.failed ? NULL : mni_strdup(mni_text_get(&root));
    mni_text_fini(&root);
    return d->root ? MANN_OK : no_memory(err);
}

mann_status mni_dataset_open(mni_dataset **out, const mni_vfs *v, const char *path,
                             const mann_hooks *h, mann_error *err)
{
    mni_stat st;
    *out = NULL;
    MNI_TRY(v->ops->stat(v, path, &st, err));
    mni_dataset *d = mni_alloc(1, sizeof *d);
    if (!d) return no_memory(err);
    d->vfs = v;
    mann_status s = set_root(d, path, st.kind == MNI_IS_DIR, err);
    if (s == MANN_OK && st.kind == MNI_IS_DIR) {
        walk w = { .d = d, .hooks = h, .depth = 1 };
        w.above[0] = st;
        s = walk_folder(&w, path, "", MANN_NO_CLASS, err);
        if (s == MANN_OK) s = classless_last(d, err);
    } else if (s == MANN_OK) {
        s = read_manifest(d, path, err);
    }
    if (s == MANN_OK && d->n_images == 0)
        s = mni_fail(err, MANN_E_NOT_FOUND,
                     "%s: holds no image (wanted class folders with PNG, JPEG, WebP, "
                     "GIF, BMP, PNM, TGA or QOI files, or a manifest)",
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
    if (!d) return no_memory(err);
    d->vfs = v;
    mann_status s = set_root(d, ".", 1, err);
    if (s == MANN_OK && klass) s = add_class(d, klass, &number, err);
    for (size_t i = 0; s == MANN_OK && i < n; i++)
        s = add_image(d, paths[i], number, err);
    if (s != MANN_OK) { mni_dataset_free(d); return s; }
    *out = d;
    return MANN_OK;
}

/* --- several as one ----------------------------------------------------------------- */

/* The last part of a set's path; made another one where two are called the same. */
static void set_name(const mni_dataset *const *sets, size_t i, mni_text *out)
{
    const char *name = mni_path_name(sets[i]->root);
    int again = !*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
    for (size_t j = 0; j < i && !again; j++)
        again = strcmp(name, mni_path_name(sets[j]->root)) == 0;
    if (again) mni_text_f(out, "%s%zu", name, i + 1);
    else mni_text_add(out, name);
}

static mann_status join_classes(mni_dataset *d, const mni_dataset *const *sets, size_t i,
                                mann_error *err)
{
    mni_text name = { 0 };
    mann_status s = MANN_OK;
    for (size_t k = 0; s == MANN_OK && k < sets[i]->n_classes; k++) {
        uint32_t number;
        mni_text_clear(&name);
        set_name(sets, i, &name);
        mni_text_f(&name, "/%s", sets[i]->classes[k]);
        s = name.failed ? no_memory(err)
                        : add_class(d, mni_text_get(&name), &number, err);
    }
    d->set_end[i] = (uint32_t)d->n_classes;
    mni_text_fini(&name);
    return s;
}

static mann_status join_images(mni_dataset *d, const mni_dataset *from, uint32_t base,
                               mann_error *err)
{
    mni_text path = { 0 };
    mann_status s = MANN_OK;
    for (size_t i = 0; s == MANN_OK && i < from->n_images; i++) {
        const image_ref *r = &from->images[i];
        mni_text_clear(&path);
        if (r->path[0] == '/') mni_text_add(&path, r->path);
        else mni_path_join(&path, from->root, r->path);
        const uint32_t klass = r->klass == MANN_NO_CLASS ? r->klass : base + r->klass;
        s = path.failed ? no_memory(err) : add_image(d, mni_text_get(&path), klass, err);
    }
    mni_text_fini(&path);
    return s;
}

mann_status mni_dataset_join(mni_dataset **out, const mni_dataset *const *sets, size_t n,
                             mann_error *err)
{
    *out = NULL;
    mni_dataset *d = mni_alloc(1, sizeof *d);
    if (!d) return no_memory(err);
    d->vfs = sets[0]->vfs;
    d->n_sets = (uint32_t)n;
    d->set_end = mni_alloc(n, sizeof *d->set_end);
    mann_status s = d->set_end ? set_root(d, "", 1, err) : no_memory(err);
    for (size_t i = 0; s == MANN_OK && i < n; i++) {
        const uint32_t base = (uint32_t)d->n_classes;
        s = join_classes(d, sets, i, err);
        if (s == MANN_OK) s = join_images(d, sets[i], base, err);
    }
    if (s == MANN_OK) s = classless_last(d, err);
    if (s != MANN_OK) { mni_dataset_free(d); return s; }
    *out = d;
    return MANN_OK;
}

uint32_t mni_dataset_n_sets(const mni_dataset *d) { return d->set_end ? d->n_sets : 1; }

uint32_t mni_dataset_set(const mni_dataset *d, uint32_t klass)
{
    uint32_t low = 0, high = mni_dataset_n_sets(d) - 1;
    while (d->set_end && low < high) {
        const uint32_t mid = low + (high - low) / 2;
        if (klass < d->set_end[mid]) high = mid;
        else low = mid + 1;
    }
    return low;
}

uint32_t    mni_dataset_n_classes(const mni_dataset *d) { return (uint32_t)d->n_classes; }
uint64_t    mni_dataset_n_images(const mni_dataset *d) { return d->n_images; }
const char *mni_dataset_class(const mni_dataset *d, uint32_t klass)
{
    return d->classes[klass];
}
const char *mni_dataset_root(const mni_dataset *d) { return d->root; }
const mni_vfs *mni_dataset_vfs(const mni_dataset *d) { return d->vfs; }

const char *mni_dataset_path(const mni_dataset *d, uint64_t image, uint32_t *klass)
{
    if (klass) *klass = d->images[image].klass;
    return d->images[image].path;
}

mann_status mni_dataset_bytes(const mni_dataset *d, uint64_t image, uint8_t **bytes,
                              size_t *n_bytes, uint64_t *mtime, mann_error *err)
{
    mni_text full = { 0 };
    mni_stat st;
    const char *path = d->images[image].path;
    /* a manifest may name absolute paths */
    if (path[0] == '/') mni_text_add(&full, path);
    else mni_path_join(&full, d->root, path);
    mann_status s = full.failed
                        ? no_memory(err)
                        : d->vfs->ops->stat(d->vfs, mni_text_get(&full), &st, err);
    if (s == MANN_OK) {
        *mtime = st.mtime;
        s = mni_read_file(d->vfs, mni_text_get(&full), MAX_FILE_BYTES, bytes, n_bytes,
                          err);
    }
    mni_text_fini(&full);
    return s;
}
