/* stb_bridge.c - an optional second decoder behind our own (make STB=1).
 *
 * stb_image.h is not part of this repository (third_party/stb/README.md). Where a user
 * provides it, it is asked for what our decoders refuse as unsupported: GIF and the like.
 * Its memory goes through base/mem like everybody's. SPDX-License-Identifier: MIT */
#include "image/decoders.h"

#ifdef MNI_STB

#include <limits.h>
#include <string.h>

#include "base/mem.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_NO_FAILURE_STRINGS
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_MALLOC(n)     mni_alloc((n), 1)
#define STBI_REALLOC(p, n) mni_realloc((p), (n), 1)
#define STBI_FREE(p)       mni_free(p)
#if defined(__GNUC__) /* not undone below: the compiler tells some of it at the end of   \
                         the file */
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wundef"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wmissing-prototypes"
#endif
#include "stb_image.h"

mann_status mni_stb_read(mann_image *out, const mni_source *in, mann_error *err)
{
    int w = 0, h = 0, n = 0;
    if (in->n_bytes > INT_MAX ||
        !stbi_info_from_memory(in->bytes, (int)in->n_bytes, &w, &h, &n) || w < 1 || h < 1)
        return MANN_E_UNSUPPORTED;      /* the sentence of our own decoder stands */
    MNI_TRY(mni_source_size(in, "stb_image", (uint64_t)w, (uint64_t)h, err));
    const int channels = n == 2 || n == 4 ? 4 : 3;
    uint8_t *pixels =
        stbi_load_from_memory(in->bytes, (int)in->n_bytes, &w, &h, &n, channels);
    if (!pixels) return MANN_E_UNSUPPORTED;
    *out = (mann_image){ (uint32_t)w, (uint32_t)h, (uint32_t)channels, pixels };
    return MANN_OK;
}

#else

mann_status mni_stb_read(mann_image *out, const mni_source *in, mann_error *err)
{
    (void)out; (void)in; (void)err;
    return MANN_E_UNSUPPORTED;
}

#endif
