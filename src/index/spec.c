/* spec.c - the many spellings of an index kind. See spec.h.
 *
 * FAISS writes "IVF4096,PQ32x4fs,RFlat", hnswlib and torch-rechub write keywords (m, ef,
 * nlist), Milvus writes IVF_FLAT and HNSW. They have one shape in common: words with a
 * number behind some of them. So the text is cut into such pieces,
 *
 *     IVF 4096 | PQ 32 x 4 fs | RFLAT          separators: , ; : _ - space
 *
 * and each piece is one line of a table, wherever it stands. Nothing is guessed: a word
 * that is not in the table ends the reading with a sentence.
 * SPDX-License-Identifier: MIT */
#include "index/spec.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define KNOWN \
    "auto, Flat, SQ8, HNSW16, IVF1024,Flat, IVF1024,PQ32, OPQ32,IVF1024,PQ32x4fs,RFlat"

enum { WORD = 24 };

typedef struct piece {
    char word[WORD];            /* upper case, without '_' and '-' */
    int has_number, has_second;
    uint32_t number, second;    /* "PQ32x4": 32 and 4 */
    uint32_t divisor;           /* "nlist=n/10", "IVF(n/10)": 10 */
} piece;

typedef struct reading {
    const char *at, *whole;
    mni_spec *s;
    int said_lists, said_pq, said_sq, said_hnsw, said_flat, said_auto, said_opq;
    mann_error *err;
} reading;

static int is_digit(char c) { return c >= '0' && c <= '9'; }
static int is_letter(char c) { return (c | 32) >= 'a' && (c | 32) <= 'z'; }
static int is_gap(char c) { return c && strchr(",;:_- \t", c) != NULL; }

static mann_status not_known(const reading *r, const char *word)
{
    return mni_fail(r->err, MANN_E_UNSUPPORTED,
                    "index: \"%.40s\" is not a kind of index (\"%.24s\"), known are: "
                    KNOWN, r->whole, word);
}

static mann_status out_of_range(const reading *r, const char *what, uint32_t least,
                                uint32_t most)
{
    return mni_fail(r->err, MANN_E_ARG, "index: \"%.40s\": %s, wanted %lu..%lu", r->whole,
                    what, (unsigned long)least, (unsigned long)most);
}

/* Decimal digits; a number that does not fit becomes the largest, which no range
 * allows. */
static uint32_t read_number(const char **at)
{
    uint64_t v = 0;
    for (; is_digit(**at); ++*at)
        if (v < UINT32_MAX) v = v * 10 + (uint64_t)(**at - '0');
    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

/* "n/10" */
static int read_share(const char **at, uint32_t *divisor)
{
    if (((*at)[0] | 32) != 'n' || (*at)[1] != '/' || !is_digit((*at)[2])) return 0;
    *at += 2;
    *divisor = read_number(at);
    return *divisor > 0;
}

/* Reads one piece; 0 at the end of the text or where a piece cannot be read. */
static int next_piece(reading *r, piece *p)
{
    size_t n = 0;
    const char *at = r->at;
    *p = (piece){ .number = 0 };
    while (is_gap(*at)) at++;
    for (; is_letter(*at) && n + 1 < WORD; at++)
        p->word[n++] = (char)(*at & ~32);
    if (n == 0) { r->at = at; return 0; }
    const int bracket = *at == '(' || *at == '=';
    if (bracket) at++;
    if (is_digit(*at)) {
        p->has_number = 1;
        p->number = read_number(&at);
        if ((at[0] | 32) == 'x' && is_digit(at[1])) {
            at++;
            p->has_second = 1;
            p->second = read_number(&at);
            if ((at[0] | 32) == 'f' && (at[1] | 32) == 's') at += 2;
        }
    } else if (bracket && !read_share(&at, &p->divisor)) {
        /* "Refine(Flat)": the next piece is what stands inside; "m=many": nothing */
        if (strcmp(p->word, "REFINE") != 0) { r->at = at; return 0; }
    }
    if (*at == ')') at++;
    r->at = at;
    return *at == '\0' || is_gap(*at) || is_letter(*at) || strcmp(p->word, "REFINE") == 0;
}

/* --- words -------------------------------------------------------------------------- */

static mann_status say_hnsw(reading *r, const piece *p)
{
    if (r->said_lists) return MANN_OK;  /* "IVF65536_HNSW32": how the lists are found is
                                           the structure's own choice */
    r->said_hnsw = 1;
    if (p->has_number) r->s->links = p->number;
    return MANN_OK;
}

static mann_status say_ivf(reading *r, const piece *p)
{
    r->said_lists = 1;
    if (p->has_number && p->number == 0) return out_of_range(r, "0 lists", 1,
                                                             MNI_MAX_LISTS);
    if (p->has_number) r->s->lists = p->number;
    if (p->divisor) r->s->rows_a_list = p->divisor;
    return MANN_OK;
}

static mann_status say_ivf_flat(reading *r, const piece *p)
{
    r->said_flat = 1;
    return say_ivf(r, p);
}

static mann_status say_pq(reading *r, const piece *p)
{
    r->said_pq = 1;
    if (p->has_number) r->s->pieces = p->number;
    if (p->has_second) r->s->bits = p->second;
    return MANN_OK;
}

static mann_status say_ivf_pq(reading *r, const piece *p)
{
    r->said_pq = 1;
    return say_ivf(r, p);
}

static mann_status say_opq(reading *r, const piece *p)
{
    r->said_opq = 1;
    if (p->has_number && r->s->pieces == 0) r->s->pieces = p->number;
    return MANN_OK;
}

static mann_status say_sq(reading *r, const piece *p)
{
    r->said_sq = 1;
    if (p->has_number && p->number != 8 && p->number != 4)
        return mni_fail(r->err, MANN_E_UNSUPPORTED,
                        "index: SQ%lu is not known, wanted SQ8 or SQ4",
                        (unsigned long)p->number);
    r->s->codes = p->has_number && p->number == 4 ? MNI_CODES_SQ4 : MNI_CODES_SQ8;
    return MANN_OK;
}

static mann_status say_flat(reading *r, const piece *p)
{
    if (p->has_number) return not_known(r, p->word);
    r->said_flat = 1;
    return MANN_OK;
}

static mann_status say_refine(reading *r, const piece *p)
{
    (void)p;
    r->s->refine = 1;
    return MANN_OK;
}

static mann_status say_auto(reading *r, const piece *p)
{
    (void)p;
    r->said_auto = 1;
    return MANN_OK;
}

static mann_status say_nothing(reading *r, const piece *p)
{
    (void)r; (void)p;
    return MANN_OK;
}

/* A keyword with its number; which field it is. */
static uint32_t *field_of(reading *r, const char *word)
{
    static const struct { const char *word; size_t field; } options[] = {
        { "M", offsetof(mni_spec, links) },
        { "EFC", offsetof(mni_spec, build_ef) },
        { "EFCONSTRUCTION", offsetof(mni_spec, build_ef) },
        { "EF", offsetof(mni_spec, ef) },
        { "EFSEARCH", offsetof(mni_spec, ef) },
        { "CONSTRUCTION", offsetof(mni_spec, build_ef) },   /* ef_construction */
        { "SEARCH", offsetof(mni_spec, ef) },
        { "NLIST", offsetof(mni_spec, lists) },
        { "NLISTS", offsetof(mni_spec, lists) },
        { "NPROBE", offsetof(mni_spec, nprobe) },
        { "PQM", offsetof(mni_spec, pieces) },
        { "NBITS", offsetof(mni_spec, bits) },
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strcmp(word, options[i].word) == 0)
            return (uint32_t *)(void *)((char *)r->s + options[i].field);
    return NULL;
}

static const struct {
    const char *word;
    mann_status (*say)(reading *r, const piece *p);
} words[] = {
    { "AUTO", say_auto }, { "FLAT", say_flat }, { "EXACT", say_flat },
    { "BRUTEFORCE", say_flat }, { "BRUTE", say_flat }, { "FORCE", say_nothing },
    { "HNSW", say_hnsw }, { "HNSWFLAT", say_hnsw },
    { "IVF", say_ivf }, { "IVFFLAT", say_ivf_flat }, { "IVFPQ", say_ivf_pq },
    { "PQ", say_pq }, { "OPQ", say_opq }, { "SQ", say_sq }, { "RFLAT", say_refine },
    { "RERANK", say_refine },
    { "IDMAP", say_nothing },   /* every index here has ids of its user's own */
};

static mann_status say(reading *r, const piece *p)
{
    if (strcmp(p->word, "REFINE") == 0) {   /* "Refine(Flat)" */
        piece inner;
        if (*r->at && next_piece(r, &inner) && strcmp(inner.word, "FLAT") != 0)
            return not_known(r, inner.word);
        return say_refine(r, p);
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(p->word, words[i].word) == 0) return words[i].say(r, p);
    if (strcmp(p->word, "EF") == 0 && *r->at == '_') return MANN_OK;
    uint32_t *field = field_of(r, p->word);
    if (field && p->divisor && field == &r->s->lists) {
        r->s->rows_a_list = p->divisor;
        return MANN_OK;
    }
    if (!field || !p->has_number) return not_known(r, p->word);
    *field = p->number;
    return MANN_OK;
}

/* People who come from Annoy ask for its two gifts: speed without much memory, and one
 * file that many processes share. */
static mann_status refuse_others(const char *text, mann_error *err)
{
    char word[WORD];
    size_t n = 0;
    for (; is_letter(text[n]) && n + 1 < WORD; n++) word[n] = (char)(text[n] | 32);
    word[n] = '\0';
    if (strcmp(word, "annoy") == 0)
        return mni_fail(err, MANN_E_UNSUPPORTED,
                        "index: Annoy's trees are not built here: take HNSW, which finds "
                        "more in less time; any saved index is mapped, so that processes "
                        "share it in memory, which is what Annoy is chosen for");
    if (strcmp(word, "nsg") == 0 || strcmp(word, "diskann") == 0 ||
        strcmp(word, "vamana") == 0)
        return mni_fail(err, MANN_E_UNSUPPORTED,
                        "index: %s is not built here: HNSW is the graph; known are: "
                        KNOWN, word);
    return MANN_OK;
}

/* --- the whole ---------------------------------------------------------------------- */

static mann_status decide(reading *r)
{
    mni_spec *s = r->s;
    const int lists = r->said_lists || s->lists || s->rows_a_list;
    if (r->said_opq && !r->said_pq)
        return mni_fail(r->err, MANN_E_UNSUPPORTED,
                        "index: \"%.40s\": OPQ turns vectors for PQ, which is not named",
                        r->whole);
    s->rotate = r->said_opq;
    if (r->said_auto) s->family = MNI_AUTO;
    else if (r->said_hnsw) s->family = MNI_HNSW;
    else if (r->said_pq) s->family = MNI_IVFPQ;
    else if (lists) s->family = MNI_IVF;
    else if (r->said_flat || r->said_sq) s->family = MNI_FLAT;
    else return not_known(r, r->whole);
    if ((r->said_hnsw && (lists || r->said_pq)) ||
        (r->said_pq && r->said_sq) || (r->said_pq && r->said_flat && !lists))
        return mni_fail(r->err, MANN_E_UNSUPPORTED,
                        "index: \"%.40s\" names two kinds at once, known are: " KNOWN,
                        r->whole);
    if (s->family == MNI_IVFPQ && !lists) s->lists = 1;         /* FAISS' plain "PQ32" */
    if (s->family == MNI_IVFPQ && s->bits == 0) s->bits = 8;
    return MANN_OK;
}

static mann_status check_ranges(const reading *r)
{
    const mni_spec *s = r->s;
    if (s->family == MNI_HNSW && s->links && (s->links < 2 || s->links > MNI_MAX_LINKS))
        return out_of_range(r, "links a row", 2, MNI_MAX_LINKS);
    if (s->build_ef > MNI_MAX_BUILD_EF)
        return out_of_range(r, "ef_construction", 1, MNI_MAX_BUILD_EF);
    if (s->lists > MNI_MAX_LISTS) return out_of_range(r, "lists", 1, MNI_MAX_LISTS);
    if (s->pieces > MNI_MAX_PIECES)
        return out_of_range(r, "pieces of PQ", 1, MNI_MAX_PIECES);
    if (s->family == MNI_IVFPQ && s->bits != 8 && s->bits != 4)
        return mni_fail(r->err, MANN_E_UNSUPPORTED,
                        "index: \"%.40s\": PQ of %lu bits, wanted 8 or 4", r->whole,
                        (unsigned long)s->bits);
    return MANN_OK;
}

mann_status mni_spec_parse(mni_spec *out, const char *text, mann_error *err)
{
    mni_spec s = { .lists = 0 };
    reading r = { .at = text, .whole = text, .s = &s, .err = err };
    piece p;
    MNI_TRY(refuse_others(text, err));
    while (next_piece(&r, &p)) MNI_TRY(say(&r, &p));
    if (*r.at || p.word[0]) return not_known(&r, p.word[0] ? p.word : r.at);
    MNI_TRY(decide(&r));
    /* a keyword of another kind (m of a list index) would be silently lost */
    if (s.family == MNI_IVFPQ && s.links && !s.pieces) s.pieces = s.links;
    if (s.family != MNI_HNSW) s.links = s.build_ef = 0;
    MNI_TRY(check_ranges(&r));
    if (s.family == MNI_HNSW && s.links == 0) s.links = 16;
    if (s.family == MNI_HNSW && s.build_ef == 0) s.build_ef = 200;
    *out = s;
    return MANN_OK;
}

static const char *codes_text(mni_codes c)
{
    return c == MNI_CODES_SQ8 ? "SQ8" : c == MNI_CODES_SQ4 ? "SQ4" : "";
}

static void text_of_lists(const mni_spec *s, char *out, size_t size)
{
    /* both bounds are the parser's; said again, so that the longest text is known */
    const uint32_t pieces = s->pieces <= MNI_MAX_PIECES ? s->pieces : MNI_MAX_PIECES;
    char number[16] = "", piece_number[8] = "";
    if (s->lists) snprintf(number, sizeof number, "%lu", (unsigned long)s->lists);
    else if (s->rows_a_list)
        snprintf(number, sizeof number, "(n/%lu)", (unsigned long)s->rows_a_list);
    if (pieces)
        snprintf(piece_number, sizeof piece_number, "%lu", (unsigned long)pieces);
    if (s->family == MNI_IVF)
        snprintf(out, size, "IVF%s,%s%s", number,
                 s->codes ? codes_text(s->codes) : "Flat", s->refine ? ",RFlat" : "");
    else
        snprintf(out, size, "%s%s%sIVF%s,PQ%s%s%s", s->rotate ? "OPQ" : "",
                 s->rotate ? piece_number : "", s->rotate ? "," : "", number,
                 piece_number, s->bits != 4 ? "" : s->pieces ? "x4fs" : ",nbits=4",
                 s->refine ? ",RFlat" : "");
}

void mni_spec_text(const mni_spec *s, char out[MNI_ANN_SPEC])
{
    char efc[24] = "";
    memset(out, 0, MNI_ANN_SPEC);
    switch (s->family) {
    case MNI_AUTO:
        snprintf(out, MNI_ANN_SPEC, "auto");
        break;
    case MNI_FLAT:
        snprintf(out, MNI_ANN_SPEC, "%s", s->codes ? codes_text(s->codes) : "Flat");
        break;
    case MNI_HNSW:
        if (s->build_ef != 200)
            snprintf(efc, sizeof efc, ",efc%lu", (unsigned long)s->build_ef);
        snprintf(out, MNI_ANN_SPEC, "HNSW%lu%s%s%s", (unsigned long)s->links, efc,
                 s->codes ? "," : "", codes_text(s->codes));
        break;
    default:
        text_of_lists(s, out, MNI_ANN_SPEC);
        break;
    }
}

int mni_spec_is(mni_family family, const char *text, mni_spec *out,
                char canonical[MNI_ANN_SPEC])
{
    mni_spec s;
    if (mni_spec_parse(&s, text, NULL) != MANN_OK || s.family != family) return 0;
    mni_spec_text(&s, canonical);
    *out = s;
    return 1;
}

uint32_t mni_spec_lists(const mni_spec *s, uint32_t n)
{
    enum { WANTED_ROWS = 39 };
    uint32_t lists = s->lists;
    if (!lists && s->rows_a_list) lists = n / s->rows_a_list;
    else if (!lists) {
        lists = (uint32_t)(4.0 * sqrt((double)n));
        if (lists > n / WANTED_ROWS) lists = n / WANTED_ROWS;
    }
    if (lists > n) lists = n;
    return lists ? lists : 1;
}
