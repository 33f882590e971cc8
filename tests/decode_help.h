/* decode_help.h - what the tests of the image decoders share.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_DECODE_HELP_H
#define TESTS_DECODE_HELP_H

#include "image/image.h"

/* Decodes from a copy that ends at a page that cannot be touched; checks what holds for
 * every answer: on failure a sentence and a zeroed picture. */
mann_status help_decode(mann_image *out, const uint8_t *bytes, size_t n_bytes,
                        const mni_decode_opts *opts);
/* Every prefix shorter than `must` has to be refused, longer ones must not crash. */
void help_truncate(const uint8_t *bytes, size_t n_bytes, size_t must);
/* Every single flipped bit (every `step`-th) must not crash. */
void help_flip(const uint8_t *bytes, size_t n_bytes, size_t step);
/* The allocation-failure loop. */
void help_oom(const uint8_t *bytes, size_t n_bytes);

#endif
