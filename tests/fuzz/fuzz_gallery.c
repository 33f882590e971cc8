/* fuzz_gallery.c - bytes as a gallery and its journal: opened, asked, changed, folded,
 * repaired.
 *
 *   | u16 n | n bytes: records of the journal | sections (forge.h) |
 *   a record: | u8 type | u8 last of its commit? | u16 n | n bytes |
 *
 * Checksums and chains are put right, so that the fuzzer gets to what they guard. What
 * verify passes may be changed and folded, and verify passes that too; whatever the bytes
 * are, what repair makes of them is sound. SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/mem.h"
#include "../forge.h"
#include "fuzz.h"
#include "recog/gallery.h"
#include "recog/meta.h"

enum { K = 4, MOST_DIM = 256, HEAD = 4 };

static mann_status ignore(void *ctx, uint32_t type, const void *bytes, size_t n,
                          mann_error *err)
{
    (void)ctx, (void)type, (void)bytes, (void)n, (void)err;
    return MANN_OK;
}

/* The journal belongs to the base by its uuid and the stamp in its META. */
static void forge_journal(const mni_vfs *v, const uint8_t *at, size_t left)
{
    mni_reader *r;
    mni_section s;
    mni_journal *j;
    if (mni_reader_open(&r, v, "g", 0, NULL) != MANN_OK) return;
    const uint64_t stamp = mni_reader_find(r, "META", &s) && s.n_bytes >= 56
                               ? mni_get64((const uint8_t *)s.data + 48) : 0;
    const mni_uuid uuid =
        mni_uuid_from(stamp, mni_hash_bytes(mni_reader_uuid(r).bytes, 12, 0));
    mni_reader_free(r);
    if (mni_journal_open(&j, v, "g-journal", uuid, 1, ignore, NULL, NULL, NULL) !=
        MANN_OK)
        return;
    while (left >= HEAD) {
        size_t n = mni_get16(at + 2);
        if (n > left - HEAD) n = left - HEAD;
        if (at[0] && mni_journal_append(j, at[0], at + HEAD, n, NULL) != MANN_OK) break;
        if (at[1] & 1 && mni_journal_commit(j, NULL) != MANN_OK) break;
        at += HEAD + n;
        left -= HEAD + n;
    }
    mni_journal_close(j, NULL);
}

static int walk(void *user, const mann_record *r)
{
    uint64_t *sum = user;
    *sum += strlen(r->source) + (r->class_name ? strlen(r->class_name) : 0) + r->id;
    return 0;
}

/* Everything that reads. */
static void ask(mni_gallery *g, const float *q, uint32_t dim)
{
    mann_gallery_info info = { .struct_size = sizeof info };
    mann_search how = { .struct_size = sizeof how, .k = K };
    mann_hit hits[K];
    mann_answer a;
    char text[64];
    uint64_t sum = 0;
    const mann_matrix m = { q, 1, dim, dim };
    FUZZ_CHECK(mni_gallery_describe(g, &info, NULL) == MANN_OK);
    FUZZ_CHECK(mni_gallery_each(g, walk, &sum, NULL) == MANN_OK);
    for (uint32_t k = 0; k < 3; k++)
        mni_gallery_class_name(g, k, text, sizeof text, NULL);
    mni_gallery_source(g, 1, text, sizeof text, NULL);
    if (mni_gallery_search(g, m, &how, NULL, hits, &a, NULL) == MANN_OK)
        FUZZ_CHECK(a.n_hits <= K);
    if (mni_gallery_identify(g, m, &how, NULL, hits, &a, NULL) == MANN_OK)
        FUZZ_CHECK(a.n_hits <= K);
}

static void change(mni_gallery *g, const float *q)
{
    const mni_new_row row = { .klass = "fresh", .source = "a/b.png", .vector = q };
    mann_error e = { MANN_OK, "" };
    uint64_t id = 0;
    size_t gone;
    if (mni_gallery_add(g, &row, 1, &id, &e) == MANN_OK) {
        FUZZ_CHECK(mni_gallery_relabel(g, &id, 1, "other", &e) == MANN_OK);
        FUZZ_CHECK(mni_gallery_remove(g, &id, 1, &gone, &e) == MANN_OK && gone == 1);
        FUZZ_CHECK(mni_gallery_add(g, &row, 1, &id, &e) == MANN_OK);
    }
    const mann_status s = mni_gallery_build(g, NULL, NULL, MNI_MEASURE_NO, NULL, NULL,
                                            &e);
    if (s == MANN_OK && mni_gallery_verify(g, NULL, &e) != MANN_OK) {
        fprintf(stderr, "after a fold: %s\n", e.text);
        abort();
    }
}

static void repair(const mni_vfs *v)
{
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    const mann_status s = mni_gallery_repair(v, "g", "saved", "Flat", NULL, NULL, NULL,
                                             &e);
    FUZZ_CHECK(s == MANN_OK || e.text[0]);
    if (s != MANN_OK) return;
    if (mni_gallery_open(&g, v, "saved", MANN_OPEN_READ, &e) != MANN_OK ||
        mni_gallery_verify(g, NULL, &e) != MANN_OK) {
        fprintf(stderr, "after repair: %s\n", e.text);
        abort();
    }
    mni_gallery_free(g);
}

static void live(const mni_vfs *v)
{
    float q[MOST_DIM];
    mni_gallery *g;
    mann_error e = { MANN_OK, "" };
    for (uint32_t i = 0; i < MOST_DIM; i++) q[i] = (float)(i % 3) - 0.7f;
    repair(v);
    const mann_status s = mni_gallery_open(&g, v, "g", MANN_OPEN_WRITE, &e);
    FUZZ_CHECK((s == MANN_OK) == (g != NULL) && (s == MANN_OK || e.text[0]));
    if (!g) return;
    const uint32_t dim = mni_gallery_dim(g);
    if (dim <= MOST_DIM) {
        ask(g, q, dim);
        if (mni_gallery_verify(g, NULL, &e) == MANN_OK) {
            change(g, q);
            ask(g, q, dim);
        }
    }
    mni_gallery_free(g);
}

int fuzz_gallery(const uint8_t *bytes, size_t n_bytes)
{
    mni_vfs_mem *memory;
    if (n_bytes < 2 || n_bytes > 1 << 17) return 0;
    size_t n = mni_get16(bytes);
    if (n > n_bytes - 2) n = n_bytes - 2;
    if (mni_vfs_mem_new(&memory, NULL) != MANN_OK) return 0;
    const mni_vfs *v = mni_vfs_mem_vfs(memory);
    if (forge_file(v, "g", MNI_FILE_GALLERY, bytes + 2 + n, n_bytes - 2 - n) == MANN_OK) {
        forge_journal(v, bytes + 2, n);
        live(v);
    }
    mni_vfs_mem_free(memory);
    return 0;
}
