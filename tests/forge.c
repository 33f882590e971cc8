/* forge.c - see forge.h. SPDX-License-Identifier: MIT */
#include "forge.h"

#include <string.h>

#include "base/mem.h"

enum { HEAD = 8, MOST_TAGS = 48 };

mann_status forge_file(const mni_vfs *v, const char *path, mni_file_is kind,
                       const uint8_t *at, size_t left)
{
    mni_writer *w;
    char seen[MOST_TAGS][4];
    int n_seen = 0;
    MNI_TRY(mni_writer_new(&w, v, path, kind, mni_uuid_from(1, 2), 1, NULL));
    while (left >= HEAD && n_seen < MOST_TAGS) {
        const mni_dtype type = (mni_dtype)(at[4] % 11);
        size_t n = at[5] | (size_t)at[6] << 8 | (size_t)at[7] << 16;
        int fit = 1;
        for (int i = 0; i < 4; i++) fit &= at[i] >= ' ' && at[i] <= '~';
        for (int i = 0; i < n_seen; i++) fit &= memcmp(seen[i], at, 4) != 0;
        if (!fit) break;
        if (n > left - HEAD) n = left - HEAD;
        memcpy(seen[n_seen++], at, 4);
        mni_writer_section(w, seen[n_seen - 1], type, MNI_ALIGN_PAGE, at + HEAD,
                           n - n % mni_dtype_bytes(type));
        at += HEAD + n;
        left -= HEAD + n;
    }
    return mni_writer_finish(w, NULL);
}

uint8_t *forge_list(const mni_vfs *v, const char *path, size_t *n_bytes)
{
    mni_reader *r;
    mni_section s;
    mni_buf out = { 0 };
    char tag[5];
    *n_bytes = 0;
    if (mni_reader_open(&r, v, path, 0, NULL) != MANN_OK) return NULL;
    for (uint32_t i = 0; mni_reader_at(r, i, tag, &s); i++) {
        uint8_t head[HEAD] = { 0 };
        memcpy(head, tag, 4);
        head[4] = (uint8_t)s.dtype;
        for (int b = 0; b < 3; b++) head[5 + b] = (uint8_t)(s.n_bytes >> 8 * b);
        mni_buf_add(&out, head, HEAD);
        mni_buf_add(&out, s.data, (size_t)s.n_bytes);
    }
    mni_reader_free(r);
    *n_bytes = out.n_bytes;
    return out.bytes;
}
