/* make_model_corpus.c - the first files of tests/fuzz/corpus/model, as fuzz_model.c has
 * them. Run by `make fuzz-model-corpus`. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "../forge.h"
#include "base/mem.h"
#include "nn/model.h"

/* The weights of the smallest network are a megabyte: of every section its first bytes,
 * so that the fuzzer has the words of the language. Such a file is refused. */
static size_t shorten(uint8_t *list, size_t n)
{
    enum { HEAD = 8, MOST = 256 };
    size_t to = 0;
    for (size_t from = 0; from + HEAD <= n;) {
        const size_t bytes = list[from + 5] | (size_t)list[from + 6] << 8 |
                             (size_t)list[from + 7] << 16;
        const size_t keep = bytes < MOST ? bytes : MOST;
        memmove(list + to, list + from, HEAD + keep);
        list[to + 5] = (uint8_t)keep;
        list[to + 6] = (uint8_t)(keep >> 8);
        list[to + 7] = 0;
        to += HEAD + keep;
        from += HEAD + bytes;
    }
    return to;
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = { "pixels", "micro@16" };
    if (argc != 2) return 2;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        mni_vfs_mem *memory;
        mni_model *m;
        mni_writer *w;
        mann_error e = { MANN_OK, "" };
        char path[4096];
        size_t n;
        if (mni_vfs_mem_new(&memory, &e) != MANN_OK) return 1;
        const mni_vfs *v = mni_vfs_mem_vfs(memory);
        if (mann_model_new(&m, kinds[i], i ? 8 : 0, 1, &e) == MANN_OK) {
            if (mni_writer_new(&w, v, "m", MNI_FILE_MODEL, mni_uuid_from(1, 2), 0, &e) !=
                MANN_OK)
                return 1;
            mni_model_write(m, w);
            if (mni_writer_finish(w, &e) != MANN_OK) return 1;
            uint8_t *list = forge_list(v, "m", &n);
            n = shorten(list, n);
            snprintf(path, sizeof path, "%s/%s", argv[1], kinds[i]);
            if (mni_replace_file(mni_vfs_posix(), path, list, n, &e) != MANN_OK) return 1;
            mni_free(list);
        }
        printf("%-12s %s\n", kinds[i], e.text);
        mni_model_free(m);
        mni_vfs_mem_free(memory);
    }
    return 0;
}
