/* paths.c - see paths.h. SPDX-License-Identifier: MIT */
#include "cli/paths.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/vfs.h"

enum { MOST_BYTES = 1 << 30 };

void mni_tsv_field(mni_text *out, const char *text)
{
    for (; text && *text; text++)
        mni_text_char(out, *text == '\t' || *text == '\n' || *text == '\r' ? ' ' : *text);
}

void mni_paths_line(mni_text *out, const char *file, const char *source)
{
    mni_tsv_field(out, file);
    mni_text_char(out, '\t');
    mni_tsv_field(out, source);
    mni_text_char(out, '\n');
}

static int by_file(const void *a, const void *b)
{
    return strcmp(((const mni_path_pair *)a)->file, ((const mni_path_pair *)b)->file);
}

/* The text is cut where it lies: each tab and line feed becomes the end of a name. */
static mann_status cut(mni_paths *p, size_t n_bytes, mann_error *err)
{
    char *at = (char *)p->bytes, *end = at + n_bytes;
    while (at < end) {
        char *line_end = memchr(at, '\n', (size_t)(end - at));
        char *tab = memchr(at, '\t', (size_t)((line_end ? line_end : end) - at));
        if (line_end) *line_end = '\0';
        if (tab) {
            *tab = '\0';
            if (!mni_grow((void **)&p->pairs, &p->cap, p->n + 1, sizeof *p->pairs))
                return mni_fail(err, MANN_E_NOMEM, MNI_PATHS_NAME ": %zu lines", p->n);
            p->pairs[p->n++] = (mni_path_pair){ at, tab + 1 };
        }
        at = line_end ? line_end + 1 : end;
    }
    if (p->n) qsort(p->pairs, p->n, sizeof *p->pairs, by_file);
    return MANN_OK;
}

mann_status mni_paths_read(mni_paths *p, const char *dir, mann_error *err)
{
    const mni_vfs *v = mni_vfs_posix();
    mni_text path = { 0 };
    mni_stat st;
    size_t n_bytes = 0;
    *p = (mni_paths){ .n = 0 };
    mni_path_join(&path, dir, MNI_PATHS_NAME);
    mann_status s = path.failed ? mni_fail(err, MANN_E_NOMEM, "path") : MANN_OK;
    if (s == MANN_OK && v->ops->stat(v, mni_text_get(&path), &st, NULL) == MANN_OK)
        s = mni_read_file(v, mni_text_get(&path), MOST_BYTES, &p->bytes, &n_bytes, err);
    if (s == MANN_OK) s = cut(p, n_bytes, err);
    if (s != MANN_OK) mni_paths_fini(p);
    mni_text_fini(&path);
    return s;
}

const char *mni_paths_source(const mni_paths *p, const char *file)
{
    const mni_path_pair wanted = { file, NULL };
    const mni_path_pair *found =
        p->n ? bsearch(&wanted, p->pairs, p->n, sizeof *p->pairs, by_file) : NULL;
    return found ? found->source : NULL;
}

void mni_paths_fini(mni_paths *p)
{
    mni_free(p->bytes);
    mni_free(p->pairs);
    *p = (mni_paths){ .n = 0 };
}
