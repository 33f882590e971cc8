/* qoi.c - the "quite OK image" format: a page of specification, no entropy coding.
 *
 *      "qoif" | width : 4 | height : 4 | channels : 1 | colour space : 1 | codes
 *
 * A code is the whole pixel (FE: RGB, FF: RGBA), a place in a table of 64 pixels seen
 * before (00), a small difference from the last pixel (01), a larger one (10), or a run
 * of it (11). D. Szablewski, "The Quite OK Image Format", 2022.
 * SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/bytes.h"
#include "image/decoders.h"

enum { HEADER_BYTES = 14, MOST_RUN = 62 };

typedef struct state {
    const uint8_t *at, *end;
    uint8_t seen[64][4], pixel[4];
    unsigned run;
} state;

static unsigned place_of(const uint8_t p[4])
{
    return (p[0] * 3u + p[1] * 5u + p[2] * 7u + p[3] * 11u) % 64;
}

/* The next pixel, into s->pixel; 0 where the codes end. */
static int next_pixel(state *s)
{
    uint8_t *p = s->pixel;
    if (s->run) {
        s->run--;
        return 1;
    }
    if (s->at >= s->end) return 0;
    const unsigned code = *s->at++;
    const size_t more = code == 0xFF ? 4 : code == 0xFE ? 3 : code >> 6 == 2 ? 1 : 0;
    if ((size_t)(s->end - s->at) < more) return 0;
    if (code >= 0xFE) {
        memcpy(p, s->at, more);
    } else if (code >> 6 == 0) {
        memcpy(p, s->seen[code], 4);
    } else if (code >> 6 == 1) {
        for (unsigned i = 0; i < 3; i++)
            p[i] = (uint8_t)(p[i] + (code >> (4 - 2 * i) & 3) - 2);
    } else if (code >> 6 == 2) {
        const unsigned green = (code & 63) - 32;
        p[0] = (uint8_t)(p[0] + green - 8 + (*s->at >> 4));
        p[1] = (uint8_t)(p[1] + green);
        p[2] = (uint8_t)(p[2] + green - 8 + (*s->at & 15));
    } else {
        s->run = code & 63;             /* and this one */
    }
    s->at += more;
    memcpy(s->seen[place_of(p)], p, 4);
    return 1;
}

mann_status mni_qoi_read(mann_image *out, const mni_source *in, mann_error *err)
{
    mann_image im;
    if (in->n_bytes < HEADER_BYTES)
        return mni_fail(err, MANN_E_FORMAT, "qoi: cut short in the header");
    const uint32_t w = mni_get32be(in->bytes + 4), h = mni_get32be(in->bytes + 8);
    const unsigned channels = in->bytes[12];
    if ((channels != 3 && channels != 4) || in->bytes[13] > 1)
        return mni_fail(err, MANN_E_FORMAT, "qoi: %u channels of colour space %u, wanted "
                        "3 or 4, and 0 or 1", channels, in->bytes[13]);
    MNI_TRY(mni_source_size(in, "qoi", w, h, err));
    MNI_TRY(mni_source_holds("qoi", in->n_bytes - HEADER_BYTES,
                             (uint64_t)w * h / MOST_RUN, err));
    MNI_TRY(mni_image_new(&im, w, h, channels, err));
    state s = { in->bytes + HEADER_BYTES, in->bytes + in->n_bytes, { { 0 } },
                { 0, 0, 0, 255 }, 0 };
    uint8_t *to = im.pixels;
    for (size_t i = (size_t)w * h; i > 0; i--, to += channels) {
        if (!next_pixel(&s)) {
            mann_image_clear(&im);
            return mni_fail(err, MANN_E_FORMAT,
                            "qoi: cut short at byte %llu, %llu pixels before the end",
                            (unsigned long long)in->n_bytes, (unsigned long long)i);
        }
        memcpy(to, s.pixel, channels);
    }
    *out = im;
    return MANN_OK;
}
