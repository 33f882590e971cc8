/* exif.c - one number out of an EXIF block: which way is up.
 *
 * EXIF is a small TIFF file: "II" or "MM" for the byte order, 42, the place of the first
 * directory; a directory is a count and entries of 12 bytes (tag, type, count, value). We
 * look for tag 0x0112 in the first one. Cameras and editors write all sorts of damage
 * here, and a damaged note beside the picture is no reason to refuse the picture:
 * whatever makes no sense means "upright". Exif 2.32 4.6.2, TIFF 6.0 section 2.
 * SPDX-License-Identifier: MIT */
#include "base/bytes.h"
#include "image/decoders.h"

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, ENTRY_BYTES = 12 };

int mni_exif_orientation(const uint8_t *tiff, size_t n_bytes)
{
    if (n_bytes < 8) return 1;
    const int little = tiff[0] == 'I' && tiff[1] == 'I';
    if (!little && !(tiff[0] == 'M' && tiff[1] == 'M')) return 1;
    const size_t at = little ? mni_get32(tiff + 4) : mni_get32be(tiff + 4);
    if (!mni_span_fits(at, 1, 2, n_bytes)) return 1;
    const unsigned n = little ? mni_get16(tiff + at) : mni_get16be(tiff + at);
    for (unsigned i = 0; i < n; i++) {
        if (!mni_span_fits(at + 2, i + 1, ENTRY_BYTES, n_bytes)) return 1;
        const uint8_t *e = tiff + at + 2 + (size_t)i * ENTRY_BYTES;
        const unsigned tag = little ? mni_get16(e) : mni_get16be(e);
        const unsigned type = little ? mni_get16(e + 2) : mni_get16be(e + 2);
        if (tag != TAG_ORIENTATION) continue;
        const unsigned value = little ? mni_get16(e + 8) : mni_get16be(e + 8);
        return type == TYPE_SHORT && value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}
