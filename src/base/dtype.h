/* dtype.h - the element types of arrays in memory and on disk. Numbers are part of the
 * file format. SPDX-License-Identifier: MIT */
#ifndef MNI_BASE_DTYPE_H
#define MNI_BASE_DTYPE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef enum mni_dtype {
    MNI_BYTES = 0, MNI_F32 = 1, MNI_F16 = 2, MNI_I8 = 3, MNI_U8 = 4, MNI_U16 = 5,
    MNI_U32 = 6,
    MNI_U64 = 7, MNI_I32 = 8, MNI_I64 = 9, MNI_F64 = 10
} mni_dtype;

static inline size_t mni_dtype_bytes(mni_dtype t)
{
    static const uint8_t bytes[] = { 1, 4, 2, 1, 1, 2, 4, 8, 4, 8, 8 };
    return (size_t)t < sizeof bytes ? bytes[t] : 0;
}

/* IEEE 754 binary16 <-> binary32; to f16 rounds to nearest even, overflow gives
 * infinity. */
uint16_t mni_f16_from_f32(float v);
float    mni_f32_from_f16(uint16_t h);

#endif
