/* text.h - strings that grow, numbers out of text, UTF-8, paths.
 * SPDX-License-Identifier: MIT */
#ifndef MNI_BASE_TEXT_H
#define MNI_BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* A growing, always NUL-terminated string. {0} is empty (mni_text_get gives ""). After a
 * failed allocation `failed` stays set and appends do nothing. */
typedef struct mni_text { char *chars; size_t n_chars, cap; int failed; } mni_text;

void mni_text_add(mni_text *t, const char *chars);
void mni_text_add_n(mni_text *t, const char *chars, size_t n);
void mni_text_char(mni_text *t, char c);
void mni_text_f(mni_text *t, const char *fmt, ...) MNI_PRINTF(2, 3);
/* v with 1..17 significant digits as %g writes it, with a point in every locale and never
 * "-0". */
void mni_text_real(mni_text *t, double v, int digits);
void mni_text_clear(mni_text *t);               /* keeps the storage */
void mni_text_fini(mni_text *t);
static inline const char *mni_text_get(const mni_text *t)
{
    return t->chars ? t->chars : "";
}

/* Whole-string numbers: 1 if all of `text` was one number in range, else 0 and *out
 * untouched. Decimal point in every locale; no hex, no space. u64 accepts decimal only;
 * sizes accept a suffix K, M, G (powers of 1024) with optional B / iB. */
int mni_parse_u64(const char *text, uint64_t *out);
int mni_parse_double(const char *text, double *out);        /* finite only */
int mni_parse_size(const char *text, uint64_t *out);

/* Length of the valid UTF-8 prefix of n bytes (overlong forms, surrogates, > U+10FFFF are
 * invalid). */
size_t mni_utf8_prefix(const char *bytes, size_t n_bytes);
/* One code point at text (valid or not): its length in bytes, >= 1; *cp = U+FFFD where
 * invalid. */
size_t mni_utf8_next(const char *bytes, size_t n_bytes, uint32_t *cp);

int mni_text_ends(const char *text, const char *suffix_lower);   /* ASCII case ignored */
int mni_text_same(const char *a, const char *b);       /* ASCII case ignored, '_' = '-' */

/* "a/b/c.jpg" -> "c.jpg" (borrowed). */
const char *mni_path_name(const char *path);
/* dir + "/" + name; no second slash if dir ends in one; "" and "." as dir give name
 * alone. */
void mni_path_join(mni_text *out, const char *dir, const char *name);
/* "a/b/c.jpg" -> "a/b"; "c.jpg" -> "." */
void mni_path_dir(mni_text *out, const char *path);

/* 1536 -> "1.5 KiB" into out (at least 16 bytes). */
void mni_format_bytes(char *out, size_t size, uint64_t n_bytes);
/* 3725 s -> "1:02:05", 65 s -> "1:05" */
void mni_format_seconds(char *out, size_t size, double seconds);

#endif
