/* gallery_help.h - a small gallery of made-up vectors, for the tests of its life and of
 * its files. SPDX-License-Identifier: MIT */
#ifndef TESTS_GALLERY_HELP_H
#define TESTS_GALLERY_HELP_H

#include "recog/gallery.h"

enum { DIM = 24 };

/* Rows of a class lie round a centre of their own; classes are called "class-7". */
mann_gallery_config gallery_config(mann_metric metric, mann_store store);
void gallery_vector(uint32_t klass, uint32_t view, float *out);
mann_status gallery_add_view(mni_gallery *g, uint32_t klass, uint32_t view, uint64_t *id,
                            mann_error *err);
mann_status gallery_make(mni_gallery **g, const mni_vfs *v, const char *path,
                        mann_store store, uint32_t classes, uint32_t views,
                        mann_error *err);
mann_answer gallery_identify(mni_gallery *g, const float *q, uint32_t k, mann_hit *hits);
void gallery_check_name(mni_gallery *g, uint32_t klass, const char *want);

#endif
