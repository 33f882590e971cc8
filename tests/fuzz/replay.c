/* replay.c - runs one fuzz target over files, without a fuzzer: for corpora and for
 * single findings.
 *
 *     replay-container tests/fuzz/corpus/container/...
 *
 * Prints the number of files; the exit status is 0 unless a file cannot be read (or the
 * target stops the process). SPDX-License-Identifier: MIT */
#include "base/mem.h"
#include "fuzz.h"
#include "os/vfs.h"

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        mann_error e;
        uint8_t *bytes;
        size_t n;
        if (mni_read_file(mni_vfs_posix(), argv[i], 64 << 20, &bytes, &n, &e) !=
            MANN_OK) {
            fprintf(stderr, "%s\n", e.text);
            return 1;
        }
        LLVMFuzzerTestOneInput(bytes, n);
        mni_free(bytes);
    }
    printf("%d files\n", argc - 1);
    return 0;
}
