/* test_base.c - room base: memory, random numbers, heaps, maps, bytes. Values that live
 * in files or in "the same seed" are frozen here; they were computed by a second
 * implementation. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/dtype.h"
#include "base/idmap.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/status.h"
#include "base/topk.h"
#include "base/visited.h"
#include "harness.h"

static mni_rng test_rng(uint64_t slot)
{
    return mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, slot);
}

/* --- status ------------------------------------------------------------------------- */

static void status_names(void)
{
    for (int i = 0; i <= MANN_E_BUDGET; i++)
        for (int j = 0; j < i; j++)
            CHECK(strcmp(mann_status_name((mann_status)i),
                         mann_status_name((mann_status)j)) != 0);
    CHECK_STR(mann_status_name((mann_status)1000), "unknown status");
    CHECK(MANN_OK == 0 && MANN_E_NOMEM == 2 && MANN_E_CANCELLED == 13);     /* frozen */
}

static void sentences(void)
{
    mann_error e;
    char text[400];
    CHECK_IS(mni_fail(NULL, MANN_E_IO, "%d", 1), MANN_E_IO);
    CHECK_IS(mni_fail_prefix(NULL, MANN_E_IO, "%d", 1), MANN_E_IO);
    CHECK_IS(mni_fail(&e, MANN_E_FORMAT, "png: width is %d", 0), MANN_E_FORMAT);
    CHECK(e.code == MANN_E_FORMAT);
    CHECK_IS(mni_fail_prefix(&e, MANN_E_LIMIT, "%s", "a.png"), MANN_E_LIMIT);
    CHECK_STR(e.text, "a.png: png: width is 0");
    CHECK(e.code == MANN_E_LIMIT);
    /* Cut at every offset within a letter of four bytes: never half a letter at the
     * end. */
    for (int shift = 0; shift < 4; shift++) {
        memset(text, 'x', (size_t)shift);
        for (size_t i = (size_t)shift; i + 4 < sizeof text; i += 4)
            memcpy(text + i, "\xF0\x9F\x98\x80", 5);
        mni_fail(&e, MANN_E_IO, "%s", text);
        size_t n = strlen(e.text);
        CHECK(n < sizeof e.text && n + 8 >= sizeof e.text &&
              (n - (size_t)shift) % 4 == 0);
    }
}

/* --- memory ------------------------------------------------------------------------- */

static void mem_blocks(void)
{
    long live = mni_mem_live();
    for (size_t n = 0; n < 200; n += 7) {
        unsigned char *p = mni_alloc(n, 3), *q = mni_alloc_aligned(n, 3, 1);
        CHECK(p && q && (uintptr_t)p % 16 == 0 && (uintptr_t)q % 64 == 0);
        for (size_t i = 0; i < 3 * n; i++) CHECK(p[i] == 0 && q[i] == 0);
        if (n) memset(p, 1, 3 * n), memset(q, 2, 3 * n);
        CHECK_EQ(mni_mem_live(), live + 2);
        mni_free(p);
        mni_free(q);
    }
    mni_free(NULL);
    CHECK(mni_alloc(SIZE_MAX, 2) == NULL && mni_alloc(SIZE_MAX / 2, 4) == NULL);
    CHECK(mni_alloc_aligned((size_t)1 << (sizeof(size_t) * 4),
                            (size_t)1 << (sizeof(size_t) * 4), 0) == NULL);
    CHECK_EQ(mni_mem_live(), live);
    char *s = mni_strdup("text");
    CHECK_STR(s, "text");
    void *empty = mni_memdup(NULL, 0);
    CHECK(empty);
    mni_free(empty);
    mni_free(s);
}

static void mem_realloc(void)
{
    unsigned char *p = mni_realloc(NULL, 5, 1);
    size_t n = 5;
    for (size_t i = 0; i < n; i++) p[i] = (unsigned char)i;
    for (size_t next = 1; next < 3000000; next = next * 3 + 1) {
        p = mni_realloc(p, next, 1);
        CHECK(p && (uintptr_t)p % 16 == 0);
        for (size_t i = 0; i < next && i < n; i++) CHECK(p[i] == (unsigned char)i);
        for (size_t i = 0; i < next; i++) p[i] = (unsigned char)i;
        n = next;
    }
    CHECK(mni_realloc(p, SIZE_MAX, 2) == NULL);
    mni_mem_fail_after(0);
    void *none = mni_realloc(p, n + 1, 1);
    mni_mem_fail_after(-1);
    CHECK(none == NULL && p[n - 1] == (unsigned char)(n - 1));  /* the old block stands */
    mni_free(p);
}

static void mem_fails_on_command(void)
{
    void *got[3];
    mni_mem_fail_after(2);
    for (int i = 0; i < 3; i++) got[i] = mni_alloc(1, 1);
    void *later = mni_alloc(1, 1);
    mni_mem_fail_after(-1);
    CHECK(got[0] && got[1] && !got[2] && !later);
    mni_free(got[0]);
    mni_free(got[1]);
}

static void mem_grow(void)
{
    int *items = NULL;
    size_t cap = 0;
    CHECK(mni_grow((void **)&items, &cap, 1, sizeof *items) && cap == 16);
    int *first = items;
    CHECK(mni_grow((void **)&items, &cap, 16, sizeof *items) && items == first);
    for (int i = 0; i < 16; i++) items[i] = i;
    CHECK(mni_grow((void **)&items, &cap, 17, sizeof *items) && cap == 32 &&
          items[15] == 15);
    CHECK(!mni_grow((void **)&items, &cap, SIZE_MAX, sizeof *items) && cap == 32);
    mni_free(items);
}

static void arena_pieces(void)
{
    mni_arena a;
    mni_arena_init(&a, 0);
    for (int round = 0; round < 3; round++) {
        mni_rng r = test_rng(1);
        unsigned char *pieces[300];
        uint32_t sizes[300];
        for (int i = 0; i < 300; i++) {
            sizes[i] = mni_rng_below(&r, i % 50 == 0 ? 100000 : 500);
            pieces[i] = mni_arena_get(&a, sizes[i], 1);
            CHECK(pieces[i] && (uintptr_t)pieces[i] % 64 == 0);
            for (uint32_t b = 0; b < sizes[i]; b++) CHECK(pieces[i][b] == 0);
            memset(pieces[i], i & 255, sizes[i]);
        }
        for (int i = 0; i < 300; i++)
            for (uint32_t b = 0; b < sizes[i]; b++) CHECK(pieces[i][b] == (i & 255));
        mni_arena_reset(&a);
        CHECK(a.used_bytes == 0);
    }
    CHECK(mni_arena_get(&a, SIZE_MAX, 2) == NULL &&
          mni_arena_get(&a, 2, SIZE_MAX) == NULL);
    CHECK(mni_arena_get(&a, 0, 8) != NULL);
    mni_arena_fini(&a);
    mni_arena_init(&a, 1000);
    CHECK(mni_arena_get(&a, 1001, 1) == NULL);
    CHECK(mni_arena_get(&a, 900, 1) != NULL && mni_arena_get(&a, 100, 1) == NULL);
    mni_arena_reset(&a);
    CHECK(mni_arena_get(&a, 100, 1) != NULL);
    mni_arena_fini(&a);
}

static mann_status arena_body(void *ctx)
{
    mni_arena a;
    mann_status s = MANN_OK;
    (void)ctx;
    mni_arena_init(&a, 0);
    for (size_t i = 1; i < 20 && s == MANN_OK; i++)
        if (!mni_arena_get(&a, i, 5000)) s = MANN_E_NOMEM;
    mni_arena_fini(&a);
    return s;
}

static void arena_memory_runs_out(void) { test_oom(arena_body, NULL, 0); }

/* --- random numbers ----------------------------------------------------------------- */

static void rng_frozen(void)
{
    mni_rng r = mni_rng_at(1, MNI_FOR_TEST, 0, 0, 0);
    CHECK(mni_rng_u64(&r) == 0x459e402481bdf014u);
    CHECK(mni_rng_u64(&r) == 0x4311476c627c1919u);
    CHECK(mni_rng_u64(&r) == 0xc8574d1ac0692a82u);
    r = mni_rng_at(0xDEADBEEF, MNI_FOR_EPISODE, 3, 1000000, UINT64_MAX);
    CHECK(mni_rng_u64(&r) == 0xc4818645c95e2752u);
    CHECK(mni_rng_u64(&r) == 0xfca9ea79ae70bb6eu);
    CHECK(mni_mix64(0) == 0 && mni_mix64(1) == 0x5692161d100b05e5u);
    static const uint32_t want[10] = { 5, 1, 9, 6, 4, 3, 7, 8, 0, 2 };
    uint32_t out[10];
    r = mni_rng_at(7, MNI_FOR_TEST, 0, 0, 0);
    mni_rng_shuffle(&r, out, 10);
    CHECK(memcmp(out, want, sizeof out) == 0);
    r = mni_rng_at(7, MNI_FOR_TEST, 0, 0, 0);
    CHECK(mni_rng_unit(&r) == 9763508 * 0x1p-24f &&
          mni_rng_unit(&r) == 12709966 * 0x1p-24f);
    CHECK(MNI_FOR_TEST == 1 && MNI_FOR_EPISODE == 9 && MNI_FOR_UUID == 14);
}

static void rng_addresses_differ(void)
{
    mni_rng a[6] = {
        mni_rng_at(1, MNI_FOR_TEST, 2, 3, 4), mni_rng_at(2, MNI_FOR_TEST, 2, 3, 4),
        mni_rng_at(1, MNI_FOR_INIT, 2, 3, 4), mni_rng_at(1, MNI_FOR_TEST, 3, 2, 4),
        mni_rng_at(1, MNI_FOR_TEST, 2, 4, 3), mni_rng_at(1, MNI_FOR_TEST, 4, 3, 2)
    };
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < i; j++) CHECK(a[i].key != a[j].key);
}

static void rng_below_is_uniform(void)
{
    static const uint32_t ns[] = { 1, 2, 3, 7, 10, 100 };
    mni_rng r = test_rng(2);
    for (size_t c = 0; c < sizeof ns / sizeof *ns; c++) {
        uint32_t n = ns[c], count[100] = { 0 };
        for (uint32_t i = 0; i < 2000 * n; i++) {
            uint32_t v = mni_rng_below(&r, n);
            CHECK(v < n);
            count[v]++;
        }
        for (uint32_t v = 0; v < n; v++) CHECK_NEAR(count[v], 2000, 300);  /* 6.7 sigma */
    }
    for (int i = 0; i < 1000; i++) CHECK(mni_rng_below(&r, 0xFFFFFFFFu) < 0xFFFFFFFFu);
}

static void rng_moments(void)
{
    mni_rng r = test_rng(3);
    double sum = 0, squares = 0, normal = 0, normal_squares = 0;
    int n = 100000;
    for (int i = 0; i < n; i++) {
        float u = mni_rng_unit(&r), z = mni_rng_normal(&r), v = mni_rng_range(&r, -2, 3);
        CHECK(u >= 0 && u < 1 && z >= -6 && z <= 6 && v >= -2 && v <= 3);
        sum += u; squares += (double)u * u;
        normal += z; normal_squares += (double)z * z;
    }
    CHECK_NEAR(sum / n, 0.5, 0.006);
    CHECK_NEAR(squares / n, 1.0 / 3, 0.006);
    CHECK_NEAR(normal / n, 0, 0.02);
    CHECK_NEAR(normal_squares / n, 1, 0.03);
}

static void rng_shuffle_is_a_permutation(void)
{
    uint32_t out[50], first[5] = { 0 };
    for (uint32_t n = 0; n <= 50; n++) {
        unsigned char seen[50] = { 0 };
        mni_rng r = test_rng(100 + n);
        mni_rng_shuffle(&r, out, n);
        for (uint32_t i = 0; i < n; i++) {
            CHECK(out[i] < n && !seen[out[i]]);
            seen[out[i]] = 1;
        }
    }
    mni_rng r = test_rng(4);
    for (int i = 0; i < 10000; i++) {
        mni_rng_shuffle(&r, out, 5);
        first[out[0]]++;
    }
    for (int i = 0; i < 5; i++) CHECK_NEAR(first[i], 2000, 300);
}

/* --- top-k -------------------------------------------------------------------------- */

static int by_nearness(const void *a, const void *b)
{
    const mni_near *x = a, *y = b;
    return mni_nearer(*x, *y) ? -1 : mni_nearer(*y, *x);
}

static void topk_equals_sort(void)
{
    enum { MAX = 300 };
    mni_near all[MAX], kept[MAX + 1];
    mni_rng r = test_rng(5);
    for (int round = 0; round < 600; round++) {
        uint32_t n = mni_rng_below(&r, MAX),
                 k = mni_rng_below(&r, round % 3 ? 20 : MAX + 1);
        mni_topk t;
        mni_topk_init(&t, kept, k);
        for (uint32_t i = 0; i < n; i++) {
            /* few different distances: ties must be ordered by row, whatever the order of
             * arrival */
            all[i] = (mni_near){ (float)mni_rng_below(&r, 12) - 4, (i * 7919u) % 307u };
            int wants = mni_topk_wants(&t, all[i].distance);
            mni_near worst = t.n ? t.items[0] : (mni_near){ 0, 0 };
            int kept_it = t.n < k || (k && mni_nearer(all[i], worst));
            CHECK(!kept_it || wants); /* wants may be too kind (ties), never too strict */
            mni_topk_push(&t, all[i].distance, all[i].row);
        }
        qsort(all, n, sizeof *all, by_nearness);
        uint32_t want = n < k ? n : k;
        CHECK_EQ(mni_topk_sort(&t), want);
        for (uint32_t i = 0; i < want; i++)
            CHECK(kept[i].distance == all[i].distance && kept[i].row == all[i].row);
    }
    mni_topk t;
    mni_topk_init(&t, NULL, 0);
    mni_topk_push(&t, 1, 1);
    CHECK(mni_topk_sort(&t) == 0 && !mni_topk_wants(&t, -INFINITY));
}

/* --- visited ------------------------------------------------------------------------ */

static void visited_marks(void)
{
    mni_visited v;
    CHECK(mni_visited_init(&v, 10));
    for (long walk = 0; walk < 140000; walk++) {            /* the stamps run out twice */
        uint32_t row = (uint32_t)(walk % 10);
        CHECK(!mni_visited_mark(&v, row));
        CHECK(mni_visited_mark(&v, row));
        CHECK(!mni_visited_mark(&v, (row + 1) % 10));
        mni_visited_next(&v);
    }
    mni_visited_mark(&v, 3);
    CHECK(mni_visited_grow(&v, 1000));
    CHECK(mni_visited_mark(&v, 3) && !mni_visited_mark(&v, 999));
    CHECK(mni_visited_grow(&v, 5) && v.n_rows == 1000);     /* never shrinks */
    mni_mem_fail_after(0);
    int grown = mni_visited_grow(&v, 100000);
    mni_mem_fail_after(-1);
    CHECK(!grown && mni_visited_mark(&v, 999));
    mni_visited_fini(&v);
    CHECK(mni_visited_init(&v, 0));
    mni_visited_next(&v);
    mni_visited_fini(&v);
}

/* --- id map ------------------------------------------------------------------------- */

/* Against an array: keys are few, so that puts, overwrites and removals meet each
 * other. */
static void idmap_equals_array(void)
{
    enum { KEYS = 700 };
    static uint64_t key[KEYS];
    static uint32_t value[KEYS];
    static char there[KEYS];
    mni_idmap m = { 0 };
    mni_rng r = test_rng(6);
    size_t n = 0;
    memset(there, 0, sizeof there);
    for (uint32_t i = 0; i < KEYS; i++)              /* extremes, runs, and random keys */
        key[i] = i < 300 ? i : i < 310 ? UINT64_MAX - i : mni_rng_u64(&r);
    for (int step = 0; step < 60000; step++) {
        uint32_t i = mni_rng_below(&r, KEYS), got = 12345;
        /* phases of growing and shrinking */
        int put = mni_rng_below(&r, 10) < (step / 10000 % 2 ? 3u : 7u);
        if (put) {
            CHECK(mni_idmap_put(&m, key[i], (uint32_t)step));
            n += !there[i];
            there[i] = 1;
            value[i] = (uint32_t)step;
        } else {
            CHECK_EQ(mni_idmap_remove(&m, key[i]), there[i]);
            n -= (size_t)there[i];
            there[i] = 0;
        }
        CHECK(m.n == n && 4 * m.n <= 3 * m.n_slots);
        uint32_t j = mni_rng_below(&r, KEYS);
        CHECK_EQ(mni_idmap_get(&m, key[j], &got), there[j]);
        CHECK_EQ(got, there[j] ? value[j] : 12345);
        if (step % 5000) continue;
        for (j = 0; j < KEYS; j++) CHECK_EQ(mni_idmap_get(&m, key[j], &got), there[j]);
    }
    mni_idmap_fini(&m);
    uint32_t got;
    CHECK(!mni_idmap_get(&m, 1, &got) && !mni_idmap_remove(&m, 1));
}

static mann_status idmap_body(void *ctx)
{
    mni_idmap m = { 0 };
    mann_status s = MANN_OK;
    uint32_t got;
    (void)ctx;
    for (uint32_t i = 0; i < 100 && s == MANN_OK; i++)
        if (!mni_idmap_put(&m, i, i)) s = MANN_E_NOMEM;
    /* nothing lost */
    for (uint32_t i = 0; i < m.n; i++) CHECK(mni_idmap_get(&m, i, &got) && got == i);
    mni_idmap_fini(&m);
    return s;
}

static void idmap_memory_runs_out(void) { test_oom(idmap_body, NULL, 0); }

/* --- bytes -------------------------------------------------------------------------- */

static void bytes_are_little_endian(void)
{
    static const uint8_t p[8] = { 0x01, 0x82, 0x03, 0x84, 0x05, 0x86, 0x07, 0x88 };
    uint8_t q[8];
    CHECK(mni_get16(p) == 0x8201 && mni_get32(p) == 0x84038201u &&
          mni_get64(p) == 0x8807860584038201u);
    CHECK(mni_get16be(p + 1) == 0x8203 && mni_get32be(p + 3) == 0x84058607u);
    mni_put64(q, mni_get64(p));
    CHECK(memcmp(p, q, 8) == 0);
    mni_put32be(q, 0x0182F384u);
    CHECK(q[0] == 1 && q[1] == 0x82 && q[2] == 0xF3 && q[3] == 0x84);
}

static void spans(void)
{
    CHECK(mni_span_fits(0, 0, 0, 0) && mni_span_fits(10, 5, 2, 20) &&
          mni_span_fits(20, 0, 8, 20));
    CHECK(!mni_span_fits(11, 5, 2, 20) && !mni_span_fits(21, 0, 8, 20));
    CHECK(!mni_span_fits(0, UINT64_MAX, 2, UINT64_MAX) &&
          !mni_span_fits(UINT64_MAX, 1, 1, UINT64_MAX));
    CHECK(!mni_span_fits(8, UINT64_C(1) << 61, 8, UINT64_MAX) &&
          mni_span_fits(8, UINT64_MAX, 0, 8));
}

static void cursor_and_buffer(void)
{
    mni_buf b = { 0 };
    mni_buf_u8(&b, 7);
    mni_buf_u16(&b, 0x1234);
    mni_buf_u32(&b, 0xDEADBEEFu);
    mni_buf_u64(&b, 0x0123456789ABCDEFu);
    mni_buf_f32(&b, -1.5f);
    mni_buf_add(&b, "tail", 4);
    mni_buf_add(&b, NULL, 0);
    CHECK(b.n_bytes == 23 && !b.failed);
    mni_cursor c = mni_cursor_of(b.bytes, b.n_bytes);
    CHECK(mni_cursor_u8(&c) == 7 && mni_cursor_u16(&c) == 0x1234 &&
          mni_cursor_u32(&c) == 0xDEADBEEFu);
    CHECK(mni_cursor_u64(&c) == 0x0123456789ABCDEFu && mni_cursor_f32(&c) == -1.5f);
    CHECK(mni_cursor_left(&c) == 4 && !c.bad);
    CHECK(mni_cursor_u64(&c) == 0 && c.bad);         /* does not fit: nothing, for ever */
    CHECK(mni_cursor_u8(&c) == 0 && mni_cursor_take(&c, 0) == NULL &&
          mni_cursor_left(&c) == 4);
    c = mni_cursor_of(b.bytes, b.n_bytes);
    CHECK(mni_cursor_take(&c, SIZE_MAX) == NULL && c.bad);
    mni_mem_fail_after(0);
    for (int i = 0; i < 100; i++) mni_buf_u64(&b, 1);
    mni_mem_fail_after(-1);
    size_t n = b.n_bytes;
    mni_buf_u8(&b, 1);
    CHECK(b.failed && b.n_bytes == n);
    mni_buf_fini(&b);
}

static void hash_frozen(void)
{
    static const struct { size_t n; uint64_t plain, seeded; } want[] = {
        { 0, 0x03a3a0d8774fc9dau, 0x90df5fa74fdbdc30u },
        { 1, 0x3aa1a60cc364d4bdu, 0x915246a7ab5c0ad9u },
        { 8, 0x2e821bde3516b156u, 0x7d9020632afa0088u },
        { 31, 0x060facc2fb421300u, 0x2319ccd34937f52eu },
        { 32, 0x1e1d50a7653d6673u, 0x3fd247da1ebe88f6u },
        { 33, 0x93b5ac5c580d13edu, 0xe8170390b5b3cd51u },
        { 64, 0x9c8bcb3b48c8956fu, 0xa056173814777403u },
        { 100, 0x6ef75872a8475bdbu, 0xfb1046da941d4084u }
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        uint8_t *p = test_fence(want[i].n, 0);           /* reads not one byte too many */
        for (size_t b = 0; b < want[i].n; b++) p[b] = (uint8_t)(b * 37 + 11);
        CHECK(mni_hash_bytes(p, want[i].n, 0) == want[i].plain);
        CHECK(mni_hash_bytes(p, want[i].n, 12345) == want[i].seeded);
        test_fence_free(p, want[i].n, 0);
    }
    CHECK(mni_hash_bytes(NULL, 0, 0) == want[0].plain);
}

static void hash_sees_every_bit(void)
{
    uint8_t p[80] = { 0 };
    uint64_t before = mni_hash_bytes(p, sizeof p, 0);
    int flips = 0;
    for (size_t bit = 0; bit < 8 * sizeof p; bit++) {
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        uint64_t diff = before ^ mni_hash_bytes(p, sizeof p, 0);
        CHECK(diff != 0);
        for (; diff; diff &= diff - 1) flips++;
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    CHECK_NEAR(flips / (8.0 * sizeof p), 32, 1);            /* half of the output bits */
    for (size_t n = 1; n <= sizeof p; n++) /* zeros of another length are other content */
        CHECK(mni_hash_bytes(p, n, 0) != mni_hash_bytes(p, n - 1, 0));
}

/* --- halves ------------------------------------------------------------------------- */

/* A double by the definition of binary16. */
static double half_value(uint32_t h)
{
    int exponent = (int)(h >> 10 & 31);
    double man = (double)(h & 1023);
    double v = exponent ? ldexp(1024 + man, exponent - 25) : ldexp(man, -24);
    return h & 0x8000 ? -v : v;
}

static void halves_all(void)
{
    for (uint32_t h = 0; h < 65536; h++) {
        float v = mni_f32_from_f16((uint16_t)h);
        uint16_t back = mni_f16_from_f32(v);
        if ((h & 0x7C00) == 0x7C00) {
            if (h & 1023) CHECK(isnan(v) && (back & 0x7C00) == 0x7C00 && (back & 1023));
            else CHECK(isinf(v) && back == h);
            continue;
        }
        CHECK((double)v == half_value(h) && (signbit(v) != 0) == (h >> 15));
        CHECK_EQ(back, h);
    }
}

/* Between each pair of neighbours: the middle goes to the even one, a hair beside it to
 * the nearer. */
static void halves_round_to_even(void)
{
    for (uint32_t h = 0; h < 0x7C00; h++) {
        /* beyond the largest half stands 2^16, "infinity" */
        float low = mni_f32_from_f16((uint16_t)h);
        float high = h == 0x7BFF ? 65536.0f : mni_f32_from_f16((uint16_t)(h + 1));
        float middle = (float)(((double)low + (double)high) / 2);
        uint16_t even = (uint16_t)(h & 1 ? h + 1 : h);
        CHECK_EQ(mni_f16_from_f32(middle), even);
        CHECK_EQ(mni_f16_from_f32(-middle), even | 0x8000);
        CHECK_EQ(mni_f16_from_f32(nextafterf(middle, 0)), h);
        CHECK_EQ(mni_f16_from_f32(nextafterf(middle, INFINITY)), h + 1);
    }
    CHECK_EQ(mni_f16_from_f32(1e30f), 0x7C00);
    CHECK_EQ(mni_f16_from_f32(-INFINITY), 0xFC00);
    CHECK_EQ(mni_f16_from_f32(-0.0f), 0x8000);
    CHECK_EQ(mni_f16_from_f32(1e-45f), 0);
}

static void dtype_sizes(void)
{
    CHECK(mni_dtype_bytes(MNI_F32) == 4 && mni_dtype_bytes(MNI_F64) == 8 &&
          mni_dtype_bytes(MNI_F16) == 2);
    CHECK(mni_dtype_bytes((mni_dtype)11) == 0 && mni_dtype_bytes((mni_dtype)255) == 0);
    CHECK(MNI_F64 == 10 && MNI_U32 == 6);
}

const test_case base_tests[];
const test_case base_tests[] = {
    { "status_names", status_names, 0 },
    { "sentences", sentences, 0 },
    { "mem_blocks", mem_blocks, 0 },
    { "mem_realloc", mem_realloc, 0 },
    { "mem_fails_on_command", mem_fails_on_command, 0 },
    { "mem_grow", mem_grow, 0 },
    { "arena_pieces", arena_pieces, 0 },
    { "arena_memory_runs_out", arena_memory_runs_out, 0 },
    { "rng_frozen", rng_frozen, 0 },
    { "rng_addresses_differ", rng_addresses_differ, 0 },
    { "rng_below_is_uniform", rng_below_is_uniform, 0 },
    { "rng_moments", rng_moments, 0 },
    { "rng_shuffle_is_a_permutation", rng_shuffle_is_a_permutation, 0 },
    { "topk_equals_sort", topk_equals_sort, 0 },
    { "visited_marks", visited_marks, 0 },
    { "idmap_equals_array", idmap_equals_array, 0 },
    { "idmap_memory_runs_out", idmap_memory_runs_out, 0 },
    { "bytes_are_little_endian", bytes_are_little_endian, 0 },
    { "spans", spans, 0 },
    { "cursor_and_buffer", cursor_and_buffer, 0 },
    { "hash_frozen", hash_frozen, 0 },
    { "hash_sees_every_bit", hash_sees_every_bit, 0 },
    { "halves_all", halves_all, 0 },
    { "halves_round_to_even", halves_round_to_even, 0 },
    { "dtype_sizes", dtype_sizes, 0 },
    { NULL, NULL, 0 }
};
