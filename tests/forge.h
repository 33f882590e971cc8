/* forge.h - a container made of anybody's bytes, its checksums true: what a fuzzer needs
 * to get past them. Knows nothing of the harness. SPDX-License-Identifier: MIT */
#ifndef TESTS_FORGE_H
#define TESTS_FORGE_H

#include "store/container.h"

/* The input is a list of sections, each
 *
 *     | tag, 4 letters | u8 type | u24 n | n bytes |
 *
 * What cannot be a section ends the list. */
mann_status forge_file(const mni_vfs *v, const char *path, mni_file_is kind,
                       const uint8_t *bytes, size_t n_bytes);
/* The list of sections of a file, to begin from. Owned (mni_free). */
uint8_t *forge_list(const mni_vfs *v, const char *path, size_t *n_bytes);

#endif
