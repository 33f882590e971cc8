/* huge.h - large pages for large arrays. SPDX-License-Identifier: MIT */
#ifndef MNI_OS_HUGE_H
#define MNI_OS_HUGE_H

#include <stddef.h>

/* Asks for large pages behind memory that nobody has touched yet; a walk over a graph
 * then misses fewer address translations. Only advice: nothing else changes. */
void mni_huge_advise(void *at, size_t n_bytes);

#endif
