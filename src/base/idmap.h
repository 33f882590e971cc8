/* idmap.h - u64 key -> u32 value, open addressing with linear probing, deletion by
 * back-shift.
 *
 * Used for ids -> rows and, with a hash of the text as key and a compare by the caller,
 * for names. Load stays under 3/4; keys may be any u64. SPDX-License-Identifier: MIT */
#ifndef MNI_BASE_IDMAP_H
#define MNI_BASE_IDMAP_H

#include <stddef.h>
#include <stdint.h>

typedef struct mni_idslot { uint64_t key; uint32_t value; uint32_t used; } mni_idslot;
/* {0} is empty */
typedef struct mni_idmap { mni_idslot *slots; size_t n_slots, n; } mni_idmap;

/* the next `more` puts cannot fail; 0 when memory ends */
int  mni_idmap_reserve(mni_idmap *m, size_t more);
int  mni_idmap_put(mni_idmap *m, uint64_t key, uint32_t value);   /* 0 when memory ends */
int  mni_idmap_get(const mni_idmap *m, uint64_t key, uint32_t *value);   /* 1 if found */
int  mni_idmap_remove(mni_idmap *m, uint64_t key);                /* 1 if it was there */
void mni_idmap_fini(mni_idmap *m);

#endif
