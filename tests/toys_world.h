/* toys_world.h - small sets of drawn toys as PNG files in the folder of a test, and
 * galleries of them. SPDX-License-Identifier: MIT */
#ifndef TESTS_TOYS_WORLD_H
#define TESTS_TOYS_WORLD_H

#include "metricann.h"

/* A path in the folder of this test; good until seven more were asked for. */
const char *toys_path(const char *name);
/* A new folder `root`: classes k00, k01, ... of `views` photos of 32 x 32. */
void toys_draw(const char *root, int classes, int views);
/* Of the classes [from, to) the views first, first + 1, ...; `root` must not be there. */
void toys_draw_some(const char *root, int from, int to, int first, int views);
/* A Flat gallery (a file of that name in the test's folder) of all photos of a set. */
mann_gallery *toys_gallery_by(mann_model *m, const char *name, uint32_t views,
                              mann_metric metric, const char *set, uint32_t threads);
/* The same by the model `pixels` and cosine. */
mann_gallery *toys_gallery(const char *name, uint32_t views, const char *set,
                           uint32_t threads);
/* Copies the vectors of all records in row order; how many there are. */
size_t toys_rows(mann_gallery *g, float *rows, size_t dim);

#endif
