/* pack_help.c - see pack_help.h. SPDX-License-Identifier: MIT */
#include "pack_help.h"

#include <stdio.h>

#include "base/mem.h"
#include "harness.h"

void pack_put_file(const mni_vfs *v, const char *path, const char *bytes, size_t n,
                     uint64_t time)
{
    mni_file *f;
    CHECK_OK(mni_open(v, path, MNI_OPEN_WRITE | MNI_OPEN_CREATE, &f, NULL));
    CHECK_OK(mni_write(f, bytes, n, 0, NULL));
    CHECK_OK(v->ops->set_time(f, time, NULL));
    CHECK_OK(mni_close(f, NULL));
}

/* Odd names, a photo without a class, an empty one, folders that sort differently as
 * folders and as texts ('-' comes before '/'). */
static const char *const names[PACK_NAMES] = {
    "set/a/1.png",     "set/a/b/c.jpg",     "set/a/b-1.jpg", "set/a-b/x.png",
    "set/\xC3\xA4 b\nc/x y.png", "set/loose.png", "set/b/empty.png", "set/b/\xFF.gif"
};

static void draw_set(const mni_vfs *v)
{
    char text[64];
    for (size_t i = 0; i < PACK_NAMES; i++) {
        const int n = snprintf(text, sizeof text, "these are the bytes of photo %zu", i);
        pack_put_file(v, names[i], text, i == 6 ? 0 : (size_t)n, 1000 + i);
    }
}

mann_status pack_set(const mni_vfs *v, const char *from, const char *to,
                     mann_pack_report *r, mann_error *err)
{
    mni_dataset *d;
    MNI_TRY(mni_dataset_open(&d, v, from, NULL, err));
    const mann_status s = mni_dataset_pack(d, v, to, NULL, r, err);
    mni_dataset_free(d);
    return s;
}

const mni_vfs *pack_world(mni_vfs_mem **m)
{
    CHECK_OK(mni_vfs_mem_new(m, NULL));
    draw_set(mni_vfs_mem_vfs(*m));
    return mni_vfs_mem_vfs(*m);
}

/* A pack of few bytes, in memory of its own. */
uint8_t *pack_small(size_t *n)
{
    mni_vfs_mem *m;
    const mni_vfs *v = pack_world(&m);
    uint8_t *bytes;
    mann_error e = { MANN_OK, "" };
    CHECK_FINE(pack_set(v, "set", "p.mann", NULL, &e), e);
    CHECK_OK(mni_read_file(v, "p.mann", 1 << 20, &bytes, n, NULL));
    mni_vfs_mem_free(m);
    return bytes;
}
