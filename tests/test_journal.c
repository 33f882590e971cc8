/* test_journal.c - the journal: what was committed comes back, whatever happens to the
 * file's end, to one bit of it, to any write or sync, or to the power.
 * SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/rng.h"
#include "harness.h"
#include "kern/crc32c.h"
#include "store/disk.h"
#include "store/journal.h"

/* Group g of a test is a function of its number: 1 + g % 3 records, record r of 0..90
 * bytes. */
enum { N_GROUPS = 7, HEADER = 64 };
static const char *const path = "d/g.mann-journal";

static unsigned group_records(unsigned g) { return 1 + g % 3; }

static size_t record(unsigned g, unsigned r, uint32_t *type, uint8_t bytes[128])
{
    mni_rng rng = mni_rng_at(77, MNI_FOR_TEST, g, r, 0);
    size_t n = mni_rng_below(&rng, 91);
    *type = 1 + mni_rng_below(&rng, 9);
    for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)mni_rng_u64(&rng);
    return n;
}

static uint64_t group_bytes(unsigned g)
{
    uint64_t sum = 0;
    for (unsigned r = 0; r < group_records(g); r++) {
        uint8_t bytes[128];
        uint32_t type;
        sum += 16 + mni_disk_round(record(g, r, &type, bytes), 8);
    }
    return sum;
}

static mann_status commit_group(mni_journal *j, unsigned g, mann_error *err)
{
    for (unsigned r = 0; r < group_records(g); r++) {
        uint8_t bytes[128];
        uint32_t type;
        size_t n = record(g, r, &type, bytes);
        MNI_TRY(mni_journal_append(j, type, bytes, n, err));
    }
    return mni_journal_commit(j, err);
}

/* What a replay saw: the numbers of the groups, in order. Anything else than whole groups
 * is `bad`. */
typedef struct seen { unsigned groups[64], n, in_group; int bad; } seen;

static mann_status see(void *ctx, uint32_t type, const void *bytes, size_t n,
                       mann_error *err)
{
    seen *s = ctx;
    uint8_t want[128];
    uint32_t want_type;
    (void)err;
    if ((uintptr_t)bytes % 8) s->bad = 1;
    if (s->in_group == 0) {             /* a first record tells which group it is */
        unsigned g = 0;
        for (; g < 64; g++) {
            size_t n_want = record(g, 0, &want_type, want);
            if (n_want == n && want_type == type && memcmp(want, bytes, n) == 0) break;
        }
        if (g == 64 || s->n == 64) { s->bad = 1; return MANN_OK; }
        s->groups[s->n++] = g;
    }
    unsigned g = s->groups[s->n ? s->n - 1 : 0];
    size_t n_want = record(g, s->in_group, &want_type, want);
    if (n_want != n || want_type != type || memcmp(want, bytes, n) != 0) s->bad = 1;
    if (++s->in_group == group_records(g)) s->in_group = 0;
    return MANN_OK;
}

static mni_uuid base_uuid(void) { return mni_uuid_from(3, 4); }

static mann_status open_journal(mni_journal **j, const mni_vfs *v, uint64_t generation,
                                seen *s, mni_journal_report *report, mann_error *err)
{
    *s = (seen){ { 0 }, 0, 0, 0 };
    return mni_journal_open(j, v, path, base_uuid(), generation, see, s, report, err);
}

/* Replays as a reader; returns the number of groups after checking that they are 0, 1, 2,
 * ... */
static unsigned replay_count(const mni_vfs *v, uint64_t generation,
                             mni_journal_report *report)
{
    mann_error e;
    seen s = { { 0 }, 0, 0, 0 };
    CHECK_FINE(mni_journal_replay(v, path, base_uuid(), generation, see, &s, report, &e),
               e);
    CHECK(!s.bad && s.in_group == 0);
    for (unsigned i = 0; i < s.n; i++) CHECK_EQ(s.groups[i], i);
    return s.n;
}

static mni_vfs_mem *new_disk(void)
{
    mann_error e;
    mni_vfs_mem *m;
    CHECK_FINE(mni_vfs_mem_new(&m, &e), e);
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    CHECK_FINE(v->ops->mkdir(v, "d", &e), e);
    return m;
}

/* A file of groups 0..n-1, as bytes (mni_free). */
static uint8_t *journal_of(unsigned n, size_t *n_bytes)
{
    mann_error e;
    mni_journal *j;
    seen s;
    uint8_t *bytes;
    mni_vfs_mem *m = new_disk();
    CHECK_FINE(open_journal(&j, mni_vfs_mem_vfs(m), 1, &s, NULL, &e), e);
    for (unsigned g = 0; g < n; g++) CHECK_FINE(commit_group(j, g, &e), e);
    CHECK_FINE(mni_journal_close(j, &e), e);
    CHECK_FINE(mni_read_file(mni_vfs_mem_vfs(m), path, 1 << 20, &bytes, n_bytes, &e), e);
    mni_vfs_mem_free(m);
    return bytes;
}

static void put_file(const mni_vfs *v, const void *bytes, size_t n)
{
    mann_error e;
    CHECK_FINE(mni_replace_file(v, path, bytes, n, &e), e);
}

/* --- the ordinary life ------------------------------------------------------------ */

static void life_on(const mni_vfs *v, const char *at)
{
    mann_error e;
    mni_journal *j;
    mni_journal_report rep;
    seen s = { { 0 }, 0, 0, 0 };
    uint64_t bytes = 0;
    CHECK_FINE(mni_journal_replay(v, at, base_uuid(), 1, see, &s, &rep, &e), e);
    CHECK(rep.n_records == 0 && !rep.foreign);
    for (unsigned g = 0; g < N_GROUPS; g++) {       /* opened anew for each group */
        s = (seen){ { 0 }, 0, 0, 0 };
        CHECK_FINE(mni_journal_open(&j, v, at, base_uuid(), 1, see, &s, &rep, &e), e);
        CHECK(s.n == g && !s.bad && rep.n_cut_bytes == 0 && rep.n_bytes == bytes);
        CHECK_EQ(mni_journal_bytes(j), bytes);
        CHECK_FINE(mni_journal_commit(j, &e), e);   /* nothing appended: nothing to do */
        CHECK_FINE(mni_journal_append(j, 9, "forgotten", 9, &e), e);
        mni_journal_discard(j);
        CHECK_FINE(commit_group(j, g, &e), e);
        CHECK_FINE(mni_journal_append(j, 9, "forgotten too", 13, &e), e);
        bytes += group_bytes(g);
        CHECK_EQ(mni_journal_bytes(j), bytes);
        CHECK_FINE(mni_journal_close(j, &e), e);
    }
    /* A new base: the old records belong to the old generation and are gone. */
    s = (seen){ { 0 }, 0, 0, 0 };
    CHECK_FINE(mni_journal_open(&j, v, at, base_uuid(), 1, see, &s, &rep, &e), e);
    CHECK_FINE(mni_journal_reset(j, base_uuid(), 2, &e), e);
    CHECK_EQ(mni_journal_bytes(j), 0);
    CHECK_FINE(commit_group(j, 5, &e), e);
    CHECK_FINE(mni_journal_close(j, &e), e);
    s = (seen){ { 0 }, 0, 0, 0 };
    CHECK_FINE(mni_journal_replay(v, at, base_uuid(), 2, see, &s, &rep, &e), e);
    CHECK(s.n == 1 && s.groups[0] == 5 && !s.bad && rep.n_records == group_records(5));
    CHECK_FINE(mni_journal_replay(v, at, base_uuid(), 1, see, &s, &rep, &e), e);
    CHECK(rep.foreign && rep.foreign_generation == 2 && rep.n_records == 0);
}

static void life(void)
{
    char at[512];
    snprintf(at, sizeof at, "%s/g.mann-journal", test_dir());
    life_on(mni_vfs_posix(), at);
    mni_vfs_mem *m = new_disk();
    life_on(mni_vfs_mem_vfs(m), path);
    mni_vfs_mem_free(m);
}

/* Another reader, in another language, written from the description alone. */
static void second_reader(void)
{
    static const char *const script = "tests/oracle_container.py";
    static const uint8_t bulk[70000] = { 1, 2, 3 };
    char base[512], at[600], command[2000];
    size_t n;
    uint8_t *bytes;
    mni_writer *w;
    struct stat st;
    mann_error e;
    if (stat(script, &st) != 0) test_skip("no %s from here", script);
    if (stat("/usr/bin/python3", &st) != 0) test_skip("no /usr/bin/python3");
    snprintf(base, sizeof base, "%s/g.mann", test_dir());
    CHECK_FINE(
        mni_writer_new(&w, mni_vfs_posix(), base, MNI_FILE_DATA, base_uuid(), 1, &e), e);
    mni_writer_section(w, "NAME", MNI_BYTES, MNI_ALIGN_SECTION, "hello", 5);
    mni_writer_section(w, "BULK", MNI_U8, MNI_ALIGN_PAGE, bulk, sizeof bulk);
    CHECK_FINE(mni_writer_finish(w, &e), e);
    snprintf(at, sizeof at, "%s-journal", base);
    bytes = journal_of(N_GROUPS, &n);
    CHECK_FINE(mni_replace_file(mni_vfs_posix(), at, bytes, n, &e), e);
    mni_free(bytes);
    snprintf(command, sizeof command, "/usr/bin/python3 %s %s %s > %s.out", script, base,
             at, base);
    CHECK_EQ(system(command), 0);
}

/* Frozen: a change of one byte is a change of version. */
static void golden_bytes(void)
{
    size_t n;
    uint8_t *bytes = journal_of(3, &n);
    CHECK_EQ(n, 400);
    CHECK_EQ(mni_crc32c_plain(0, bytes, n), 0xF19D49BDu);
    mni_free(bytes);
}

static void large_records(void)
{
    mann_error e;
    mni_journal *j;
    seen s;
    mni_journal_report rep;
    mni_vfs_mem *m = new_disk();
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    static uint8_t block[700000];
    memset(block, 5, sizeof block);
    CHECK_FINE(open_journal(&j, v, 1, &s, NULL, &e), e);
    for (unsigned i = 0; i < 4; i++)
        CHECK_FINE(mni_journal_append(j, 1, block, sizeof block - i, &e), e);
    CHECK_FINE(mni_journal_commit(j, &e), e);
    CHECK_IS(mni_journal_append(j, 1, block, MNI_JOURNAL_RECORD_LIMIT + 1, &e),
             MANN_E_LIMIT);
    CHECK_IS(mni_journal_append(j, 0, block, 1, &e), MANN_E_ARG);
    CHECK_FINE(mni_journal_close(j, &e), e);
    CHECK_FINE(mni_journal_replay(v, path, base_uuid(), 1, see, &s, &rep, &e), e);
    CHECK_EQ(rep.n_records, 4);
    mni_vfs_mem_free(m);
}

static mann_status refuse(void *ctx, uint32_t type, const void *bytes, size_t n,
                          mann_error *err)
{
    (void)type; (void)bytes; (void)n;
    return ++*(int *)ctx == 4
               ? mni_fail(err, MANN_E_MISMATCH, "the fourth is one too many")
               : MANN_OK;
}

static void replay_that_refuses(void)
{
    mann_error e;
    mni_journal *j;
    size_t n, after;
    int calls = 0;
    uint8_t *bytes = journal_of(N_GROUPS, &n), *now;
    mni_vfs_mem *m = new_disk();
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    put_file(v, bytes, n - 1); /* torn, so that there would be something to cut */
    CHECK_IS(mni_journal_open(&j, v, path, base_uuid(), 1, refuse, &calls, NULL, &e),
             MANN_E_MISMATCH);
    CHECK(j == NULL && strstr(e.text, "fourth"));
    CHECK_FINE(mni_read_file(v, path, 1 << 20, &now, &after, &e), e);
    CHECK(after == n - 1 && memcmp(now, bytes, after) == 0);
    mni_free(now);
    mni_free(bytes);
    mni_vfs_mem_free(m);
}

/* --- damage ----------------------------------------------------------------------- */

/* The file holds `want` good groups and rubbish: readers see them, the writer cuts, goes
 * on, and the next one sees old and new. */
static void check_damaged(const uint8_t *bytes, size_t n, unsigned want)
{
    mann_error e;
    mni_journal *j;
    mni_journal_report rep;
    seen s;
    uint64_t good = 0;
    mni_vfs_mem *m = new_disk();
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    for (unsigned g = 0; g < want; g++) good += group_bytes(g);
    put_file(v, bytes, n);
    CHECK_EQ(replay_count(v, 1, &rep), want);
    CHECK(rep.n_bytes == good && rep.n_cut_bytes <= n - good && !rep.foreign);
    CHECK(want == 0 || rep.n_cut_bytes == n - good - HEADER);
    CHECK_FINE(open_journal(&j, v, 1, &s, &rep, &e), e);
    CHECK(s.n == want && !s.bad && rep.n_bytes == good);
    mni_vfs_mem_power_cut(m);           /* no write since: the same state */
    CHECK_FINE(commit_group(j, want, &e), e);
    CHECK_FINE(mni_journal_close(j, &e), e);
    CHECK_EQ(replay_count(v, 1, &rep), want + 1);
    CHECK_EQ(rep.n_cut_bytes, 0);
    mni_vfs_mem_free(m);
}

/* Groups of a file of which the first n bytes are as they were. */
static unsigned whole_groups(size_t n)
{
    uint64_t at = HEADER;
    unsigned g = 0;
    while (g < N_GROUPS && at + group_bytes(g) <= n) at += group_bytes(g++);
    return g;
}

static void every_truncation(void)
{
    size_t n;
    uint8_t *bytes = journal_of(N_GROUPS, &n);
    for (size_t cut = 0; cut <= n; cut++) check_damaged(bytes, cut, whole_groups(cut));
    mni_free(bytes);
}

/* From byte `cut` on: zeros, noise, or the right bytes followed by either. */
static void every_bad_end(void)
{
    mni_rng rng = mni_rng_at(test_seed(), MNI_FOR_TEST, 0, 0, 0);
    size_t n;
    uint8_t *bytes = journal_of(N_GROUPS, &n), *bad = mni_alloc(n + 100, 1);
    CHECK(bad);
    for (int noise = 0; noise < 2; noise++)
        for (size_t cut = 0; cut <= n; cut++) {
            memcpy(bad, bytes, cut);
            for (size_t i = cut; i < n + 100; i++)
                bad[i] = noise ? (uint8_t)mni_rng_u64(&rng) : 0;
            size_t same = cut;          /* some of the zeros are what was there anyway */
            while (same < n && bad[same] == bytes[same]) same++;
            /* A header that is gone does no harm as long as the records stand; here they
             * do not. */
            check_damaged(bad, n + 100, whole_groups(same));
        }
    mni_free(bad);
    mni_free(bytes);
}

/* A flip in a group ends the replay before it; one in the header costs nothing. */
static void every_bit_flip(void)
{
    size_t n;
    uint8_t *bytes = journal_of(N_GROUPS, &n);
    for (size_t bit = 0; bit < n * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        check_damaged(bytes, n, bit / 8 < HEADER ? N_GROUPS : whole_groups(bit / 8));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    mni_free(bytes);
}

/* Records of an older life of the file, right in themselves, behind the end of the new
 * one. */
static void old_records_do_not_count(void)
{
    mni_journal_report rep;
    size_t n;
    uint8_t *bytes = journal_of(N_GROUPS, &n);
    mni_vfs_mem *m = new_disk();
    mni_disk_journal h = { .magic = MNI_JOURNAL_MAGIC, .version = MNI_JOURNAL_VERSION,
                           .generation = 2 };
    mni_uuid u = base_uuid();
    memcpy(h.uuid, u.bytes, sizeof h.uuid);
    h.header_crc = mni_crc32c(0, &h, offsetof(mni_disk_journal, header_crc));
    memcpy(bytes, &h, sizeof h);
    put_file(mni_vfs_mem_vfs(m), bytes, n);
    CHECK_EQ(replay_count(mni_vfs_mem_vfs(m), 2, &rep), 0);
    CHECK_EQ(rep.n_cut_bytes, n - HEADER);
    mni_vfs_mem_free(m);
    mni_free(bytes);
}

/* --- journals of others ----------------------------------------------------------- */

static void foreign_is_kept_until_replaced(void)
{
    mann_error e;
    mni_journal *j;
    mni_journal_report rep;
    seen s;
    size_t n;
    uint8_t *bytes = journal_of(N_GROUPS, &n);
    mni_vfs_mem *m = new_disk();
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    put_file(v, bytes, n);
    CHECK_FINE(mni_journal_replay(v, path, mni_uuid_from(9, 9), 1, see, &s, &rep, &e), e);
    CHECK(rep.foreign && mni_uuid_same(rep.foreign_uuid, base_uuid()));
    CHECK_FINE(open_journal(&j, v, 2, &s, &rep, &e), e);
    CHECK(rep.foreign && rep.foreign_generation == 1 && s.n == 0 && rep.n_cut_bytes == 0);
    CHECK_FINE(mni_journal_close(j, &e), e);
    CHECK_EQ(replay_count(v, 1, &rep), N_GROUPS);       /* still there */
    CHECK_FINE(open_journal(&j, v, 2, &s, &rep, &e), e);
    CHECK_FINE(commit_group(j, 0, &e), e);
    CHECK_EQ(replay_count(v, 2, &rep), 1);
    CHECK_EQ(rep.n_cut_bytes, 0); /* of the foreign one nothing is left */
    CHECK_FINE(mni_journal_close(j, &e), e);
    /* reset to the very generation of the foreign one: its records must not come to
     * life. */
    put_file(v, bytes, n);
    CHECK_FINE(open_journal(&j, v, 0, &s, &rep, &e), e);
    CHECK_FINE(mni_journal_reset(j, base_uuid(), 1, &e), e);
    CHECK_FINE(mni_journal_close(j, &e), e);
    CHECK_EQ(replay_count(v, 1, &rep), 0);
    mni_vfs_mem_free(m);
    mni_free(bytes);
}

static void newer_version_is_refused(void)
{
    mann_error e;
    mni_journal *j;
    seen s;
    size_t n, after;
    uint8_t *bytes = journal_of(2, &n), *now;
    mni_disk_journal h;
    mni_vfs_mem *m = new_disk();
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    memcpy(&h, bytes, sizeof h);
    h.version = 7;
    h.header_crc = mni_crc32c(0, &h, offsetof(mni_disk_journal, header_crc));
    memcpy(bytes, &h, sizeof h);
    put_file(v, bytes, n);
    CHECK_IS(open_journal(&j, v, 1, &s, NULL, &e), MANN_E_VERSION);
    CHECK(j == NULL && strstr(e.text, "version 7"));
    CHECK_FINE(mni_read_file(v, path, 1 << 20, &now, &after, &e), e);
    CHECK(after == n && memcmp(now, bytes, n) == 0);
    mni_free(now);
    mni_free(bytes);
    mni_vfs_mem_free(m);
}

/* --- failures of the medium, and of the power ------------------------------------- */

typedef struct trial {
    long n;
    unsigned which;
    int sticky, short_write, heal, power;
} trial;

/* Commits groups 0..5 with one fault (or, sticky, one and all after it until `heal`
 * groups later), then maybe pulls the plug, then looks: every group whose commit said yes
 * must be there, in order, and nothing else but at most the one group that was in flight
 * when the plug was pulled. Returns the number of operations if no fault was met. */
static long run_trial(const trial *t)
{
    mann_error e;
    mni_journal *j;
    seen s;
    mni_vfs_faulty f;
    mni_journal_report rep;
    unsigned yes[8], n_yes = 0, no = 64;
    mni_vfs_mem *m = new_disk();
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    CHECK_FINE(open_journal(&j, v, 1, &s, NULL, &e), e);
    CHECK_FINE(commit_group(j, 0, &e), e);
    CHECK_FINE(mni_journal_close(j, &e), e);
    yes[n_yes++] = 0;
    mni_vfs_faulty_init(&f, v);
    f.which = t->which;
    f.fail_in = t->n;
    f.sticky = t->sticky;
    f.short_write = t->short_write;
    mann_status opened = open_journal(&j, &f.vfs, 1, &s, NULL, &e);
    for (unsigned g = 1; opened == MANN_OK && g < 6; g++) {
        mann_status status = commit_group(j, g, &e);
        CHECK(status == MANN_OK || status == MANN_E_IO);
        if (status == MANN_OK) yes[n_yes++] = g;
        else {
            no = g;
            if (!t->heal) break;        /* the process dies here */
            f.fail_in = -1;
        }
    }
    long n_operations = no == 64 && opened == MANN_OK ? f.n_counted : 0;
    if (opened == MANN_OK) mni_journal_close(j, NULL);
    if (t->power) mni_vfs_mem_power_cut(m);
    s = (seen){ { 0 }, 0, 0, 0 };
    CHECK_FINE(mni_journal_replay(v, path, base_uuid(), 1, see, &s, &rep, &e), e);
    CHECK(!s.bad && s.in_group == 0);
    CHECK(s.n >= n_yes && memcmp(s.groups, yes, n_yes * sizeof *yes) == 0);
    CHECK(s.n == n_yes || (s.n == n_yes + 1 && !t->heal && s.groups[n_yes] == no));
    if (t->heal && opened == MANN_OK) CHECK_EQ(rep.n_cut_bytes, 0);
    mni_vfs_mem_free(m);
    return n_operations;
}

static void every_fault(void)
{
    for (int how = 0; how < 16; how++) {
        trial t = { 0, MNI_FAULT_ANY & ~(unsigned)MNI_FAULT_CLOSE, how & 1, how >> 1 & 1,
                    how >> 2 & 1, how >> 3 & 1 };
        long n_operations = 0;
        while (!(n_operations = run_trial(&t))) t.n++;
        CHECK(t.n >= 10 && t.n == n_operations);
    }
}

/* Seen by a replay for writing means durable, even if the process before died between
 * write and sync. */
static void what_was_replayed_survives(void)
{
    mann_error e;
    mni_journal_report rep;
    size_t n;
    uint8_t *bytes = journal_of(N_GROUPS, &n);
    for (unsigned torn = 0; torn < 2; torn++) {
        mni_file *f;
        mni_journal *j;
        seen s;
        mni_vfs_mem *m = new_disk();
        const mni_vfs *v = mni_vfs_mem_vfs(m);
        CHECK_FINE(mni_open(v, path, MNI_OPEN_WRITE | MNI_OPEN_CREATE, &f, &e), e);
        CHECK_FINE(mni_write(f, bytes, n - torn, 0, &e), e);
        CHECK_FINE(mni_close(f, &e), e);
        CHECK_FINE(open_journal(&j, v, 1, &s, &rep, &e), e);
        CHECK_FINE(mni_journal_close(j, &e), e);
        mni_vfs_mem_power_cut(m);
        CHECK_EQ(replay_count(v, 1, &rep), N_GROUPS - torn);
        CHECK_EQ(rep.n_cut_bytes, 0);
        mni_vfs_mem_free(m);
    }
    mni_free(bytes);
}

static void reset_that_fails(void)
{
    for (long n = 0; n < 2; n++) {
        mann_error e;
        mni_journal *j;
        mni_journal_report rep;
        mni_vfs_faulty f;
        seen s;
        mni_vfs_mem *m = new_disk();
        const mni_vfs *v = mni_vfs_mem_vfs(m);
        mni_vfs_faulty_init(&f, v);
        f.which = MNI_FAULT_TRUNCATE | MNI_FAULT_SYNC;
        CHECK_FINE(open_journal(&j, &f.vfs, 1, &s, NULL, &e), e);
        CHECK_FINE(commit_group(j, 4, &e), e);
        CHECK_FINE(mni_journal_append(j, 3, "x", 1, &e), e);
        f.fail_in = n;
        CHECK_IS(mni_journal_reset(j, base_uuid(), 2, &e), MANN_E_IO);
        CHECK_FINE(mni_journal_replay(v, path, base_uuid(), 2, see, &s, &rep, &e), e);
        CHECK_EQ(rep.n_records, 0);
        CHECK_FINE(commit_group(j, 0, &e), e);
        CHECK_FINE(mni_journal_close(j, &e), e);
        CHECK_EQ(replay_count(v, 2, &rep), 1);
        CHECK_EQ(rep.n_cut_bytes, 0);
        mni_vfs_mem_free(m);
    }
}

/* --- memory ----------------------------------------------------------------------- */

static mann_status small_life(void *ctx)
{
    mann_error e;
    mni_vfs_mem *m;
    mni_journal *j = NULL;
    seen s;
    (void)ctx;
    MNI_TRY(mni_vfs_mem_new(&m, &e));
    const mni_vfs *v = mni_vfs_mem_vfs(m);
    mann_status status = open_journal(&j, v, 1, &s, NULL, &e);
    if (status == MANN_OK) status = commit_group(j, 0, &e);
    if (status == MANN_OK) status = commit_group(j, 1, &e);
    mni_journal_close(j, NULL);
    if (status == MANN_OK) status = open_journal(&j, v, 1, &s, NULL, &e);
    if (status == MANN_OK) {
        if (s.n != 2) status = MANN_E_MISMATCH;
        mni_journal_close(j, NULL);
    }
    mni_vfs_mem_free(m);
    return status;
}

static void out_of_memory(void) { test_oom(small_life, NULL, 0); }

const test_case journal_tests[];
const test_case journal_tests[] = {
    { "life", life, 0 },
    { "second_reader", second_reader, 0 },
    { "golden_bytes", golden_bytes, 0 },
    { "large_records", large_records, 0 },
    { "replay_that_refuses", replay_that_refuses, 0 },
    { "every_truncation", every_truncation, 0 },
    { "every_bad_end", every_bad_end, 0 },
    { "every_bit_flip", every_bit_flip, 0 },
    { "old_records_do_not_count", old_records_do_not_count, 0 },
    { "foreign_is_kept_until_replaced", foreign_is_kept_until_replaced, 0 },
    { "newer_version_is_refused", newer_version_is_refused, 0 },
    { "every_fault", every_fault, 0 },
    { "what_was_replayed_survives", what_was_replayed_survives, 0 },
    { "reset_that_fails", reset_that_fails, 0 },
    { "out_of_memory", out_of_memory, 0 },
    { 0 }
};
