/* cmd_info.c - what is this file? SPDX-License-Identifier: MIT */
#include <math.h>

#include "cli/cli.h"
#include "cli/gallery_new.h"
#include "os/vfs.h"

static void begin(mni_cli *c, mni_json *j, const char *kind)
{
    mni_out_json(c, j);
    mni_json_object(j);
    mni_json_key(j, "file");
    mni_json_string(j, c->options.files[0]);
    mni_json_key(j, "kind");
    mni_json_string(j, kind);
}

static void key_u64(mni_json *j, const char *key, uint64_t v)
{
    mni_json_key(j, key);
    mni_json_u64(j, v);
}
static void key_text(mni_json *j, const char *key, const char *v)
{
    mni_json_key(j, key);
    mni_json_string(j, v);
}
static void key_number(mni_json *j, const char *key, double v)
{
    mni_json_key(j, key);
    mni_json_number(j, v);
}

static void end(mni_cli *c, mni_json *j)
{
    mni_json_end(j);
    mni_text_char(&c->out, '\n');
}

static void fingerprint_text(char out[24], uint64_t v)
{
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) out[i] = digits[v >> (60 - 4 * i) & 15];
    out[16] = '\0';
}

/* f32 is not worth a word. */
static const char *at_precision(uint32_t p)
{
    return p == MANN_PRECISION_INT8 ? " in int8"
         : p == MANN_PRECISION_BF16 ? " in bf16" : "";
}

/* --- gallery ------------------------------------------------------------------------ */

static void fact_json(void *user, const char *name, double value)
{
    key_number(user, name, value);
}

static void gallery_json(mni_cli *c, mann_gallery *g, const mann_gallery_info *i)
{
    mni_json j;
    char print[24];
    fingerprint_text(print, i->fingerprint);
    begin(c, &j, "gallery");
    key_u64(&j, "rows", i->n_rows);
    key_u64(&j, "classes", i->n_classes);
    key_u64(&j, "dim", i->dim);
    key_text(&j, "metric", mni_metric_name(i->metric));
    key_text(&j, "store", mni_store_name(i->store));
    key_text(&j, "index", i->index);
    key_u64(&j, "indexed_rows",
            i->n_rows - (i->n_tail < i->n_rows ? i->n_tail : i->n_rows));
    key_u64(&j, "tail_rows", i->n_tail);
    key_u64(&j, "removed_rows", i->n_dead);
    key_u64(&j, "default_knob", i->knob);
    mni_json_key(&j, "compact_due");
    mni_json_bool(&j, i->compact_due != 0);
    mni_json_key(&j, "index_facts");
    mni_json_object(&j);
    mann_gallery_facts(g, fact_json, &j, NULL);
    mni_json_end(&j);
    key_text(&j, "model", i->model[0] ? i->model : NULL);
    key_text(&j, "precision", i->precision ? mni_precision_word(i->precision) : NULL);
    key_text(&j, "model_fingerprint", i->fingerprint ? print : NULL);
    key_u64(&j, "views", i->views);
    key_number(&j, "false_accept", i->false_accept);
    key_number(&j, "threshold", i->threshold);
    key_number(&j, "unsure_above", i->unsure_above);
    mni_json_key(&j, "calibrated");
    mni_json_bool(&j, i->calibrated != 0);
    key_u64(&j, "file_bytes", i->file_bytes);
    key_u64(&j, "journal_bytes", i->journal_bytes);
    if (i->n_thumbs) key_u64(&j, "thumbnails", i->n_thumbs);
    key_u64(&j, "generation", i->generation);
    key_text(&j, "uuid", i->uuid);
    end(c, &j);
}

static void fact_text(void *user, const char *name, double value)
{
    mni_text *out = user;
    mni_text_add(out, "               ");
    mni_out_padded(out, name, 24);
    mni_text_real(out, value, 5);
    mni_text_char(out, '\n');
}

static void gallery_text(mni_cli *c, mann_gallery *g, const mann_gallery_info *i)
{
    mni_text *out = &c->out;
    char file[24], journal[24], print[24], words[MNI_VIEW_WORDS];
    mni_format_bytes(file, sizeof file, i->file_bytes);
    mni_format_bytes(journal, sizeof journal, i->journal_bytes);
    fingerprint_text(print, i->fingerprint);
    mni_out_name(out, c->options.files[0]);
    mni_text_f(out, ": gallery\n  records      %llu of %u class%s\n",
               (unsigned long long)i->n_rows, i->n_classes,
               i->n_classes == 1 ? "" : "es");
    mni_text_f(out, "  vectors      %u numbers, kept as %s, metric %s\n", i->dim,
               mni_store_name(i->store), mni_metric_name(i->metric));
    mni_text_f(out, "  index        %s", i->index[0] ? i->index : "none (exact search)");
    if (i->n_tail)
        mni_text_f(out, ", %llu records added since", (unsigned long long)i->n_tail);
    if (i->n_dead) mni_text_f(out, ", %llu removed", (unsigned long long)i->n_dead);
    if (i->knob) mni_text_f(out, ", searched with %u", (unsigned)i->knob);
    if (i->compact_due) mni_text_add(out, "; 'metricann compact' would speed it up");
    mni_text_add(out, "\n");
    mann_gallery_facts(g, fact_text, out, NULL);
    mni_text_add(out, "  model        ");
    if (i->model[0])
        mni_text_f(out, "%s%s (fingerprint %s)\n", i->model, at_precision(i->precision),
                   print);
    else if (i->fingerprint)
        mni_text_f(out, "not inside; wanted fingerprint %s\n", print);
    else mni_text_add(out, "none (bare vectors)\n");
    if (i->views)
        mni_text_f(out, "  views        %s\n", mni_view_words(i->views, words));
    if (!isnan(i->threshold))
        mni_text_f(
            out,
            "  threshold    %.4f for a false-accept rate of %.4g%%; unsure above %.4f\n",
            (double)i->threshold, (double)i->false_accept * 100, (double)i->unsure_above);
    else
        mni_text_add(out, "  threshold    none: nothing to calibrate with\n");
    if (i->n_thumbs)
        mni_text_f(out, "  thumbnails   %llu\n", (unsigned long long)i->n_thumbs);
    mni_text_f(out, "  size         %s", file);
    if (i->journal_bytes) mni_text_f(out, " and a journal of %s", journal);
    mni_text_f(out, "\n  identity     %s, generation %llu\n", i->uuid,
               (unsigned long long)i->generation);
}

static int describe_gallery(mni_cli *c, mann_gallery *g)
{
    mann_gallery_info info = { .struct_size = sizeof info };
    mann_status s = mann_gallery_describe(g, &info, &c->err);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    if (mni_cli_json(c)) gallery_json(c, g, &info);
    else gallery_text(c, g, &info);
    return MNI_EXIT_OK;
}

/* --- model, index, vectors ---------------------------------------------------------- */

static int describe_model(mni_cli *c, const mann_model *m)
{
    mann_model_info info = { .struct_size = sizeof info };
    mann_status s = mann_model_describe(m, &info, &c->err);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    char print[24];
    fingerprint_text(print, info.fingerprint);
    if (mni_cli_json(c)) {
        mni_json j;
        begin(c, &j, "model");
        key_text(&j, "architecture", info.architecture);
        key_u64(&j, "dim", info.dim);
        key_u64(&j, "input_size", info.input_size);
        key_u64(&j, "parameters", info.n_parameters);
        mni_json_key(&j, "calibrated");
        mni_json_bool(&j, info.calibrated != 0);
        key_text(&j, "fingerprint", print);
        key_text(&j, "precision", mni_precision_word(info.precision));
        mni_json_key(&j, "measured_for_int8");
        mni_json_bool(&j, info.measured != 0);
        if (info.val_classes) {
            key_u64(&j, "val_classes", info.val_classes);
            key_u64(&j, "val_images", info.val_images);
            mni_json_key(&j, "val_recall");
            mni_json_number(&j, (double)info.val_recall);
        }
        end(c, &j);
        return MNI_EXIT_OK;
    }
    mni_out_name(&c->out, c->options.files[0]);
    mni_text_f(&c->out, ": model\n  architecture %s, input %u x %u, %u numbers out\n",
               info.architecture, info.input_size, info.input_size, info.dim);
    mni_text_f(&c->out, "  precision    %s%s\n", mni_precision_word(info.precision),
               info.measured ? ", measured for int8" : "");
    mni_text_f(&c->out, "  parameters   %llu\n  calibrated   %s\n  fingerprint  %s\n",
               (unsigned long long)info.n_parameters, info.calibrated ? "yes" : "no",
               print);
    if (info.val_classes)
        mni_text_f(&c->out,
                   "  validation   Recall@1 %.1f %% over %u images of %u classes that "
                   "training did not see\n",
                   100 * (double)info.val_recall, info.val_images, info.val_classes);
    return MNI_EXIT_OK;
}

static int describe_matrix(mni_cli *c, const char *kind, uint64_t rows, uint64_t dim)
{
    if (mni_cli_json(c)) {
        mni_json j;
        begin(c, &j, kind);
        key_u64(&j, "rows", rows);
        key_u64(&j, "dim", dim);
        end(c, &j);
        return MNI_EXIT_OK;
    }
    mni_out_name(&c->out, c->options.files[0]);
    mni_text_f(&c->out, ": %s\n  rows         %llu of %llu numbers\n", kind,
               (unsigned long long)rows, (unsigned long long)dim);
    return MNI_EXIT_OK;
}

static int info_vectors(mni_cli *c, const char *path)
{
    mann_vectors *v;
    mann_status s = mann_vectors_read(&v, path, &c->err);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    mann_matrix m = mann_vectors_matrix(v);
    int code = describe_matrix(c, "vectors", m.rows, m.cols);
    mann_vectors_free(v);
    return code;
}

static int info_set(mni_cli *c, const char *path)
{
    mann_dataset *set;
    mann_dataset_info i = { .struct_size = sizeof i };
    mann_status s = mann_dataset_open(&set, path, NULL, &c->err);
    if (s == MANN_OK) s = mann_dataset_describe(set, &i, &c->err);
    mann_dataset_free(set);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    if (mni_cli_json(c)) {
        mni_json j;
        begin(c, &j, "data set");
        key_u64(&j, "photos", i.n_images);
        key_u64(&j, "classes", i.n_classes);
        key_u64(&j, "without_class", i.n_without_class);
        key_u64(&j, "photo_bytes", i.photo_bytes);
        key_u64(&j, "file_bytes", i.file_bytes);
        key_text(&j, "uuid", i.uuid);
        end(c, &j);
        return MNI_EXIT_OK;
    }
    char photos[24], file[24];
    mni_format_bytes(photos, sizeof photos, i.photo_bytes);
    mni_format_bytes(file, sizeof file, i.file_bytes);
    mni_out_name(&c->out, path);
    mni_text_f(&c->out, ": data set\n  photos       %llu of %u class%s",
               (unsigned long long)i.n_images, i.n_classes, mni_es(i.n_classes));
    if (i.n_without_class)
        mni_text_f(&c->out, ", %llu without one", (unsigned long long)i.n_without_class);
    mni_text_f(&c->out, "\n  size         %s, of it photos %s\n  identity     %s\n", file,
               photos, i.uuid);
    return MNI_EXIT_OK;
}

/* The container says what it holds, but only its own kind opens it: try one after the
 * other. If none will, the first sentence that is not about the kind is the one worth
 * showing; that of the gallery is. */
static int info_container(mni_cli *c, const char *path)
{
    mann_gallery *g;
    mann_model *m;
    mann_index *ix;
    int code;
    mann_status s = mni_cli_gallery(c, path, MANN_OPEN_READ, &g);
    if (s == MANN_OK) {
        code = describe_gallery(c, g);
        mann_gallery_free(g);
        return code;
    }
    if (mann_model_open(&m, path, NULL) == MANN_OK) {
        code = describe_model(c, m);
        mann_model_free(m);
        return code;
    }
    if (mann_index_open(&ix, path, MANN_OPEN_READ, NULL) == MANN_OK) {
        code = describe_matrix(c, "index", mann_index_n_rows(ix), mann_index_dim(ix));
        mann_index_free(ix);
        return code;
    }
    return mni_cli_fail(c, MNI_FROM_INPUT, s);
}

int mni_cmd_info(mni_cli *c)
{
    const char *path = c->options.files[0];
    mni_stat st;
    mann_status s = mni_vfs_posix()->ops->stat(mni_vfs_posix(), path, &st, &c->err);
    if (s != MANN_OK) return mni_cli_fail(c, MNI_FROM_INPUT, s);
    if (st.kind == MNI_IS_DIR)
        return mni_cli_usage(c, "%s is a folder; 'metricann scan' looks at data sets",
                             path);
    if (mni_is_packed_set(path)) return info_set(c, path);
    return !mni_is_container(path) && mni_is_vector_file(path) ? info_vectors(c, path)
                                                               : info_container(c, path);
}
