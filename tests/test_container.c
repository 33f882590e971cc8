/* test_container.c - the container: what is written comes back, what is damaged is
 * refused, and a save that is interrupted anywhere leaves the old file or the new one.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "kern/crc32c.h"
#include "store/container.h"
#include "store/disk.h"

static const float three[3] = { 1.0f, -2.5f, 0x1p-20f };
static const uint64_t wide[2] = { 1, UINT64_MAX };

/* A small file of every alignment, with an empty section; `version` makes contents
 * differ. */
static void put_small(mni_writer *w, uint32_t version)
{
    mni_writer_section(w, "NAME", MNI_BYTES, MNI_ALIGN_SECTION, "hello", 5);
    mni_writer_begin(w, "VECS", MNI_F32, MNI_ALIGN_PAGE);
    for (size_t i = 0; i < 3; i++) mni_writer_put(w, &three[i], sizeof *three);
    mni_writer_end(w);
    mni_writer_section(w, "NONE", MNI_U64, MNI_ALIGN_SECTION, NULL, 0);
    mni_writer_section(w, "VERS", MNI_U32, MNI_ALIGN_SECTION, &version, sizeof version);
    mni_writer_section(w, "IDS ", MNI_U64, MNI_ALIGN_SECTION, wide, sizeof wide);
}

static mann_status save_small(const mni_vfs *v, const char *path, uint32_t version,
                              mann_error *err)
{
    mni_writer *w;
    MNI_TRY(mni_writer_new(&w, v, path, MNI_FILE_DATA, mni_uuid_from(7, version), version,
                           err));
    put_small(w, version);
    return mni_writer_finish(w, err);
}

static mann_status small_buf(mni_buf *buf, uint32_t version, mann_error *err)
{
    mni_writer *w;
    MNI_TRY(mni_writer_new_buf(&w, buf, MNI_FILE_DATA, mni_uuid_from(7, version), version,
                               err));
    put_small(w, version);
    return mni_writer_finish(w, err);
}

static void check_small(const mni_reader *r, uint32_t version)
{
    mann_error e;
    mni_section s;
    CHECK_EQ(mni_reader_kind(r), MNI_FILE_DATA);
    CHECK_FINE(mni_reader_is(r, MNI_FILE_DATA, &e), e);
    CHECK_IS(mni_reader_is(r, MNI_FILE_MODEL, &e), MANN_E_FORMAT);
    CHECK_EQ(mni_reader_generation(r), version);
    CHECK(mni_uuid_same(mni_reader_uuid(r), mni_uuid_from(7, version)));
    CHECK_EQ(mni_reader_n_sections(r), 5);
    CHECK_FINE(mni_reader_need(r, "NAME", MNI_BYTES, 5, &s, &e), e);
    CHECK(memcmp(s.data, "hello", 5) == 0);
    CHECK_FINE(mni_reader_need(r, "VECS", MNI_F32, 3, &s, &e), e);
    CHECK((uintptr_t)s.data % sizeof(float) == 0 &&
          memcmp(s.data, three, sizeof three) == 0);
    CHECK_FINE(mni_reader_need(r, "NONE", MNI_U64, 0, &s, &e), e);
    CHECK(s.data != NULL);
    CHECK_FINE(mni_reader_need(r, "VERS", MNI_U32, UINT64_MAX, &s, &e), e);
    CHECK_EQ(mni_get32(s.data), version);
    CHECK_FINE(mni_reader_need(r, "IDS ", MNI_U64, 2, &s, &e), e);
    CHECK(memcmp(s.data, wide, sizeof wide) == 0);
    CHECK_IS(mni_reader_need(r, "IDS ", MNI_U64, 3, &s, &e), MANN_E_FORMAT);
    CHECK_IS(mni_reader_need(r, "IDS ", MNI_I64, 2, &s, &e), MANN_E_FORMAT);
    CHECK_IS(mni_reader_need(r, "GONE", MNI_U64, 2, &s, &e), MANN_E_FORMAT);
    CHECK(!mni_reader_find(r, "GONE", &s) && s.data == NULL);
}

static void round_trip_on(const mni_vfs *v, const char *path)
{
    mann_error e;
    mni_reader *r;
    CHECK_IS(mni_reader_open(&r, v, path, 0, &e), MANN_E_NOT_FOUND);
    CHECK(r == NULL);
    for (uint32_t version = 1; version <= 2; version++) {
        CHECK_FINE(save_small(v, path, version, &e), e);
        CHECK_FINE(mni_reader_open(&r, v, path, MNI_READ_VERIFY, &e), e);
        CHECK_STR(mni_reader_name(r), path);
        check_small(r, version);
        mni_reader_free(r);
    }
}

static void round_trip(void)
{
    char path[512];
    mann_error e;
    mni_vfs_mem *m;
    snprintf(path, sizeof path, "%s/small.mann", test_dir());
    round_trip_on(mni_vfs_posix(), path);
    CHECK_FINE(mni_vfs_mem_new(&m, &e), e);
    round_trip_on(mni_vfs_mem_vfs(m), "a/small.mann");
    mni_vfs_faulty f;
    mni_vfs_faulty_init(&f, mni_vfs_mem_vfs(m));
    round_trip_on(&f.vfs, "b/small.mann");
    mni_vfs_mem_free(m);
}

static void buffer_and_file_agree(void)
{
    mann_error e;
    mni_vfs_mem *m;
    mni_buf buf = { 0 };
    uint8_t *bytes;
    size_t n;
    CHECK_FINE(mni_vfs_mem_new(&m, &e), e);
    CHECK_FINE(save_small(mni_vfs_mem_vfs(m), "x", 3, &e), e);
    CHECK_FINE(mni_read_file(mni_vfs_mem_vfs(m), "x", 1 << 20, &bytes, &n, &e), e);
    mni_buf_add(&buf, "before", 6);
    CHECK_FINE(small_buf(&buf, 3, &e), e);
    CHECK_EQ(buf.n_bytes, n + 6);
    CHECK(memcmp(buf.bytes, "before", 6) == 0 && memcmp(buf.bytes + 6, bytes, n) == 0);

    /* An aborted or failed writer leaves the buffer as it was. */
    mni_writer *w;
    CHECK_FINE(mni_writer_new_buf(&w, &buf, MNI_FILE_DATA, mni_uuid_new(), 0, &e), e);
    put_small(w, 1);
    mni_writer_abort(w);
    CHECK_EQ(buf.n_bytes, n + 6);
    mni_writer_abort(NULL);
    mni_free(bytes);
    mni_buf_fini(&buf);
    mni_vfs_mem_free(m);
}

/* The format is frozen: a change of one byte is a change of version, with a golden
 * file. */
static void golden_bytes(void)
{
    mann_error e;
    mni_buf buf = { 0 };
    CHECK_FINE(small_buf(&buf, 1, &e), e);
    CHECK_EQ(buf.n_bytes, 4096 + 4 * 64 + 5 * 64);
    CHECK_EQ(mni_crc32c_plain(0, buf.bytes, buf.n_bytes), 0xB1A4B337u);
    mni_buf_fini(&buf);
}

/* Sections around the border of a checksum, put in pieces of all sizes, large ones
 * too. */
static void sizes_and_pieces(void)
{
    static const size_t sizes[] = { 1, 63, 64, 65, 65535, 65536, 65537, 200000 };
    mni_rng rng = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, 0);
    uint8_t *data = mni_alloc(200000, 1);
    mann_error e;
    mni_vfs_mem *m;
    mni_writer *w;
    mni_reader *r;
    CHECK(data);
    for (size_t i = 0; i < 200000; i++) data[i] = (uint8_t)mni_rng_u64(&rng);
    CHECK_FINE(mni_vfs_mem_new(&m, &e), e);
    CHECK_FINE(mni_writer_new(&w, mni_vfs_mem_vfs(m), "x", MNI_FILE_INDEX, mni_uuid_new(),
                              1, &e),
               e);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const char tag[4] = { 'S', 'I', 'Z', (char)('0' + i) };
        mni_writer_begin(w, tag, MNI_U8, i % 2 ? MNI_ALIGN_PAGE : MNI_ALIGN_SECTION);
        for (size_t at = 0; at < sizes[i];) {
            size_t step = 1 + mni_rng_below(&rng, i % 3 ? 70000 : 900);
            if (step > sizes[i] - at) step = sizes[i] - at;
            mni_writer_put(w, data + at, step);
            at += step;
        }
        mni_writer_end(w);
    }
    CHECK_FINE(mni_writer_finish(w, &e), e);
    CHECK_FINE(mni_reader_open(&r, mni_vfs_mem_vfs(m), "x", MNI_READ_VERIFY, &e), e);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char tag[5];
        mni_section s, first;
        CHECK(mni_reader_at(r, (uint32_t)i, tag, &s) && mni_reader_at(r, 0, tag, &first));
        CHECK(s.count == sizes[i] && memcmp(s.data, data, sizes[i]) == 0);
        CHECK_EQ(((const char *)s.data - (const char *)first.data + 64) %
                     (i % 2 ? 4096 : 64),
                 0);
    }
    mni_reader_free(r);
    mni_vfs_mem_free(m);
    mni_free(data);
}

static mann_status open_at(const void *bytes, size_t n, mann_error *err)
{
    mni_reader *r;
    mann_status s = mni_reader_open_bytes(&r, bytes, n, "small", 0, err);
    if ((s == MANN_OK) != (r != NULL))
        return MANN_E_ARG; /* no status of the reader's own here */
    mni_reader_free(r);
    return s;
}

static void every_truncation(void)
{
    mann_error e;
    mni_buf buf = { 0 };
    CHECK_FINE(small_buf(&buf, 1, &e), e);
    for (size_t n = 0; n <= buf.n_bytes; n++) {
        void *at = n % 8 ? mni_memdup(buf.bytes, n) : test_fence(n, 0);
        CHECK(at);
        memcpy(at, buf.bytes, n);
        CHECK_IS(open_at(at, n, &e), n == buf.n_bytes ? MANN_OK : MANN_E_FORMAT);
        if (n % 8) mni_free(at);
        else test_fence_free(at, n, 0);
    }
    mni_buf_add(&buf, "", 1);
    CHECK_IS(open_at(buf.bytes, buf.n_bytes, &e), MANN_E_FORMAT);
    mni_buf_fini(&buf);
}

/* Padding included: not one bit of the file is without a guard. */
static void every_bit_flip(void)
{
    mann_error e;
    mni_buf buf = { 0 };
    CHECK_FINE(small_buf(&buf, 1, &e), e);
    for (size_t bit = 0; bit < buf.n_bytes * 8; bit++) {
        buf.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        mann_status s = open_at(buf.bytes, buf.n_bytes, &e);
        if (s != MANN_E_FORMAT && !(s == MANN_E_VERSION && bit / 64 == 1))
            test_fail(__FILE__, __LINE__, "bit %zu flipped: %s", bit,
                      mann_status_name(s));
        buf.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    mni_buf_fini(&buf);
}

/* --- lies with right checksums ---------------------------------------------------- */

static void sign(uint8_t *file, size_t n)
{
    mni_disk_header h;
    memcpy(&h, file, sizeof h);
    size_t table_bytes = (size_t)h.section_count * sizeof(mni_disk_section);
    if (table_bytes <= n - sizeof h)
        h.section_crc = mni_crc32c(0, file + n - table_bytes, table_bytes);
    h.header_crc = mni_crc32c(0, &h, offsetof(mni_disk_header, header_crc));
    memcpy(file, &h, sizeof h);
}

typedef struct lie {
    int section;                    /* -1: the field is in the header */
    size_t at, n_bytes;             /* field */
    uint64_t value;
    mann_status want;
    const char *sentence;           /* must hold this */
} lie;

#define IN_HEADER(field) \
    -1, offsetof(mni_disk_header, field), sizeof((mni_disk_header *)0)->field
#define IN_SECTION(i, field) i, offsetof(mni_disk_section, field), \
                             sizeof ((mni_disk_section *)0)->field

static void signed_lies(void)
{
    static const lie lies[] = {
        { IN_HEADER(magic), 0, MANN_E_FORMAT, "not a MetricANN file" },
        { IN_HEADER(version), 2, MANN_E_VERSION, "version 2" },
        { IN_HEADER(kind), 0, MANN_E_FORMAT, "kind 0" },
        { IN_HEADER(kind), 5, MANN_E_FORMAT, "kind 5" },
        { IN_HEADER(features), 0x8000000000000020u, MANN_E_VERSION, "bits 5, 63" },
        { IN_HEADER(file_size), UINT64_MAX, MANN_E_FORMAT, "cut" },
        { IN_HEADER(file_size), 64, MANN_E_FORMAT, "added" },
        { IN_HEADER(section_count), 0, MANN_E_FORMAT, "table" },
        { IN_HEADER(section_count), 4, MANN_E_FORMAT, "checksums of VECS" },
        { IN_HEADER(section_count), 6, MANN_E_FORMAT, "tag" },
        { IN_HEADER(section_count), 255, MANN_E_FORMAT, "do not fit" },
        { IN_HEADER(section_count), UINT32_MAX, MANN_E_LIMIT, "at most 256" },
        { IN_SECTION(0, tag), 0x0A414141, MANN_E_FORMAT, "not printable" },
        { IN_SECTION(1, tag), 0x454D414E, MANN_E_FORMAT, "twice" }, /* NAME */
        { IN_SECTION(0, dtype), 11, MANN_E_FORMAT, "dtype 11" },
        { IN_SECTION(0, dtype), UINT32_MAX, MANN_E_FORMAT, "dtype" },
        { IN_SECTION(0, dtype), MNI_U16, MANN_E_FORMAT, "whole items" },
        { IN_SECTION(0, align), 0, MANN_E_FORMAT, "alignment 0" },
        { IN_SECTION(0, align), 1, MANN_E_FORMAT, "alignment 1" },
        { IN_SECTION(0, align), 0x80000000u, MANN_E_FORMAT, "alignment" },
        { IN_SECTION(0, at), 0, MANN_E_FORMAT, "begins at 0" },
        { IN_SECTION(0, at), UINT64_MAX - 3, MANN_E_FORMAT, "begins at" },
        { IN_SECTION(0, n_bytes), UINT64_MAX, MANN_E_FORMAT, "runs past" },
        { IN_SECTION(0, n_bytes), UINT64_MAX - 63, MANN_E_FORMAT, "runs past" },
        { IN_SECTION(0, n_bytes), 5000, MANN_E_FORMAT, "runs past" },
        { IN_SECTION(0, n_bytes), 4, MANN_E_FORMAT, "NAME is damaged" },
        { IN_SECTION(4, n_bytes), 64, MANN_E_FORMAT, "IDS " }, /* into the checksums */
        { IN_SECTION(4, n_bytes), 24, MANN_E_FORMAT, "damaged" },
        { IN_SECTION(0, sums_at), 64, MANN_E_FORMAT, "checksums of NAME" },
        { IN_SECTION(0, sums_crc), 1, MANN_E_FORMAT, "checksums of section NAME" },
        { IN_SECTION(3, zero), 1, MANN_E_FORMAT, "reserved" },
    };
    mann_error e;
    mni_buf good = { 0 };
    CHECK_FINE(small_buf(&good, 1, &e), e);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        const lie *l = &lies[i];
        uint8_t value[32] = { 0 }, *bad = mni_memdup(good.bytes, good.n_bytes);
        CHECK(bad);
        mni_put64(value, l->value);
        size_t base = l->section < 0 ? 0 : good.n_bytes - (5 - (size_t)l->section) * 64;
        memcpy(bad + base + l->at, value, l->n_bytes);
        sign(bad, good.n_bytes);
        mann_status s = open_at(bad, good.n_bytes, &e);
        if (s != l->want || !strstr(e.text, l->sentence))
            test_fail(__FILE__, __LINE__, "lie %zu: %s: %s; wanted %s: %s", i,
                      mann_status_name(s), s == MANN_OK ? "" : e.text,
                      mann_status_name(l->want), l->sentence);
        mni_free(bad);
    }
    CHECK_IS(open_at(good.bytes + 1, 64, &e), MANN_E_ARG);      /* not aligned */
    mni_buf_fini(&good);
}

/* --- the writer's own checks ------------------------------------------------------ */

static mann_status misuse(int which, mann_error *err)
{
    mni_buf buf = { 0 };
    mni_writer *w;
    MNI_TRY(mni_writer_new_buf(&w, &buf, MNI_FILE_DATA, mni_uuid_new(), 0, err));
    mni_writer_section(w, "GOOD", MNI_U8, MNI_ALIGN_SECTION, "x", 1);
    switch (which) {
    case 0: mni_writer_section(w, "GOOD", MNI_U8, MNI_ALIGN_SECTION, "x", 1); break;
    case 1: mni_writer_section(w, "BA\n\n", MNI_U8, MNI_ALIGN_SECTION, "x", 1); break;
    case 2:
        mni_writer_section(w, "DTYP", (mni_dtype)99, MNI_ALIGN_SECTION, "x", 1);
        break;
    case 3: mni_writer_section(w, "ITEM", MNI_F32, MNI_ALIGN_SECTION, "xyz", 3); break;
    case 4: mni_writer_section(w, "ALGN", MNI_U8, 32, "x", 1); break;
    case 5: mni_writer_put(w, "x", 1); break;
    case 6: mni_writer_end(w); break;
    case 7: mni_writer_begin(w, "OPEN", MNI_U8, MNI_ALIGN_SECTION); break;
    case 8:
        mni_writer_begin(w, "OPEN", MNI_U8, MNI_ALIGN_SECTION);
        mni_writer_begin(w, "MORE", MNI_U8, MNI_ALIGN_SECTION);
        break;
    default:
        for (int i = 0; i < 256; i++) {
            const char tag[4] = { 'T', (char)('0' + i / 100), (char)('0' + i / 10 % 10),
                                  (char)('0' + i % 10) };
            mni_writer_section(w, tag, MNI_U8, MNI_ALIGN_SECTION, "x", 1);
        }
    }
    mni_writer_section(w, "LATE", MNI_U8, MNI_ALIGN_SECTION, "x",
                       1); /* does nothing any more */
    mann_status s = mni_writer_finish(w, err);
    CHECK_EQ(buf.n_bytes, 0);
    mni_buf_fini(&buf);
    return s;
}

static void writer_refuses(void)
{
    mann_error e;
    for (int which = 0; which < 9; which++) CHECK_IS(misuse(which, &e), MANN_E_ARG);
    CHECK_IS(misuse(9, &e), MANN_E_LIMIT);
}

/* --- failures of the medium ------------------------------------------------------- */

static int count_names(void *ctx, const char *name)
{
    (void)name;
    ++*(int *)ctx;
    return 0;
}

/* The version that is at d/x now; 0 if nothing is. Nothing else may be in the folder. */
static uint32_t version_of(const mni_vfs *v)
{
    mann_error e;
    mni_reader *r;
    int names = 0;
    mann_status s = mni_reader_open(&r, v, "d/x", MNI_READ_VERIFY, &e);
    if (s == MANN_E_NOT_FOUND) return 0;
    CHECK_FINE(s, e);
    uint32_t version = (uint32_t)mni_reader_generation(r);
    check_small(r, version);
    mni_reader_free(r);
    CHECK_FINE(v->ops->list(v, "d", count_names, &names, &e), e);
    CHECK_EQ(names, 1);
    return version;
}

/* Fails operation n of one save over an old file, with or without a power cut after it.
 * Returns the number of operations a save counts when this one was the first to succeed,
 * else 0. */
static long save_with_fault(long n, int short_write, int cut)
{
    mann_error e;
    mni_vfs_mem *m;
    mni_vfs_faulty f;
    CHECK_FINE(mni_vfs_mem_new(&m, &e), e);
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    CHECK_FINE(v->ops->mkdir(v, "d", &e), e);
    CHECK_FINE(save_small(v, "d/x", 1, &e), e);
    mni_vfs_faulty_init(&f, v);
    f.which = MNI_FAULT_ANY;
    f.fail_in = n;
    f.sticky = cut;
    f.short_write = short_write;
    mann_status s = save_small(&f.vfs, "d/x", 2, &e);
    CHECK(s == MANN_OK || (s == MANN_E_IO && e.text[0]));
    if (cut) mni_vfs_mem_power_cut(m);
    uint32_t now = version_of(v);
    /* The last operation, the sync of the folder, comes when the new file is in place
     * already. */
    int last = n == f.n_counted - 1 && !cut;
    CHECK(s == MANN_OK ? now == 2 : now == 1 || (now == 2 && (last || cut)));
    mni_vfs_mem_free(m);
    return s == MANN_OK ? f.n_counted : 0;
}

static void every_fault(void)
{
    for (int how = 0; how < 4; how++) {
        long n = 0, n_operations = 0;
        while (!(n_operations = save_with_fault(n, how & 1, how >> 1))) n++;
        CHECK(n >= 6 &&
              n == n_operations); /* open, write, write, sync, close, rename, sync */
    }
}

static void finish_reports_a_full_disk(void)
{
    mann_error e;
    mni_vfs_mem *m;
    mni_vfs_faulty f;
    mni_writer *w;
    uint8_t block[1000] = { 0 };
    CHECK_FINE(mni_vfs_mem_new(&m, &e), e);
    mni_vfs_faulty_init(&f, mni_vfs_mem_vfs(m));
    f.which = MNI_FAULT_WRITE;
    f.fail_in = 3;
    f.sticky = 1;
    CHECK_FINE(mni_writer_new(&w, &f.vfs, "d/x", MNI_FILE_DATA, mni_uuid_new(), 1, &e),
               e);
    mni_writer_begin(w, "LONG", MNI_U8, MNI_ALIGN_SECTION);
    for (int i = 0; i < 1000; i++) mni_writer_put(w, block, sizeof block);
    mni_writer_end(w);
    CHECK_EQ(f.n_counted, 4); /* nothing was tried after the first failure */
    CHECK_IS(mni_writer_finish(w, &e), MANN_E_IO);
    CHECK_EQ(version_of(mni_vfs_mem_vfs(m)), 0);
    mni_vfs_mem_free(m);
}

static void abort_leaves_nothing(void)
{
    mann_error e;
    mni_vfs_mem *m;
    mni_writer *w;
    CHECK_FINE(mni_vfs_mem_new(&m, &e), e);
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    CHECK_FINE(save_small(v, "d/x", 1, &e), e);
    CHECK_FINE(mni_writer_new(&w, v, "d/x", MNI_FILE_DATA, mni_uuid_new(), 9, &e), e);
    put_small(w, 9);
    mni_writer_abort(w);
    CHECK_EQ(version_of(v), 1);
    mni_vfs_mem_free(m);
}

static mann_status save_and_open(void *ctx)
{
    mann_error e;
    mni_vfs_mem *m;
    mni_reader *r = NULL;
    (void)ctx;
    MNI_TRY(mni_vfs_mem_new(&m, &e));
    mann_status s = save_small(mni_vfs_mem_vfs(m), "d/x", 1, &e);
    if (s == MANN_OK) s = mni_reader_open(&r, mni_vfs_mem_vfs(m), "d/x", 0, &e);
    CHECK((s == MANN_OK) == (r != NULL));
    mni_reader_free(r);
    mni_vfs_mem_free(m);
    return s;
}

static mann_status to_memory_and_open(void *ctx)
{
    mann_error e;
    mni_buf buf = { 0 };
    (void)ctx;
    mann_status s = small_buf(&buf, 1, &e);
    if (s == MANN_OK) s = open_at(buf.bytes, buf.n_bytes, &e);
    mni_buf_fini(&buf);
    return s;
}

static void out_of_memory(void)
{
    test_oom(save_and_open, NULL, 0);
    test_oom(to_memory_and_open, NULL, 0);
}

/* --- nesting, size, uuid ---------------------------------------------------------- */

static void file_in_a_file(void)
{
    mann_error e;
    mni_buf inner = { 0 }, outer = { 0 };
    mni_writer *w;
    mni_reader *r, *within;
    mni_section s;
    CHECK_FINE(small_buf(&inner, 4, &e), e);
    CHECK_FINE(mni_writer_new_buf(&w, &outer, MNI_FILE_GALLERY, mni_uuid_new(), 8, &e),
               e);
    mni_writer_section(w, "ODD ", MNI_U8, MNI_ALIGN_SECTION, "x", 1);
    mni_writer_section(w, "MODL", MNI_BYTES, MNI_ALIGN_SECTION, inner.bytes,
                       inner.n_bytes);
    CHECK_FINE(mni_writer_finish(w, &e), e);
    CHECK_FINE(mni_reader_open_bytes(&r, outer.bytes, outer.n_bytes, "outer", 0, &e), e);
    CHECK(mni_reader_find(r, "MODL", &s));
    CHECK_FINE(mni_reader_open_bytes(&within, s.data, (size_t)s.n_bytes, "inner", 0, &e),
               e);
    check_small(within, 4);
    mni_reader_free(within);
    mni_reader_free(r);
    mni_buf_fini(&inner);
    mni_buf_fini(&outer);
}

/* Above 64 MiB opening reads the frame only; verifying still finds the one flipped
 * bit. */
static void large_files_are_checked_on_demand(void)
{
    enum { LARGE = 65 << 20 };
    mann_error e;
    mni_buf buf = { 0 };
    mni_writer *w;
    mni_reader *r;
    mni_section s;
    uint8_t *data = mni_alloc(LARGE, 1);
    CHECK(data);
    CHECK_FINE(mni_writer_new_buf(&w, &buf, MNI_FILE_DATA, mni_uuid_new(), 1, &e), e);
    mni_writer_section(w, "BULK", MNI_U8, MNI_ALIGN_PAGE, data, LARGE);
    CHECK_FINE(mni_writer_finish(w, &e), e);
    buf.bytes[4096 + 40000000] ^= 16;
    CHECK_FINE(mni_reader_open_bytes(&r, buf.bytes, buf.n_bytes, "large", 0, &e), e);
    CHECK(mni_reader_find(r, "BULK", &s) && s.count == LARGE);
    CHECK_IS(mni_reader_verify(r, &e), MANN_E_FORMAT);
    CHECK(strstr(e.text, "BULK") &&
          strstr(e.text, "at 39981056")); /* 4096 + 610 chunks */
    mni_reader_free(r);
    CHECK_IS(
        mni_reader_open_bytes(&r, buf.bytes, buf.n_bytes, "large", MNI_READ_VERIFY, &e),
        MANN_E_FORMAT);
    mni_buf_fini(&buf);
    mni_free(data);
}

static void uuids(void)
{
    char text[40];
    mni_uuid u[64];
    for (int i = 0; i < 64; i++) {
        u[i] = mni_uuid_new();
        for (int k = 0; k < i; k++) CHECK(!mni_uuid_same(u[i], u[k]));
    }
    CHECK(mni_uuid_same(mni_uuid_from(1, 2), mni_uuid_from(1, 2)));
    CHECK(!mni_uuid_same(mni_uuid_from(1, 2), mni_uuid_from(2, 1)));
    mni_uuid_text((mni_uuid){ { 0x3f, 0x2a, 0x9c, 1, 0x77, 0xe0, 0x4b, 0x1d, 0x9a, 0x8c,
                                0x55, 0x10 } },
                  text);
    CHECK_STR(text, "3f2a9c01-77e0-4b1d-9a8c5510");
}

const test_case container_tests[];
const test_case container_tests[] = {
    { "round_trip", round_trip, 0 },
    { "buffer_and_file_agree", buffer_and_file_agree, 0 },
    { "golden_bytes", golden_bytes, 0 },
    { "sizes_and_pieces", sizes_and_pieces, 0 },
    { "every_truncation", every_truncation, 0 },
    { "every_bit_flip", every_bit_flip, 0 },
    { "signed_lies", signed_lies, 0 },
    { "writer_refuses", writer_refuses, 0 },
    { "every_fault", every_fault, 0 },
    { "finish_reports_a_full_disk", finish_reports_a_full_disk, 0 },
    { "abort_leaves_nothing", abort_leaves_nothing, 0 },
    { "out_of_memory", out_of_memory, 0 },
    { "file_in_a_file", file_in_a_file, 0 },
    { "large_files_are_checked_on_demand", large_files_are_checked_on_demand, 1 },
    { "uuids", uuids, 0 },
    { 0 }
};
