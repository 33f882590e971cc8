/* train_set.h - small data sets in memory for the tests of train/.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_TRAIN_SET_H
#define TESTS_TRAIN_SET_H

#include "os/vfs.h"

/* `classes` folders below `root`, `views` drawings each (PNG, 24 x 24, classes numbered
 * from `first`). */
void train_set_draw(const mni_vfs *v, const char *root, uint64_t first, uint32_t classes,
                    uint32_t views);
/* One picture: 3 or 4 channels. */
void train_set_put(const mni_vfs *v, const char *path, const mann_image *im);

#endif
