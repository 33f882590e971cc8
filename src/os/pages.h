/* pages.h - what a program knows of how a mapped file will be read, and the system does
 * not. Only advice: nothing is read differently, only sooner or later.
 *
 * Whoever touches a page that is not in memory waits for the disk, and the system then
 * reads much around it, in the hope that the neighbours are wanted as well:
 *
 *     touch, touch, touch           |wait ...|   |wait ...|   |wait ...|
 *     send for three, touch them    |wait .......|                         one round trip
 *
 * SPDX-License-Identifier: MIT */
#ifndef MNI_OS_PAGES_H
#define MNI_OS_PAGES_H

#include <stddef.h>

/* Will be read here and there: reading around is in vain. */
void mni_pages_scattered(const void *at, size_t n_bytes);
/* Will be read from front to back; takes the other advice back. */
void mni_pages_in_turn(const void *at, size_t n_bytes);
/* Will be wanted soon: the disk is asked, and nobody waits. */
void mni_pages_send_for(const void *at, size_t n_bytes);

#endif
