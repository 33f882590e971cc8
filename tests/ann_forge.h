/* ann_forge.h - a bare index made of anybody's bytes: opened, asked, changed. For the
 * fuzz targets and the suite that replays what they found; knows nothing of the harness.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_ANN_FORGE_H
#define TESTS_ANN_FORGE_H

#include "index/bare.h"

/* The input is a list of sections (forge.h). The file of them is opened and asked; only
 * what passes verify is changed, too. 1: it was opened; 0: refused, with a sentence; -1:
 * a promise was broken, which `why` names. */
int ann_forged(const uint8_t *bytes, size_t n_bytes, const char **why);

/* The list of sections of an index, to begin from. Owned (mni_free). */
uint8_t *ann_unforge(const mni_bare *ix, size_t *n_bytes);

#endif
