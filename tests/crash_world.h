/* crash_world.h - a gallery's life as a list of seeded steps, and what it must hold after
 * each: the oracle of test_crash.c. SPDX-License-Identifier: MIT */
#ifndef TESTS_CRASH_WORLD_H
#define TESTS_CRASH_WORLD_H

#include "gallery_help.h"

enum { CRASH_ROWS = 160, CRASH_CLASSES = 12 };

/* origin: the class whose picture it is; klass: what it is called by now. */
typedef struct crash_row { uint64_t id; uint32_t klass, origin, view; } crash_row;
typedef struct crash_state {
    crash_row rows[CRASH_ROWS];     /* ascending ids */
    size_t n;
    uint64_t next_id;
} crash_state;

/* Step `number` does this to a gallery that holds `before`; every step is a function of
 * (seed, number, before). */
void crash_expect(crash_state *after, const crash_state *before, uint64_t seed,
                  uint64_t number);
mann_status crash_do(mni_gallery *g, const crash_state *before, uint64_t seed,
                     uint64_t number, mann_error *err);
/* What g holds; 0 and a sentence if a record contradicts itself. */
int crash_read(mni_gallery *g, crash_state *out, char *why, size_t size);
int crash_same(const crash_state *a, const crash_state *b);

#endif
