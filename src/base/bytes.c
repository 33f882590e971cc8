/* bytes.c - see bytes.h. SPDX-License-Identifier: MIT */
#include "base/bytes.h"

#include "base/mem.h"
#include "base/rng.h"

const uint8_t *mni_cursor_take(mni_cursor *c, size_t n)
{
    if (c->bad || n > c->n_bytes - c->at) { c->bad = 1; return NULL; }
    const uint8_t *p = c->bytes + c->at;
    c->at += n;
    return p;
}

uint8_t mni_cursor_u8(mni_cursor *c)
{
    const uint8_t *p = mni_cursor_take(c, 1);
    return p ? *p : 0;
}
uint16_t mni_cursor_u16(mni_cursor *c)
{
    const uint8_t *p = mni_cursor_take(c, 2);
    return p ? mni_get16(p) : 0;
}
uint32_t mni_cursor_u32(mni_cursor *c)
{
    const uint8_t *p = mni_cursor_take(c, 4);
    return p ? mni_get32(p) : 0;
}
uint64_t mni_cursor_u64(mni_cursor *c)
{
    const uint8_t *p = mni_cursor_take(c, 8);
    return p ? mni_get64(p) : 0;
}
float mni_cursor_f32(mni_cursor *c)
{
    uint32_t bits = mni_cursor_u32(c);
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

void mni_buf_add(mni_buf *b, const void *bytes, size_t n)
{
    if (b->failed || n == 0) return;
    if (n > SIZE_MAX - b->n_bytes ||
        !mni_grow((void **)&b->bytes, &b->cap, b->n_bytes + n, 1)) {
        b->failed = 1;
        return;
    }
    memcpy(b->bytes + b->n_bytes, bytes, n);
    b->n_bytes += n;
}
void mni_buf_u8(mni_buf *b, uint8_t v) { mni_buf_add(b, &v, 1); }
void mni_buf_u16(mni_buf *b, uint16_t v)
{
    uint8_t p[2];
    mni_put16(p, v);
    mni_buf_add(b, p, sizeof p);
}
void mni_buf_u32(mni_buf *b, uint32_t v)
{
    uint8_t p[4];
    mni_put32(p, v);
    mni_buf_add(b, p, sizeof p);
}
void mni_buf_u64(mni_buf *b, uint64_t v)
{
    uint8_t p[8];
    mni_put64(p, v);
    mni_buf_add(b, p, sizeof p);
}
void mni_buf_f32(mni_buf *b, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    mni_buf_u32(b, bits);
}
void mni_buf_fini(mni_buf *b)
{
    mni_free(b->bytes);
    *b = (mni_buf){ 0 };
}

uint64_t mni_hash_bytes(const void *bytes, size_t n_bytes, uint64_t seed)
{
    const uint8_t *p = bytes;
    uint64_t lane[4];
    for (unsigned i = 0; i < 4; i++) lane[i] = mni_mix64(seed + i + 1);
    size_t left = n_bytes;
    for (; left >= 32; left -= 32, p += 32)
        for (unsigned i = 0; i < 4; i++)
            lane[i] = (lane[i] ^ mni_get64(p + 8 * i)) * 0x9E3779B97F4A7C15u,
            lane[i] ^= lane[i] >> 29;
    uint8_t rest[32] = { 0 };
    if (left) memcpy(rest, p, left);
    for (unsigned i = 0; i < 4; i++)
        lane[i] = mni_mix64(lane[i] ^ mni_get64(rest + 8 * i));
    uint64_t h = mni_mix64((uint64_t)n_bytes);
    for (unsigned i = 0; i < 4; i++) h = mni_mix64(h ^ lane[i]) + i;
    return h;
}
