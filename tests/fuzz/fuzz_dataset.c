/* fuzz_dataset.c - bytes as a manifest: lines of path and class. Every path and class
 * that comes out stands in the text, classes are in order and none is empty.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "fuzz.h"
#include "train/dataset.h"

static void check(const mni_dataset *d)
{
    const uint32_t n_classes = mni_dataset_n_classes(d);
    uint32_t klass;
    for (uint32_t k = 0; k < n_classes; k++) {
        FUZZ_CHECK(mni_dataset_class(d, k)[0]);
        if (k)
            FUZZ_CHECK(strcmp(mni_dataset_class(d, k - 1), mni_dataset_class(d, k)) < 0);
    }
    for (uint64_t i = 0; i < mni_dataset_n_images(d); i++) {
        const char *path = mni_dataset_path(d, i, &klass);
        FUZZ_CHECK(path[0] && !strchr(path, '\n'));
        FUZZ_CHECK(klass < n_classes || klass == MANN_NO_CLASS);
    }
}

int fuzz_dataset(const uint8_t *bytes, size_t n_bytes)
{
    mni_vfs_mem *memory;
    mni_dataset *d;
    mann_error e = { MANN_OK, "" };
    if (n_bytes > 1 << 16 || mni_vfs_mem_new(&memory, NULL) != MANN_OK) return 0;
    const mni_vfs *v = mni_vfs_mem_vfs(memory);
    if (mni_replace_file(v, "list.tsv", bytes, n_bytes, &e) == MANN_OK) {
        const mann_status s = mni_dataset_open(&d, v, "list.tsv", NULL, &e);
        FUZZ_CHECK((s == MANN_OK) == (d != NULL) && (s == MANN_OK || e.text[0]));
        if (d) check(d);
        mni_dataset_free(d);
    }
    mni_vfs_mem_free(memory);
    return 0;
}
