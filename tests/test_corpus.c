/* test_corpus.c - every file that a fuzzer has found worth keeping, once more through the
 * reader that it was found in. A broken promise stops the process; here also under the
 * checkers of `make test-san`. SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "fuzz/fuzz.h"
#include "harness.h"
#include "os/vfs.h"

typedef struct replay {
    const char *folder;
    int (*target)(const uint8_t *bytes, size_t n_bytes);
    uint32_t n;
} replay;

static int one_file(void *ctx, const char *name)
{
    replay *r = ctx;
    uint8_t *bytes;
    size_t n;
    mni_text path = { 0 };
    mni_path_join(&path, r->folder, name);
    if (name[0] != '.' &&
        mni_read_file(mni_vfs_posix(), mni_text_get(&path), 1 << 24, &bytes, &n, NULL) ==
            MANN_OK) {
        r->target(bytes, n);
        mni_free(bytes);
        r->n++;
    }
    mni_text_fini(&path);
    return 0;
}

static void run(const char *name, int (*target)(const uint8_t *, size_t))
{
    char folder[128];
    snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", name);
    replay r = { folder, target, 0 };
    if (mni_vfs_posix()->ops->list(mni_vfs_posix(), folder, one_file, &r, NULL) !=
        MANN_OK)
        test_skip("no %s here: run from the checkout", folder);
    CHECK(r.n > 0);
}

#define CORPUS(name)                                                                   \
    static void name(void) { run(#name, fuzz_##name); }
CORPUS(container)
CORPUS(journal)
CORPUS(npy)
CORPUS(index)
CORPUS(gallery)
CORPUS(model)
CORPUS(json)
CORPUS(dataset)
CORPUS(pack)

const test_case corpus_tests[] = {
    { "container", container, 0 }, { "journal", journal, 0 }, { "npy", npy, 0 },
    { "index", index, 0 },         { "gallery", gallery, 0 }, { "model", model, 0 },
    { "json", json, 0 },           { "dataset", dataset, 0 },
    { "pack", pack, 0 },           { 0 }
};
