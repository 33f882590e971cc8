/* golden_make.h - the files of tests/golden/: one of every kind that version 1 has, as
 * the program writes them today. SPDX-License-Identifier: MIT */
#ifndef TESTS_GOLDEN_MAKE_H
#define TESTS_GOLDEN_MAKE_H

#include "os/vfs.h"

enum { GOLDEN_ROWS = 16, GOLDEN_DIM = 8, GOLDEN_MOST_DIM = 4096 };

extern const char *const golden_files[];        /* their names, NULL at the end */
void golden_make(const mni_vfs *v);
/* Row i of all of them; dim <= GOLDEN_MOST_DIM. */
void golden_vector(uint32_t row, uint32_t dim, float *out);

#endif
