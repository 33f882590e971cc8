/* feature.h - what we ask of the C library, in one place: -std=c11 hides POSIX otherwise.
 * Included first, and only by files of src/os. SPDX-License-Identifier: MIT */
#ifndef MNI_OS_FEATURE_H
#define MNI_OS_FEATURE_H
#define _POSIX_C_SOURCE 200809L
#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE 1       /* madvise, MAP_ANONYMOUS */
#define _FILE_OFFSET_BITS 64
#endif
