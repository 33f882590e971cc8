/* api.h - what the bodies of metricann.h share: argument checks and sized structs.
 *
 * Arguments are checked here, once; below api/ a wrong argument is a bug and meets an
 * assert or nothing. SPDX-License-Identifier: MIT */
#ifndef MNI_API_API_H
#define MNI_API_API_H

#include <string.h>

#include "base/status.h"
#include "os/vfs.h"

/* MANN_E_ARG if a pointer that must be there is NULL: MNI_NEED(path,
 * "mann_gallery_open"); */
#define MNI_NEED(pointer, call)                                               \
    do {                                                                      \
        if (!(pointer))                                                       \
            return mni_fail(err, MANN_E_ARG, "%s: %s is NULL", call, #pointer); \
    } while (0)

/* A caller's sized struct, made by an older or newer header, as ours: fields that the
 * caller does not know keep the defaults already in `ours`. Both start with a uint32_t
 * struct_size. */
static inline mann_status mni_take_sized(void *ours, uint32_t our_bytes,
                                         const void *theirs, const char *call,
                                         mann_error *err)
{
    uint32_t n;
    memcpy(&n, theirs, sizeof n);
    if (n < 8 || n > 65536)
        return mni_fail(
            err, MANN_E_ARG,
            "%s: struct_size is %u; fill the struct with its mann_*_fill() first", call,
            (unsigned)n);
    memcpy(ours, theirs, n < our_bytes ? n : our_bytes);
    memcpy(ours, &our_bytes, sizeof our_bytes);
    return MANN_OK;
}

/* Results the other way round: no more than the caller has room for; struct_size stays
 * the caller's. */
static inline mann_status mni_give_sized(void *theirs, const void *ours,
                                         uint32_t our_bytes, const char *call,
                                         mann_error *err)
{
    uint32_t n;
    memcpy(&n, theirs, sizeof n);
    if (n < 8 || n > 65536)
        return mni_fail(err, MANN_E_ARG,
                        "%s: set struct_size of the result to its sizeof first", call);
    memcpy(theirs, ours, n < our_bytes ? n : our_bytes);
    memcpy(theirs, &n, sizeof n);
    return MANN_OK;
}

/* For the mann_*_fill calls: defaults into a struct of `size` bytes. */
static inline void mni_fill_sized(void *theirs, size_t size, const void *ours,
                                  size_t our_bytes)
{
    uint32_t n = (uint32_t)size;
    if (!theirs || size < sizeof n) return;
    memset(theirs, 0, size);
    memcpy(theirs, ours, size < our_bytes ? size : our_bytes);
    memcpy(theirs, &n, sizeof n);
}

#endif
