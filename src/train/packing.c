/* packing.c - a data set into one file, and back into a folder.
 *
 * The way back trusts nothing: all paths are looked at before anything is written, the
 * folder must be new or empty (so that no symbolic link can stand in it), and files are
 * made, never opened. SPDX-License-Identifier: MIT */
#include "train/packing.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "image/image.h"
#include "os/clock.h"
#include "train/dataset_parts.h"

#define MANIFEST "manifest.tsv"

typedef unsigned long long ull;

static mann_status step(const mann_hooks *h, const char *task, uint64_t done,
                        uint64_t total, double start, mann_error *err)
{
    const mann_progress p = { .task = task, .done = done, .total = total,
                              .seconds = mni_clock_seconds() - start };
    if (h && h->progress && h->progress(h->user, &p))
        return mni_fail(err, MANN_E_CANCELLED, "stopped after %llu of %llu photos",
                        (ull)done, (ull)total);
    return MANN_OK;
}

/* Bytes of image i. A photo that cannot be read is told and counted: *bytes is NULL. */
static mann_status get(const mni_dataset *d, uint64_t i, uint8_t **bytes, size_t *n_bytes,
                       uint64_t *time, const mann_hooks *h, mann_pack_report *r,
                       mann_error *err)
{
    mann_error why = { MANN_OK, "" };
    char sentence[512];
    *bytes = NULL;
    const mann_status s = mni_dataset_bytes(d, i, bytes, n_bytes, time, &why);
    if (s == MANN_OK) return MANN_OK;
    *bytes = NULL;
    if (s == MANN_E_NOMEM) return mni_fail(err, s, "%s", why.text);
    r->n_skipped++;
    snprintf(sentence, sizeof sentence, "skipped %.200s: %s", d->images[i].path,
             why.text);
    if (h && h->note) h->note(h->user, MANN_NOTE_WARNING, sentence);
    return MANN_OK;
}

/* --- pack --------------------------------------------------------------------------- */

static mann_status pack_all(const mni_dataset *d, mni_pack_writer *w, const mann_hooks *h,
                            mann_pack_report *r, mann_error *err)
{
    const double start = mni_clock_seconds();
    for (size_t i = 0; i < d->n_images; i++) {
        uint8_t *bytes;
        size_t n_bytes;
        uint64_t time;
        MNI_TRY(step(h, "pack", i, d->n_images, start, err));
        MNI_TRY(get(d, i, &bytes, &n_bytes, &time, h, r, err));
        if (!bytes) continue;
        const mann_status s = mni_pack_put(w, d->images[i].path, d->images[i].klass,
                                           bytes, n_bytes, time, err);
        mni_free(bytes);
        if (s != MANN_OK) return s;
        r->n_photos++;
        r->n_bytes += n_bytes;
    }
    if (r->n_photos == 0)
        return mni_fail(err, MANN_E_NOT_FOUND, "not one photo could be read");
    return step(h, "pack", d->n_images, d->n_images, start, err);
}

mann_status mni_dataset_pack(const mni_dataset *d, const mni_vfs *v, const char *path,
                             const mann_hooks *h, mann_pack_report *report,
                             mann_error *err)
{
    mann_pack_report r = { .struct_size = sizeof r, .n_classes = (uint32_t)d->n_classes };
    mni_pack_writer *w;
    MNI_TRY(mni_pack_new(&w, v, path, d->classes, (uint32_t)d->n_classes, err));
    mann_status s = pack_all(d, w, h, &r, err);
    if (s == MANN_OK) s = mni_pack_finish(w, err);
    else mni_pack_abort(w);
    if (report) *report = r;
    return s;
}

/* --- unpack ------------------------------------------------------------------------- */

/* Does the path stay below the folder that it is joined to? */
static int stays_inside(const char *path)
{
    for (const char *at = path;; at++) {
        const size_t n = strcspn(at, "/");
        if (n == 0 || (n == 1 && at[0] == '.') ||
            (n == 2 && at[0] == '.' && at[1] == '.'))
            return 0;
        at += n;
        if (!*at) return 1;
    }
}

/* Would a walk through the folder find this photo, with this class? */
static int follows_from_path(const mni_dataset *d, const mni_image_ref *i)
{
    const char *klass = i->klass == MANN_NO_CLASS ? "" : d->classes[i->klass];
    const char *slash = strchr(i->path, '/');
    const size_t n = slash ? (size_t)(slash - i->path) : 0;
    if (i->path[0] == '.' || strstr(i->path, "/.") || !mni_image_name(i->path)) return 0;
    return strlen(klass) == n && memcmp(klass, i->path, n) == 0;
}

/* Could a line of a manifest say it? */
static int fits_manifest(const mni_dataset *d, const mni_image_ref *i)
{
    const char *klass = i->klass == MANN_NO_CLASS ? "" : d->classes[i->klass];
    const char *last = *klass ? klass : i->path;
    return i->path[0] != '#' && !strpbrk(i->path, "\t\n") && !strchr(klass, '\n') &&
           last[strlen(last) - 1] != '\r';
}

/* All that could be wrong is found before the first file is made. *manifest: one is
 * needed, so that what is written means what was there. */
static mann_status check_paths(const mni_dataset *d, int *manifest, mann_error *err)
{
    *manifest = 0;
    for (size_t i = 0; i < d->n_images; i++) {
        const char *path = d->images[i].path;
        if (!stays_inside(path))
            return mni_fail(err, MANN_E_FORMAT,
                            "'%.150s' would be written outside of the folder; nothing "
                            "was written",
                            path);
        if (strcmp(path, MANIFEST) == 0)
            return mni_fail(err, MANN_E_UNSUPPORTED,
                            "a photo is called %s, as the manifest would be", MANIFEST);
        if (!follows_from_path(d, &d->images[i])) *manifest = 1;
    }
    for (size_t i = 0; *manifest && i < d->n_images; i++)
        if (!fits_manifest(d, &d->images[i]))
            return mni_fail(err, MANN_E_UNSUPPORTED,
                            "'%.100s': its class would have to be told by a manifest, "
                            "which cannot hold such names; nothing was written",
                            d->images[i].path);
    return MANN_OK;
}

static int any_name(void *ctx, const char *name)
{
    if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) *(int *)ctx = 1;
    return 1;
}

static mann_status new_folder(const mni_vfs *v, const char *dir, mann_error *err)
{
    int any = 0;
    mni_stat st;
    const mann_status s = v->ops->stat(v, dir, &st, NULL);
    if (s == MANN_OK && st.kind == MNI_IS_DIR)
        MNI_TRY(v->ops->list(v, dir, any_name, &any, err));
    if (s == MANN_OK && (any || st.kind != MNI_IS_DIR))
        return mni_fail(err, MANN_E_EXISTS, "%s: is there and not an empty folder", dir);
    return v->ops->mkdir(v, dir, err);
}

/* The folders of "mug/side/1.jpg" below dir; those of the path before are there. */
static mann_status make_folders(const mni_vfs *v, const char *dir, const char *path,
                                const char *before, mann_error *err)
{
    for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/')) {
        const size_t n = (size_t)(at - path);
        mni_text part = { 0 }, full = { 0 };
        if (before && strncmp(before, path, n + 1) == 0) continue;
        mni_text_add_n(&part, path, n);
        mni_path_join(&full, dir, mni_text_get(&part));
        const mann_status s = part.failed || full.failed
                                  ? mni_dataset_no_memory(err)
                                  : v->ops->mkdir(v, mni_text_get(&full), err);
        mni_text_fini(&part);
        mni_text_fini(&full);
        if (s != MANN_OK) return s;
    }
    return MANN_OK;
}

static mann_status write_new(const mni_vfs *v, const char *path, const uint8_t *bytes,
                             size_t n_bytes, uint64_t time, mann_error *err)
{
    mni_file *f;
    MNI_TRY(mni_open(v, path, MNI_OPEN_WRITE | MNI_OPEN_CREATE | MNI_OPEN_EXCLUSIVE, &f,
                     err));
    mann_status s = mni_write(f, bytes, n_bytes, 0, err);
    if (s == MANN_OK) s = v->ops->set_time(f, time, err);
    const mann_status closed = mni_close(f, s == MANN_OK ? err : NULL);
    return s == MANN_OK ? closed : s;
}

static mann_status write_manifest(const mni_dataset *d, const mni_vfs *v, const char *dir,
                                  mann_error *err)
{
    mni_text lines = { 0 }, path = { 0 };
    for (size_t i = 0; i < d->n_images; i++) {
        const mni_image_ref *image = &d->images[i];
        mni_text_add(&lines, image->path);
        if (image->klass != MANN_NO_CLASS) {
            mni_text_char(&lines, '\t');
            mni_text_add(&lines, d->classes[image->klass]);
        }
        mni_text_char(&lines, '\n');
    }
    mni_path_join(&path, dir, MANIFEST);
    const mann_status s =
        lines.failed || path.failed
            ? mni_dataset_no_memory(err)
            : mni_replace_file(v, mni_text_get(&path), mni_text_get(&lines),
                               lines.n_chars, err);
    mni_text_fini(&lines);
    mni_text_fini(&path);
    return s;
}

/* A manifest may name one file for two classes: it is written once. */
static mann_status unpack_one(const mni_dataset *d, const mni_vfs *v, const char *dir,
                              size_t i, const char **made, const mann_hooks *h,
                              mann_pack_report *r, mann_error *err)
{
    uint8_t *bytes;
    size_t n_bytes;
    uint64_t time;
    mni_text full = { 0 };
    MNI_TRY(get(d, i, &bytes, &n_bytes, &time, h, r, err));
    if (!bytes) return MANN_OK;
    mni_path_join(&full, dir, d->images[i].path);
    mann_status s = full.failed ? mni_dataset_no_memory(err) : MANN_OK;
    if (s == MANN_OK)
        s = make_folders(v, dir, d->images[i].path, *made, err);
    if (s == MANN_OK) {
        s = write_new(v, mni_text_get(&full), bytes, n_bytes, time, err);
        if (s == MANN_OK) r->n_bytes += n_bytes;
    }
    if (s == MANN_E_EXISTS) {           /* the folder was empty: it is one of ours */
        uint8_t *there;
        size_t n;
        s = mni_read_file(v, mni_text_get(&full), MNI_PACK_MOST_BYTES, &there, &n, err);
        const int same = s == MANN_OK && n == n_bytes && memcmp(there, bytes, n) == 0;
        if (s == MANN_OK) mni_free(there);
        if (s == MANN_OK && !same)
            s = mni_fail(err, MANN_E_EXISTS, "%s: is in it twice, with two contents",
                         d->images[i].path);
    }
    if (s == MANN_OK) {
        r->n_photos++;
        *made = d->images[i].path;
    }
    mni_text_fini(&full);
    mni_free(bytes);
    return s;
}

mann_status mni_dataset_unpack(const mni_dataset *d, const mni_vfs *v, const char *dir,
                               const mann_hooks *h, mann_pack_report *report,
                               mann_error *err)
{
    mann_pack_report r = { .struct_size = sizeof r, .n_classes = (uint32_t)d->n_classes };
    const double start = mni_clock_seconds();
    const char *made = NULL;            /* path of the last photo that was written */
    int manifest;
    MNI_TRY(check_paths(d, &manifest, err));
    MNI_TRY(new_folder(v, dir, err));
    mann_status s = MANN_OK;
    for (size_t i = 0; s == MANN_OK && i < d->n_images; i++) {
        s = step(h, "unpack", i, d->n_images, start, err);
        if (s == MANN_OK) s = unpack_one(d, v, dir, i, &made, h, &r, err);
    }
    if (s == MANN_OK && manifest) {
        s = write_manifest(d, v, dir, err);
        r.manifest = 1;
    }
    if (s == MANN_OK) s = step(h, "unpack", d->n_images, d->n_images, start, err);
    if (report) *report = r;
    return s;
}

/* --- check, describe ---------------------------------------------------------------- */

mann_status mni_dataset_verify(const mni_dataset *d, const mann_hooks *h, mann_error *err)
{
    const double start = mni_clock_seconds();
    if (d->pack) MNI_TRY(mni_pack_verify(d->pack, err));
    for (size_t i = 0; !d->pack && i < d->n_images; i++) {
        uint8_t *bytes;
        size_t n_bytes;
        uint64_t time;
        MNI_TRY(step(h, "verify", i, d->n_images, start, err));
        MNI_TRY(mni_dataset_bytes(d, i, &bytes, &n_bytes, &time, err));
        mni_free(bytes);
    }
    return MANN_OK;
}

void mni_dataset_describe(const mni_dataset *d, mann_dataset_info *info)
{
    *info = (mann_dataset_info){ .struct_size = sizeof *info,
                                 .n_classes = (uint32_t)d->n_classes,
                                 .n_images = d->n_images };
    for (size_t i = 0; i < d->n_images; i++)
        info->n_without_class += d->images[i].klass == MANN_NO_CLASS;
    if (!d->pack) return;
    for (size_t i = 0; i < d->n_images; i++)
        info->photo_bytes += mni_pack_at(d->pack, i).n_bytes;
    info->packed = 1;
    info->file_bytes = mni_reader_bytes(mni_pack_reader(d->pack));
    mni_uuid_text(mni_reader_uuid(mni_pack_reader(d->pack)), info->uuid);
}
