/* queries.h - a group of photo files -> vectors, on all threads.
 *
 * Every thread decodes and embeds one photo at a time, so that memory is bounded by
 * photos in work, not by the length of the list. A photo that cannot be read leaves its
 * sentence; the others go on. SPDX-License-Identifier: MIT */
#ifndef MNI_CLI_QUERIES_H
#define MNI_CLI_QUERIES_H

#include "cli/cli.h"
#include "cli/inputs.h"

typedef struct mni_photos {
    size_t n, dim;
    float *vectors;             /* n x dim; rows with a problem are not set */
    mann_error *problems;       /* n; code MANN_OK where there is none */
} mni_photos;

mann_status mni_photos_embed(mni_cli *c, mann_gallery *g, const mni_input *files,
                             size_t n, mni_photos *out);
void        mni_photos_fini(mni_photos *p);

#endif
