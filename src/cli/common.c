/* common.c - what several commands do: opening models and galleries, search settings. See
 * cli.h. SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "os/vfs.h"

const char *mni_metric_name(uint32_t metric)
{
    return metric == MANN_COSINE  ? "cosine"
           : metric == MANN_INNER ? "ip"
           : metric == MANN_L2    ? "l2"
                                  : "?";
}

const char *mni_store_name(uint32_t store)
{
    return store == MANN_STORE_F32 ? "f32" : store == MANN_STORE_F16 ? "f16"
         : store == MANN_STORE_INT8 ? "int8" : "?";
}

static int ends_in_one_of(const char *path, const char *const *endings)
{
    for (; *endings; endings++)
        if (mni_text_ends(path, *endings)) return 1;
    return 0;
}

int mni_cli_same_file(const char *a, const char *b)
{
    mni_stat x, y;
    const mni_vfs *v = mni_vfs_posix();
    return v->ops->stat(v, a, &x, NULL) == MANN_OK &&
           v->ops->stat(v, b, &y, NULL) == MANN_OK && x.inode && x.inode == y.inode &&
           x.device == y.device;
}

int mni_is_vector_file(const char *path)
{
    static const char *const endings[] = { ".npy",   ".fvecs", ".bvecs",
                                           ".ivecs", ".fbin",  ".u8bin",
                                           ".i8bin", ".ibin",  NULL };
    return ends_in_one_of(path, endings);
}

int mni_is_image_file(const char *path)
{
    /* The list of mni_image_name in image/decode.c, which is out of reach from here. Also
     * what is refused: a phone's HEIC must be reported, not be passed over in silence. */
    static const char *const endings[] = {
        ".png", ".jpg",  ".jpeg", ".jpe",  ".jfif", ".bmp",  ".dib", ".pbm",
        ".pgm", ".ppm",  ".pnm",  ".pam",  ".gif",  ".webp", ".tif", ".tiff",
        ".heic", ".heif", ".avif", ".jxl", ".jp2",  NULL,
    };
    return ends_in_one_of(path, endings);
}

/* The kind that stands behind magic and version (store/README.md); 0: no container. */
static uint32_t container_kind(const char *path)
{
    uint8_t head[16];
    size_t got = 0;
    mni_file *f;
    if (mni_open(mni_vfs_posix(), path, MNI_OPEN_READ, &f, NULL) != MANN_OK) return 0;
    mann_status s = mni_read(f, head, sizeof head, 0, &got, NULL);
    mni_close(f, NULL);
    if (s != MANN_OK || got < 8 || memcmp(head, "METRANN", 8) != 0) return 0;
    const uint32_t kind = got == sizeof head ? mni_get32(head + 12) : 0;
    return kind ? kind : UINT32_MAX;
}

int mni_is_container(const char *path) { return container_kind(path) != 0; }
int mni_is_packed_set(const char *path) { return container_kind(path) == 4; }

/* What --precision asks for; 0: nothing. */
static uint32_t asked_precision(const mni_cli *c)
{
    if (!c->options.values[MNI_OPT_PRECISION].row ||
        !mni_opt_given(&c->options, MNI_OPT_PRECISION))
        return 0;
    const char *name = mni_opt_text(&c->options, MNI_OPT_PRECISION);
    return name[0] == 'f' ? MANN_PRECISION_F32
         : name[0] == 'b' ? MANN_PRECISION_BF16 : MANN_PRECISION_INT8;
}

const char *mni_precision_word(uint32_t p)
{
    return p == MANN_PRECISION_INT8 ? "int8" : p == MANN_PRECISION_BF16 ? "bf16" : "f32";
}

/* Older models lack what int8 wants to know of them. */
static mann_status set_precision(mni_cli *c, const char *name, mann_model *m,
                                 uint32_t precision)
{
    mann_model_info info = { .struct_size = sizeof info };
    MNI_TRY(mann_model_describe(m, &info, &c->err));
    if (precision == MANN_PRECISION_INT8 && !info.measured)
        mni_talk_say(&c->talk, MANN_NOTE_WARNING,
                     "%s: no training measured it for int8; measured on drawn pictures",
                     name);
    return mann_model_set_precision(m, precision, &c->err);
}

mann_status mni_cli_model(mni_cli *c, const char *name, mann_model **out)
{
    const uint32_t precision = asked_precision(c);
    if (mni_text_same(name, "pixels")) {
        MNI_TRY(mann_model_new(out, "pixels", 0, 0, &c->err));
    } else {
        MNI_TRY(mann_model_open(out, name, &c->err));
    }
    if (!precision) return MANN_OK;
    mann_status s = set_precision(c, name, *out, precision);
    if (s == MANN_OK) return MANN_OK;
    mann_model_free(*out);
    *out = NULL;
    return s;
}

/* A gallery answers at the precision that its vectors were made with, and at no other. */
static mann_status check_precision(mni_cli *c, const char *path, mann_gallery *g)
{
    const uint32_t asked = asked_precision(c);
    mann_gallery_info info = { .struct_size = sizeof info };
    if (!asked) return MANN_OK;
    MNI_TRY(mann_gallery_describe(g, &info, &c->err));
    if (info.precision == 0 || info.precision == asked) return MANN_OK;
    return mni_fail(&c->err, MANN_E_MISMATCH,
                    "%s: its vectors were made at %s, --precision %s would compare them "
                    "with others",
                    path, mni_precision_word(info.precision),
                    mni_precision_word(asked));
}

/* A power cut or a damaged disk is told once, where somebody will see it. */
static void tell_of_journal(mni_cli *c, const char *path, mann_gallery *g)
{
    char sentence[512], size[24];
    mann_gallery_info info = { .struct_size = sizeof info };
    if (mann_gallery_describe(g, &info, NULL) != MANN_OK) return;
    if (info.journal_cut_bytes) {
        mni_format_bytes(size, sizeof size, info.journal_cut_bytes);
        snprintf(sentence, sizeof sentence,
                 "%s: the journal ended in %s that were never completed or are damaged; "
                 "everything before them was read", path, size);
        c->hooks.note(c->hooks.user, MANN_NOTE_WARNING, sentence);
    }
    if (info.lock_left_by) {
        snprintf(sentence, sizeof sentence,
                 "%s: process %llu ended without closing it; its lock is taken over",
                 path, (unsigned long long)info.lock_left_by);
        c->hooks.note(c->hooks.user, MANN_NOTE_INFO, sentence);
    }
    if (info.journal_ignored) {
        snprintf(sentence, sizeof sentence,
                 "%s-journal: belongs to another generation of this gallery; ignored",
                 path);
        c->hooks.note(c->hooks.user, MANN_NOTE_WARNING, sentence);
    }
}

int mni_cli_lazy(const mni_cli *c)
{
    return c->options.values[MNI_OPT_SYNC].row &&
           strcmp(mni_opt_text(&c->options, MNI_OPT_SYNC), "off") == 0;
}

mann_status mni_cli_gallery(mni_cli *c, const char *path, uint32_t flags,
                            mann_gallery **out)
{
    mni_stat st;
    *out = NULL;
    MNI_TRY(mni_vfs_posix()->ops->stat(mni_vfs_posix(), path, &st, &c->err));
    if (st.kind != MNI_IS_FILE)
        return mni_fail(&c->err, MANN_E_FORMAT,
                        "%s: is a folder or device, wanted a gallery file", path);
    if (st.n_bytes == 0)
        return mni_fail(&c->err, MANN_E_FORMAT, "%s: is empty, wanted a gallery file",
                        path);
    if (mni_is_vector_file(path) && !mni_is_container(path))
        return mni_fail(&c->err, MANN_E_FORMAT,
                        "%s: is a file of vectors, wanted a gallery ('metricann build %s "
                        "-o gallery.mann' makes one)",
                        path, path);
    if (flags & MANN_OPEN_WRITE && mni_cli_lazy(c)) flags |= MANN_OPEN_NOSYNC;
    MNI_TRY(mann_gallery_open(out, path, flags, &c->err));
    tell_of_journal(c, path, *out);
    mann_status s = check_precision(c, path, *out);
    if (s != MANN_OK) {
        mann_gallery_free(*out);
        *out = NULL;
        return s;
    }
    if (!c->options.values[MNI_OPT_MODEL].row ||
        !mni_opt_given(&c->options, MNI_OPT_MODEL))
        return MANN_OK;
    mann_model *model;
    s = mni_cli_model(c, mni_opt_text(&c->options, MNI_OPT_MODEL), &model);
    if (s == MANN_OK) s = mann_gallery_use_model(*out, model, &c->err);
    mann_model_free(model);
    if (s == MANN_OK) return MANN_OK;
    mann_gallery_free(*out);
    *out = NULL;
    return s;
}

void mni_cli_search(const mni_cli *c, mann_search *s)
{
    const mni_options *o = &c->options;
    const char *how = mni_opt_text(o, MNI_OPT_AGGREGATE);
    mann_search_fill(s, sizeof *s, mni_opt_u32(o, MNI_OPT_K));
    s->ef = mni_opt_u32(o, MNI_OPT_EF);
    s->nprobe = mni_opt_u32(o, MNI_OPT_NPROBE);
    s->aggregate = how[1] == 'a'   ? MANN_AGGREGATE_MAX
                   : how[0] == 'm' ? MANN_AGGREGATE_MEAN
                   : how[0] == 'p' ? MANN_AGGREGATE_PROTOTYPE
                   : how[0] == 'b' ? MANN_AGGREGATE_BLEND
                                   : MANN_AGGREGATE_VOTE;
    s->best_m = mni_opt_u32(o, MNI_OPT_BEST_M);
    s->false_accept = (float)mni_opt_float(o, MNI_OPT_FAR);
    s->min_margin = (float)mni_opt_float(o, MNI_OPT_MARGIN);
    s->tighten = (uint32_t)mni_opt_flag(o, MNI_OPT_TIGHTEN);
}

mann_status mni_cli_ids(mni_cli *c, const char *path, uint64_t **ids, size_t *n)
{
    const float most = 16777216.0f;             /* floats count exactly up to here */
    mann_vectors *v;
    *ids = NULL;
    MNI_TRY(mann_vectors_read(&v, path, &c->err));
    mann_matrix m = mann_vectors_matrix(v);
    size_t stride = m.stride ? m.stride : m.cols;
    mann_status s = MANN_OK;
    *n = m.rows * m.cols;
    if (!(*ids = mni_alloc(*n, sizeof **ids)))
        s = mni_fail(&c->err, MANN_E_NOMEM, "%s: %zu ids", path, *n);
    for (size_t i = 0; i < *n && s == MANN_OK; i++) {
        float x = m.data[i / m.cols * stride + i % m.cols];
        if (!(x >= 0 && x <= most && x == floorf(x)))
            s = mni_fail(&c->err, MANN_E_FORMAT,
                         "%s: id %zu is %g, wanted a whole number from 0 to %.0f", path,
                         i, (double)x, (double)most);
        else (*ids)[i] = (uint64_t)x;
    }
    mann_vectors_free(v);
    if (s != MANN_OK) { mni_free(*ids); *ids = NULL; }
    return s;
}

typedef struct look {
    const char *name;
    int found;
    unsigned distance;
    char near[64];
} look;

static int look_at(void *user, const mann_record *r)
{
    look *l = user;
    if (!r->class_name) return 0;
    if (strcmp(r->class_name, l->name) == 0) return l->found = 1;
    unsigned d = mni_edit_distance(l->name, r->class_name);
    if (d >= l->distance) return 0;
    l->distance = d;
    snprintf(l->near, sizeof l->near, "%s", r->class_name);
    return 0;
}

mann_status mni_cli_need_class(mni_cli *c, mann_gallery *g, const char *name)
{
    look l = { .name = name, .distance = (unsigned)strlen(name) / 3 + 1 };
    MNI_TRY(mann_gallery_each(g, look_at, &l, &c->err));
    if (l.found) return MANN_OK;
    const char *ask = l.near[0] ? "; did you mean '" : "";
    return mni_fail(&c->err, MANN_E_NOT_FOUND, "the gallery has no class '%.60s'%s%s%s",
                    name, ask, l.near, l.near[0] ? "'?" : "");
}
