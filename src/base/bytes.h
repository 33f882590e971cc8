/* bytes.h - little-endian numbers in byte strings, a bounds-checked cursor, a growing
 * buffer.
 *
 * A cursor never reads past its end: a read that does not fit sets `bad` and gives 0, so
 * that a parser may read a whole header and ask once. SPDX-License-Identifier: MIT */
#ifndef MNI_BASE_BYTES_H
#define MNI_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t mni_get16(const void *p)
{
    const uint8_t *b = p;
    return (uint16_t)(b[0] | b[1] << 8);
}
static inline uint32_t mni_get32(const void *p)
{
    const uint8_t *b = p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 |
           (uint32_t)b[3] << 24;
}
static inline uint64_t mni_get64(const void *p)
{
    return (uint64_t)mni_get32(p) | (uint64_t)mni_get32((const uint8_t *)p + 4) << 32;
}
static inline uint16_t mni_get16be(const void *p)
{
    const uint8_t *b = p;
    return (uint16_t)(b[0] << 8 | b[1]);
}
static inline uint32_t mni_get32be(const void *p)
{
    const uint8_t *b = p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 |
           (uint32_t)b[3];
}
static inline void mni_put16(void *p, uint16_t v)
{
    uint8_t *b = p;
    b[0] = (uint8_t)v; b[1] = (uint8_t)(v >> 8);
}
static inline void mni_put32(void *p, uint32_t v)
{
    mni_put16(p, (uint16_t)v);
    mni_put16((uint8_t *)p + 2, (uint16_t)(v >> 16));
}
static inline void mni_put64(void *p, uint64_t v)
{
    mni_put32(p, (uint32_t)v);
    mni_put32((uint8_t *)p + 4, (uint32_t)(v >> 32));
}
static inline void mni_put32be(void *p, uint32_t v)
{
    uint8_t *b = p;
    b[0] = (uint8_t)(v >> 24);
    b[1] = (uint8_t)(v >> 16);
    b[2] = (uint8_t)(v >> 8);
    b[3] = (uint8_t)v;
}

/* Can count * size bytes start at `at` inside `limit` bytes, without overflow? */
static inline int mni_span_fits(uint64_t at, uint64_t count, uint64_t size,
                                uint64_t limit)
{
    if (size && count > UINT64_MAX / size) return 0;
    return at <= limit && count * size <= limit - at;
}

typedef struct mni_cursor {
    const uint8_t *bytes;
    size_t n_bytes, at;
    int bad;
} mni_cursor;

static inline mni_cursor mni_cursor_of(const void *bytes, size_t n_bytes)
{
    return (mni_cursor){ bytes, n_bytes, 0, 0 };
}
static inline size_t mni_cursor_left(const mni_cursor *c) { return c->n_bytes - c->at; }
/* The next n bytes, borrowed, or NULL (and bad) if fewer are left. */
const uint8_t *mni_cursor_take(mni_cursor *c, size_t n);
uint8_t  mni_cursor_u8(mni_cursor *c);
uint16_t mni_cursor_u16(mni_cursor *c);
uint32_t mni_cursor_u32(mni_cursor *c);
uint64_t mni_cursor_u64(mni_cursor *c);
float    mni_cursor_f32(mni_cursor *c);

/* A growing buffer. After a failed allocation `failed` stays set and appends do nothing:
 * ask once, at the end. {0} is an empty buffer. */
typedef struct mni_buf { uint8_t *bytes; size_t n_bytes, cap; int failed; } mni_buf;

void mni_buf_add(mni_buf *b, const void *bytes, size_t n);
void mni_buf_u8(mni_buf *b, uint8_t v);
void mni_buf_u16(mni_buf *b, uint16_t v);
void mni_buf_u32(mni_buf *b, uint32_t v);
void mni_buf_u64(mni_buf *b, uint64_t v);
void mni_buf_f32(mni_buf *b, float v);
void mni_buf_fini(mni_buf *b);

/* 64-bit content hash of bytes (not cryptographic): four lanes of multiply-mix over
 * 8-byte words. The value is stored in files: frozen by a test. Chain by passing the
 * former result as seed. */
uint64_t mni_hash_bytes(const void *bytes, size_t n_bytes, uint64_t seed);

#endif
