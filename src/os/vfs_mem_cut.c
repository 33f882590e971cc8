/* vfs_mem_cut.c - what is left of the files in memory when the plug is pulled.
 *
 * Two kinds of cut. The clean one loses everything that was not synced: what a program
 * may not rely on is not there. The torn one is what a disk with a cache really does: of
 * the bytes that were not synced some sectors arrived and others did not, in no order,
 * and a file may have its new length with zeros where nothing arrived. A program that is
 * right must survive both. SPDX-License-Identifier: MIT */
#include "os/feature.h"
#include "os/vfs_mem_parts.h"

#include <string.h>

#include "base/rng.h"

enum { SECTOR = 512 };

void mni_mem_drop(mni_mem_node *n)
{
    if (!n || --n->n_refs) return;
    mni_buf_fini(&n->now);
    mni_buf_fini(&n->safe);
    mni_free(n);
}

void mni_mem_point(mni_mem_node **slot, mni_mem_node *n)
{
    if (n) n->n_refs++;
    mni_mem_drop(*slot);
    *slot = n;
}

void mni_mem_sweep(mni_vfs_mem *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->n_entries; i++) {
        mni_mem_entry e = m->entries[i];
        if (e.live || e.durable || e.folder_inode) m->entries[kept++] = e;
        else mni_free(e.path);
    }
    m->n_entries = kept;
}

/* Needs no memory: `safe` was once copied from `now`, whose storage never shrinks, so it
 * fits. */
static void lose_unsynced(mni_mem_node *n)
{
    if (n->safe.n_bytes) memcpy(n->now.bytes, n->safe.bytes, n->safe.n_bytes);
    n->now.n_bytes = n->safe.n_bytes;
    n->dirty = 0;
}

void mni_vfs_mem_power_cut(mni_vfs_mem *m)
{
    mni_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->n_entries; i++)
        mni_mem_point(&m->entries[i].live, m->entries[i].durable);
    for (size_t i = 0; i < m->n_entries; i++) {
        mni_mem_node *n = m->entries[i].live;
        if (!n) continue;
        if (n->dirty) lose_unsynced(n);
        n->holder = NULL;
    }
    mni_mem_sweep(m);
    mni_mutex_unlock(&m->lock);
}

/* --- torn --------------------------------------------------------------------------- */

static void tear(mni_mem_node *n, mni_rng *r)
{
    const size_t safe = n->safe.n_bytes, now = n->now.n_bytes;
    const size_t length = mni_rng_below(r, 2) ? now : safe;
    for (size_t at = 0; at < length; at += SECTOR) {
        const size_t end = length - at < SECTOR ? length : at + SECTOR,
                     old_end = end < safe ? end : safe;
        if (at < now && mni_rng_below(r, 2)) continue; /* this sector arrived */
        memset(n->now.bytes + at, 0, end - at);
        if (at < old_end) memcpy(n->now.bytes + at, n->safe.bytes + at, old_end - at);
    }
    n->now.n_bytes = length;
    n->dirty = 0;
}

void mni_vfs_mem_power_cut_torn(mni_vfs_mem *m, uint64_t seed)
{
    mni_rng r = mni_rng_at(seed, MNI_FOR_TEST, 0, 0, 0);
    mni_mutex_lock(&m->lock);
    const int names_arrived = (int)mni_rng_below(&r, 2);
    for (size_t i = 0; i < m->n_entries; i++) {
        mni_mem_entry *e = &m->entries[i];
        if (names_arrived) mni_mem_point(&e->durable, e->live);
        else mni_mem_point(&e->live, e->durable);
    }
    for (size_t i = 0; i < m->n_entries; i++) {
        mni_mem_node *n = m->entries[i].live;
        if (!n) continue;
        if (n->dirty) tear(n, &r);
        n->holder = NULL;
    }
    mni_mem_sweep(m);
    mni_mutex_unlock(&m->lock);
}
