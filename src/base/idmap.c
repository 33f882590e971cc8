/* idmap.c - see idmap.h. Back-shift deletion: Knuth, TAOCP vol. 3, 6.4, algorithm R.
 * SPDX-License-Identifier: MIT */
#include "base/idmap.h"

#include "base/mem.h"
#include "base/rng.h"

static size_t home(const mni_idmap *m, uint64_t key)
{
    return (size_t)mni_mix64(key) & (m->n_slots - 1);
}

/* The slot of `key`, or the free slot where it belongs. Needs n_slots > n. */
static size_t seek(const mni_idmap *m, uint64_t key)
{
    size_t i = home(m, key);
    while (m->slots[i].used && m->slots[i].key != key) i = (i + 1) & (m->n_slots - 1);
    return i;
}

static int widen(mni_idmap *m)
{
    mni_idmap bigger = { .n_slots = m->n_slots ? m->n_slots * 2 : 16, .n = m->n };
    bigger.slots = mni_alloc(bigger.n_slots, sizeof *bigger.slots);
    if (!bigger.slots) return 0;
    for (size_t i = 0; i < m->n_slots; i++)
        if (m->slots[i].used) bigger.slots[seek(&bigger, m->slots[i].key)] = m->slots[i];
    mni_free(m->slots);
    *m = bigger;
    return 1;
}

int mni_idmap_reserve(mni_idmap *m, size_t more)
{
    while (4 * (m->n + more + 1) > 3 * m->n_slots)
        if (!widen(m)) return 0;
    return 1;
}

int mni_idmap_put(mni_idmap *m, uint64_t key, uint32_t value)
{
    if (4 * (m->n + 1) > 3 * m->n_slots && !widen(m)) return 0;
    mni_idslot *s = &m->slots[seek(m, key)];
    if (!s->used) m->n++;
    *s = (mni_idslot){ key, value, 1 };
    return 1;
}

int mni_idmap_get(const mni_idmap *m, uint64_t key, uint32_t *value)
{
    if (m->n == 0) return 0;
    const mni_idslot *s = &m->slots[seek(m, key)];
    if (s->used) *value = s->value;
    return (int)s->used;
}

int mni_idmap_remove(mni_idmap *m, uint64_t key)
{
    if (m->n == 0) return 0;
    size_t mask = m->n_slots - 1, hole = seek(m, key);
    if (!m->slots[hole].used) return 0;
    for (size_t i = (hole + 1) & mask; m->slots[i].used; i = (i + 1) & mask) {
        /* May the item at i move into the hole? Only if its home is not cyclically in
         * (hole, i]. */
        size_t from_home = (i - home(m, m->slots[i].key)) & mask;
        if (from_home >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].used = 0;
    m->n--;
    return 1;
}

void mni_idmap_fini(mni_idmap *m)
{
    mni_free(m->slots);
    *m = (mni_idmap){ 0 };
}
