/* long: the whole public surface in one file, on purpose */
/* metricann.h - few-shot image recognition in one library: the whole public surface, in
 * chapters.
 *
 * SPDX-License-Identifier: MIT
 *
 * Reading rules that hold for every call:
 *   - A call that can fail returns mann_status; results leave through pointers, which are
 *     set only on success (object pointers are set to NULL on failure).
 *   - `mann_error *err` may be NULL; it is written only on failure.
 *   - `const` objects may be used by many threads at once, others by one at a time.
 *     mann_gallery is the one exception: every call on it may run at any time on any
 *     thread (searches see one consistent state, writers take turns). mann_gallery_free
 *     must be the last.
 *   - Structs that the caller fills start with their own size: build them with
 *     mann_*_fill(), then set fields. 0 in a numeric field means "the library chooses".
 *   - `mann_pool *` may be NULL: then the call uses the caller's thread alone. Nothing
 *     depends on the number of threads but time.
 *   - Strings are UTF-8; paths are bytes as the system gives them. Nothing returned is
 *     released with free().
 *   - Ownership in four words. borrowed: valid for the call. copied: yours stays yours.
 *     owned: you release it with the named call. taken: the callee owns it after success,
 *     you keep it on failure.
 *   - The library never prints, never exits, never opens a network connection. */
#ifndef METRICANN_H
#define METRICANN_H
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

/* --- 1. version, status, hooks, threads --------------------------------------------- */
#define MANN_VERSION 0x000200u                  /* 0xMMmmpp of this header */
uint32_t    mann_version(void);                 /* of the linked library */
const char *mann_simd_name(void);   /* "scalar", "avx2", "avx512", "avx512vnni", "neon" */

typedef enum mann_status {                      /* numbers are frozen */
    MANN_OK = 0, MANN_E_ARG, MANN_E_NOMEM, MANN_E_IO, MANN_E_FORMAT, MANN_E_VERSION,
    MANN_E_UNSUPPORTED, MANN_E_NOT_FOUND, MANN_E_EXISTS, MANN_E_READ_ONLY, MANN_E_LOCKED,
    MANN_E_MISMATCH, MANN_E_LIMIT, MANN_E_CANCELLED,
    MANN_E_BUDGET               /* more memory than the caller allows */
} mann_status;
typedef struct mann_error { mann_status code; char text[252]; } mann_error;
const char *mann_status_name(mann_status s);    /* "bad data", ...; never NULL */

typedef struct mann_progress {
    const char *task;                           /* "embed", "decode", ...: borrowed */
    uint64_t done, total;                       /* total 0: not known */
    double seconds;                             /* since the task began */
    /* "train": loss of this step, share of its terms that still teach; else 0 */
    float loss, active;
} mann_progress;
typedef enum mann_note_level {
    MANN_NOTE_DETAIL = 0, MANN_NOTE_INFO, MANN_NOTE_WARNING
} mann_note_level;
typedef struct mann_hooks {    /* all optional; called on the thread that made the call */
    /* nonzero: stop cleanly, MANN_E_CANCELLED */
    int  (*progress)(void *user, const mann_progress *p);
    void (*note)(void *user, mann_note_level level, const char *sentence);
    void *user;
} mann_hooks;

typedef struct mann_pool mann_pool;
/* 0 = all cores */
mann_status mann_pool_new(mann_pool **out, uint32_t threads, mann_error *err);
void        mann_pool_free(mann_pool *p);

/* --- 2. vectors: bare matrices and their files -------------------------------------- */
typedef struct mann_matrix { const float *data; size_t rows, cols, stride; } mann_matrix;
                                                /* borrowed; stride in floats, 0 = cols */
typedef struct mann_vectors mann_vectors;       /* owned */
/* .npy (<f4 <f2 <f8 |u1 |i1 <i4 <i8, C order, 2-d), .fvecs .bvecs .ivecs, .fbin .u8bin
 * .i8bin .ibin: everything becomes f32; integers above 2^24 lose digits. */
mann_status mann_vectors_read(mann_vectors **out, const char *path, mann_error *err);
mann_matrix mann_vectors_matrix(const mann_vectors *v);          /* borrowed until free */
void        mann_vectors_free(mann_vectors *v);
/* Format by file name; bvecs and u8bin refuse values that are not 0..255 integers.
 * Replaces atomically. */
mann_status mann_vectors_write(const char *path, mann_matrix m, mann_error *err);
/* ids (or rows of neighbours) as integers: .npy (<i8; ~0 becomes -1), .ivecs, .ibin. */
mann_status mann_ids_write(const char *path, const uint64_t *ids, size_t rows,
                           size_t cols, mann_error *err);

/* --- 3. images ---------------------------------------------------------------------- */
typedef struct mann_image {                     /* 8 bit, rows packed */
    uint32_t width, height, channels;           /* channels 3 (RGB) or 4 (RGBA) */
    uint8_t *pixels;
} mann_image;
/* PNG, JPEG (sequential and progressive), BMP, PNM by content. Upright (EXIF applied),
 * RGB; alpha composited on white. Default limits: 100 megapixels, 65,535 a side. Owned:
 * mann_image_clear. */
mann_status mann_image_decode(mann_image *out, const void *bytes, size_t n_bytes,
                              mann_error *err);
mann_status mann_image_read(mann_image *out, const char *path, mann_error *err);
/* The same with limits of one's own. Beyond them: MANN_E_LIMIT, before memory is
 * taken. */
typedef struct mann_decode_options {
    uint32_t struct_size, max_side;             /* 65,535 */
    uint64_t max_pixels, max_memory;            /* of what comes: 100 million; and
                                                   of the work on it: 1 GiB */
    uint32_t max_scans;                         /* of a progressive JPEG: 100 */
    uint32_t min_side;          /* not 0: a JPEG may come at 1/2, 1/4, 1/8 of its size, as
                                   long as no side gets below this. 0: full size */
    uint32_t partial;           /* 1: of a damaged JPEG what came before the damage, grey
                                   the rest. 0: an error */
    uint32_t was_cut;           /* result: the picture is such a part */
    uint32_t keep_alpha;        /* 1: RGBA where the file has alpha. 0: RGB, on white */
} mann_decode_options;
void        mann_decode_options_fill(mann_decode_options *o, size_t size);
mann_status mann_image_decode_with(mann_image *out, const void *bytes, size_t n_bytes,
                                   mann_decode_options *o, mann_error *err);
/* Triangle filter scaled by the ratio (antialiased bilinear, as Pillow). `in` is RGB or
 * RGBA. */
mann_status mann_image_resize(mann_image *out, const mann_image *in, uint32_t width,
                              uint32_t height, mann_error *err);
/* Under a name of their own and then renamed: never half a picture under `path`, but the
 * disk is not waited for. */
mann_status mann_image_write_png(const char *path, const mann_image *im, mann_error *err);
/* Baseline JPEG; quality 1..100 (below 90 with colour at half the size); alpha over
 * white. */
mann_status mann_image_write_jpeg(const char *path, const mann_image *im, int quality,
                                  mann_error *err);
void        mann_image_clear(mann_image *im);   /* accepts zeroed */

/* Procedural toy-like objects. The picture is a function of (seed, klass, view,
 * conditions, strength, size) alone, the same on every machine. */
enum {
    MANN_SYNTH_POSE = 1, MANN_SYNTH_LIGHT = 2, MANN_SYNTH_BACKGROUND = 4,
    MANN_SYNTH_SCALE = 8, MANN_SYNTH_CROP = 16, MANN_SYNTH_OCCLUSION = 32,
    MANN_SYNTH_BLUR = 64, MANN_SYNTH_NOISE = 128, MANN_SYNTH_ALL = 255
};
typedef struct mann_synth_config {
    uint32_t struct_size, size;                 /* pixels a side, 8..1024; default 96 */
    uint32_t conditions;                        /* mask of MANN_SYNTH_*; default all */
    float strength;                             /* 0..1; default 1 */
    uint64_t seed;
} mann_synth_config;
void        mann_synth_config_fill(mann_synth_config *c, size_t size);
mann_status mann_synth_draw(mann_image *out, const mann_synth_config *c, uint64_t klass,
                            uint64_t view, mann_error *err);

/* Seeded changes of a photo that do not change what it shows: for training sets of few
 * photos. The picture is a function of (photo, seed, key, copy, changes, strength) alone,
 * the same on every machine; `key` tells photos apart (a hash of the path, a number). */
enum {
    MANN_CHANGE_LIGHT = 1, MANN_CHANGE_COLOUR = 2, MANN_CHANGE_OCCLUSION = 4,
    MANN_CHANGE_CROP = 8, MANN_CHANGE_SCALE = 16, MANN_CHANGE_ROTATION = 32,
    MANN_CHANGE_BLUR = 64, MANN_CHANGE_JPEG = 128, MANN_CHANGE_BACKGROUND = 256,
    MANN_CHANGE_FLIP = 512, MANN_CHANGE_NOISE = 1024, MANN_CHANGE_ALL = 2047
};
typedef struct mann_augment_config {
    uint32_t struct_size;
    uint32_t changes;      /* MANN_CHANGE_*; all: each now and then; fewer: always */
    float strength;                             /* 0..1; default 1 */
    uint64_t seed;
} mann_augment_config;
void        mann_augment_config_fill(mann_augment_config *c, size_t size);
/* out: RGB of the size of `in`, owned. RGBA in: another background where that is asked
 * for, else white. */
mann_status mann_augment_image(mann_image *out, const mann_image *in,
                               const mann_augment_config *c, uint64_t key, uint64_t copy,
                               mann_error *err);

/* --- 4. data sets: a folder of class folders, a manifest of path<TAB>class, one file
 *        that holds all (pack), or a store of your own ------------------------------- */
#define MANN_NO_CLASS 0xFFFFFFFFu
typedef struct mann_dataset mann_dataset;
/* Class = first folder below `path`; deeper folders belong to it; images in the root have
 * no class. Dot files are skipped, symbolic-link loops broken. Order: classes and paths
 * sorted by bytes. A folder without a single image is MANN_E_NOT_FOUND. Empty classes and
 * odd files are told by notes. `path` may also be a manifest, or a file that
 * mann_dataset_pack wrote: in it photos have the paths, classes, times and the order they
 * had. */
mann_status mann_dataset_open(mann_dataset **out, const char *path, const mann_hooks *h,
                              mann_error *err);
/* Single files instead of a folder, in the order given, all of one class (NULL: none).
 * Copied. */
mann_status mann_dataset_files(mann_dataset **out, const char *const *paths, size_t n,
                               const char *klass, mann_error *err);
/* Several as one, for training on mixed sources: classes are called SET/CLASS, where SET
 * is the last part of the set's path. Borrowed: the sets must outlive *out. */
mann_status mann_dataset_join(mann_dataset **out, const mann_dataset *const *sets,
                              size_t n, mann_error *err);
uint32_t    mann_dataset_n_classes(const mann_dataset *d);
uint64_t    mann_dataset_n_images(const mann_dataset *d);
const char *mann_dataset_class(const mann_dataset *d, uint32_t klass);
/* Path relative to the data set; *klass (may be NULL) = its class or MANN_NO_CLASS. */
const char *mann_dataset_path(const mann_dataset *d, uint64_t image, uint32_t *klass);
mann_status mann_dataset_read(const mann_dataset *d, uint64_t image, mann_image *out,
                              mann_error *err);
void        mann_dataset_free(mann_dataset *d);

/* Photos that lie somewhere else: in a database, an archive, in memory. Fill the table
 * and make a data set of it; an example is in src/train/README.md. */
typedef struct mann_stored {                    /* one photo; texts are borrowed */
    uint32_t struct_size;
    const char *path;      /* its name, "mug/1.jpg": what records call their source */
    const char *klass;                          /* NULL: none */
    uint64_t key, time;    /* key: whatever helps read; time: seconds since 1970, or 0 */
} mann_stored;
typedef struct mann_storage {
    uint32_t struct_size;                       /* sizeof(mann_storage) */
    void *user;
    /* Calls tell(to, photo) for each photo, in any order; a failure of tell is to be
     * returned. Called once, by mann_dataset_from_storage, on its thread. */
    mann_status (*list)(void *user,
                        mann_status (*tell)(void *to, const mann_stored *photo), void *to,
                        mann_error *err);
    /* Calls put(to, bytes, n) with the photo's bytes, in one piece or several. */
    mann_status (*read)(void *user, const mann_stored *photo,
                        mann_status (*put)(void *to, const void *bytes, size_t n_bytes),
                        void *to, mann_error *err);
    /* May be NULL. Asked before read: room for how many bytes (0: not known), and the
     * time, which holds the photo's own until it is changed. */
    mann_status (*stat)(void *user, const mann_stored *photo, uint64_t *n_bytes,
                        uint64_t *time, mann_error *err);
    void (*close)(void *user);                  /* may be NULL: by mann_dataset_free */
} mann_storage;
/* read and stat are called from any thread, several at once, from now until the data set
 * is freed: a store that cannot stand that must lock. The same photo must give the same
 * bytes. They fail with a status and, if they like, a sentence in err->text; such a photo
 * is skipped and told as an unreadable file is, but MANN_E_NOMEM ends the call that wants
 * it. Photos are sorted by class and path; more than 1 GiB of one is MANN_E_LIMIT. The
 * table is copied; `user` is taken: on failure close is not called. */
mann_status mann_dataset_from_storage(mann_dataset **out, const mann_storage *storage,
                                      mann_error *err);

/* Any data set as one checked file, replacing what is at `path` in one step: the photos'
 * bytes as they are, with paths, classes, times and hashes. The same data set gives the
 * same file. One photo is in memory at a time. What cannot be read is skipped, told by a
 * note and counted. report may be NULL. */
typedef struct mann_pack_report {
    uint32_t struct_size, n_classes;
    uint64_t n_photos, n_skipped, n_bytes;
    uint32_t manifest;                          /* unpack: 1 if it wrote one */
} mann_pack_report;
mann_status mann_dataset_pack(const mann_dataset *d, const char *path,
                              const mann_hooks *h, mann_pack_report *report,
                              mann_error *err);
/* The photos of any data set as files below `dir`, a new or an empty folder, with their
 * times; and dir/manifest.tsv where classes do not follow from paths. A path that leads
 * outside of dir is MANN_E_FORMAT before anything is written. */
mann_status mann_dataset_unpack(const mann_dataset *d, const char *dir,
                                const mann_hooks *h, mann_pack_report *report,
                                mann_error *err);
/* Reads every photo; of a packed set every byte, against checksums and hashes. */
mann_status mann_dataset_verify(const mann_dataset *d, const mann_hooks *h,
                                mann_error *err);
typedef struct mann_dataset_info {
    uint32_t struct_size, n_classes, packed;    /* packed: 1: the rest is told */
    uint64_t n_images, n_without_class, photo_bytes, file_bytes;
    char uuid[40];
} mann_dataset_info;
mann_status mann_dataset_describe(const mann_dataset *d, mann_dataset_info *info,
                                  mann_error *err);

/* --- 5. models: photo -> vector ----------------------------------------------------- */
typedef struct mann_model mann_model;
/* architecture: "pixels" (16x16 RGB, mean removed, normalised: the baseline every model
 * must beat), or a network to be trained: "micro", "mini", "small" (of the weights that
 * ship), "resnet18", "resnet34", "resnet50"; "mini@32": for input of 32 x 32. */
mann_status mann_model_new(mann_model **out, const char *architecture, uint32_t dim,
                           uint64_t seed, mann_error *err);
mann_status mann_model_open(mann_model **out, const char *path, mann_error *err);
mann_status mann_model_save(const mann_model *m, const char *path, mann_error *err);
void        mann_model_free(mann_model *m);
/* How save keeps the weights (MANN_STORE_*): f32, or f16 at half the size. f16 rounds
 * them at once: the model becomes another one, with a fingerprint of its own. Golden
 * vectors are made anew, or for the first time (mann_model_selftest). */
mann_status mann_model_store_as(mann_model *m, uint32_t store, mann_error *err);
/* What the network computes with. int8 is more than twice as fast as f32 where the CPU
 * has AVX-512 VNNI; bf16 needs half of the memory for weights, and has half of the speed
 * of f32 today. Both are emulated elsewhere, int8 with the same bits. Either makes
 * another model of it, with a fingerprint of its own, saved and opened as such: a gallery
 * answers queries of its own precision only. int8 needs to know how large numbers get:
 * training measured it; a model from elsewhere is measured here, on 32 drawn pictures.
 * The pixels model has no weights: MANN_E_ARG. */
enum { MANN_PRECISION_F32 = 1, MANN_PRECISION_BF16, MANN_PRECISION_INT8 };
mann_status mann_model_set_precision(mann_model *m, uint32_t precision, mann_error *err);
uint32_t    mann_model_dim(const mann_model *m);
/* out: n x dim unit vectors. The bits of a vector do not depend on n or on the pool. */
mann_status mann_model_embed(const mann_model *m, const mann_image *images, size_t n,
                             mann_pool *p, float *out, mann_error *err);
typedef struct mann_model_info {
    uint32_t struct_size, dim, input_size, calibrated;
    uint64_t n_parameters, fingerprint;       /* fingerprint: weights and preprocessing */
    char architecture[64];
    /* what training examined it with; 0: not examined */
    uint32_t val_classes, val_images;
    float val_recall;               /* Recall@1 of it, leave one out; NaN: not examined */
    uint32_t precision;             /* MANN_PRECISION_* */
    uint32_t measured;              /* 1: its training measured what int8 wants to know */
    uint32_t n_golden;              /* pictures that mann_model_selftest compares */
} mann_model_info;
mann_status mann_model_describe(const mann_model *m, mann_model_info *info,
                                mann_error *err);

/* --- training --- */
enum {
    MANN_LOSS_TRIPLET = 1, MANN_LOSS_CONTRASTIVE, MANN_LOSS_SUPCON, MANN_LOSS_NPAIR,
    /* with a learned point for each class, its proxy; they do not go into the model */
    MANN_LOSS_SOFTMAX, MANN_LOSS_COSFACE, MANN_LOSS_ARCFACE, MANN_LOSS_PROXY_ANCHOR
};
enum { MANN_MINE_HARD = 1, MANN_MINE_SEMI_HARD, MANN_MINE_RANDOM };
enum {
    MANN_AUGMENT_NONE = 1, MANN_AUGMENT_GLYPH, MANN_AUGMENT_PHOTO, MANN_AUGMENT_ALL,
    MANN_AUGMENT_STRONG
};
enum { MANN_FREEZE_NOTHING = 0, MANN_FREEZE_BODY };
enum { MANN_MONITOR_RECALL = 1, MANN_MONITOR_LOSS };
/* Checkpoints in checkpoint_dir at the start: none may be there (MANN_E_EXISTS); go on
 * from the newest one, if there is one; throw them away. */
enum { MANN_TRAIN_KEEP = 0, MANN_TRAIN_RESUME, MANN_TRAIN_AFRESH };
typedef struct mann_train_config {
    uint32_t struct_size;
    uint32_t epochs, steps_per_epoch;        /* 50; 0: as many as show every image once */
    uint32_t patience;         /* stop after so many epochs without progress; ~0: never */
    uint32_t classes_per_batch, images_per_class;           /* 24 x 4 */
    uint32_t loss, miner, soft_margin;          /* triplet, semi-hard, 0 */
    /* all; 0: 1 makes three more classes of each by quarter turns, 2 seven more by
     * quarter turns of it and of its mirror image */
    uint32_t augment, rotations_as_classes;
    uint32_t monitor;                           /* what "best" means; recall */
    uint32_t warmup_steps;                      /* 200, but at most a tenth of all */
    uint32_t keep_checkpoints;                  /* the newest so many; 3; ~0: all */
    int      resume;     /* MANN_TRAIN_*: what becomes of checkpoints that are there */
    float    learning_rate, momentum, weight_decay;        /* 0.1, 0.9 (Nesterov), 5e-4 */
    /* 0: the loss's own (src/nn/README.md has a table); clip 0: no clipping */
    float    margin, temperature, clip;
    /* of the classes, held out when there is no other validation; 0.1 */
    float    validation_share;
    uint64_t seed, cache_bytes;                 /* 1; 1 GiB of decoded images */
    /* data set; NULL: `train` and `val` folders, or classes held out */
    const char *validation;
    const char *checkpoint_dir, *log_path, *curves_path;    /* NULL: none */
    /* Most memory that may be taken (see mann_train_plan); 0: any. The cache shrinks to
     * what is left; where even that does not do: MANN_E_BUDGET, and nothing was read. */
    uint64_t mem_bytes;
    /* So that mixed sources do not drown each other: a class counts as at most so many
     * images in the length of an epoch (which ones goes round over the epochs), a joined
     * set as at most so many classes in each pass (others in the next). 0: no cap. */
    uint32_t cap_class, cap_set;
    /* Losses with proxies: so many take part in a step, 0: all; their rate, 0: that of
     * the network; and, for mann_train_plan, of how many classes (training counts). */
    uint32_t proxies;
    float    proxy_rate;
    uint32_t n_classes;
    /* Batches of groups of so many classes that look alike, found anew in each epoch by
     * an index over all classes; 0 or 1: batches by lot. */
    uint32_t hard_classes;
    float    ema;   /* keep and examine the running mean of the weights; 0: no; 0.999 */
    /* MANN_FREEZE_BODY: only the last layer learns, from what the body makes of each
     * photo and of head_copies (8) augmented copies of it, computed once: a minute in
     * place of an hour, for one's own photos on weights that are there. A loss of pairs;
     * held-out classes examine; no checkpoints (it is soon done again). Where no epoch is
     * better than what it began with, that is what remains (best_epoch 0). */
    uint32_t freeze, head_copies;
    /* The first first_share (0.5) of all steps see pictures of first_size pixels a side,
     * 8 .. the network's input - 1: cheaper steps first. 0: none. Not with freeze. */
    uint32_t first_size;
    float    first_share;
} mann_train_config;
void        mann_train_config_fill(mann_train_config *c, size_t size);
/* What mann_train(m, .., c, p, ..) takes at most beside m, p and the data set's list of
 * files: fixed_bytes, and cache_bytes of decoded photos. More than c->mem_bytes:
 * MANN_E_BUDGET, with *out filled all the same. c: NULL for the defaults. */
typedef struct mann_train_cost {
    uint32_t struct_size, batch;                /* images of a batch */
    uint64_t activation_bytes;                  /* of one batch, kept for the way back */
    uint64_t weight_bytes;      /* weights, gradients, momentum; two copies of m */
    uint64_t work_bytes;                        /* of threads, batches, examinations */
    uint64_t fixed_bytes;                       /* the sum of these */
    uint64_t cache_bytes;                       /* at most; what mem_bytes leaves of it */
    uint64_t proxy_bytes;                       /* in fixed_bytes too */
} mann_train_cost;
mann_status mann_train_plan(const mann_model *m, const mann_train_config *c,
                            mann_pool *p, mann_train_cost *out, mann_error *err);
typedef struct mann_train_report {
    uint32_t struct_size;
    /* done, counted from 1; 0: no validation, the last weights */
    uint32_t n_epochs, best_epoch;
    uint32_t n_classes, n_val_classes;          /* rotations counted */
    uint64_t n_steps, n_images, n_val_images, n_bad;
    double   loss;                              /* of training, mean of the last epoch */
    /* of the model that was chosen; NaN without validation */
    double   val_loss, val_recall;
    double   seconds, images_per_second;        /* of this call */
} mann_train_report;
/* Trains m (a ResNet; its weights are where training starts) and leaves the best weights
 * in it, with preprocessing, validation result and calibration. On failure m is
 * unchanged. Cancelled by the progress hook, or ended by a fault: a checkpoint is in
 * checkpoint_dir, and MANN_TRAIN_RESUME goes on from it to the same bits as if nothing
 * had happened, for any number of threads. report may be NULL. */
mann_status mann_train(mann_model *m, const mann_dataset *set, const mann_train_config *c,
                       mann_pool *p, const mann_hooks *h, mann_train_report *report,
                       mann_error *err);
/* What the network would be shown: one photo of each of n_rows classes (drawn by the
 * seed; fewer if there are fewer), as it is and in n_views - 1 augmented views, as one
 * picture. out: owned. */
mann_status mann_train_preview(const mann_model *m, const mann_dataset *set,
                               const mann_train_config *c, uint32_t n_rows,
                               uint32_t n_views, mann_image *out, mann_error *err);

/* --- 6. the gallery: records + vectors + index + model, incremental and durable ----- */
typedef struct mann_gallery mann_gallery;
typedef enum mann_metric { MANN_L2 = 1, MANN_INNER, MANN_COSINE } mann_metric;
typedef enum mann_store {
    MANN_STORE_F32 = 1, MANN_STORE_F16, MANN_STORE_INT8
} mann_store;
/* A photo may be looked at several times, when it is enrolled and when it is asked; kept
 * in the gallery. The whole photo; and (ZOOM) the middle of it, 85 % of each side; and
 * the four corners; and (FLIP) mirror images of all of these: the vector is the mean of
 * the unit vectors of 1 to 12 views.
 * TURNS: all of that in each of the four quarter turns, 4 to 48 views. The means of the
 * turns stand one behind the other, so the gallery's vectors have four times the model's
 * dimensions, and a photo is compared upright with upright (counted twice) and turned
 * with turned (src/recog/README.md). Each view costs an embedding. */
enum {
    MANN_VIEW_FLIP = 1, MANN_VIEW_ZOOM = 2, MANN_VIEW_CORNERS = 4, MANN_VIEW_TURNS = 8
};
typedef struct mann_gallery_config {
    /* default: cosine with a model, L2 without; f32. dim: 0 with a model, whose and whose
     * views' it is */
    uint32_t struct_size, metric, dim, store;
    float false_accept;                         /* stated rate per query; default 0.01 */
    const mann_model *model;             /* NULL: vectors only; copied into the gallery */
    int    embed_model;  /* 1 (default): the file carries the model; 0: its fingerprint */
    uint64_t seed;
    uint32_t views;             /* MANN_VIEW_*: how photos are looked at; 0: once */
    int    no_sync;                      /* 1: open it with MANN_OPEN_NOSYNC; default 0 */
} mann_gallery_config;
void        mann_gallery_config_fill(mann_gallery_config *c, size_t size);
/* A new, empty gallery file, open for writing. MANN_E_EXISTS if `path` is there. */
mann_status mann_gallery_create(mann_gallery **out, const char *path,
                                const mann_gallery_config *c, mann_error *err);
#define MANN_OPEN_READ   0u                     /* many processes */
#define MANN_OPEN_WRITE  1u                     /* one process: takes the lock */
#define MANN_OPEN_VERIFY 2u                     /* read and check every byte first */
/* With WRITE, for bulk loads: changes do not wait for the disk. What was acknowledged
 * survives the end of the process, but after a power cut the last changes may be gone,
 * each as a whole; the file is never damaged. mann_gallery_flush (and build, compact; and
 * free, which cannot say whether it could) makes all of them durable. */
#define MANN_OPEN_NOSYNC 4u
mann_status mann_gallery_open(mann_gallery **out, const char *path, uint32_t flags,
                              mann_error *err);
/* see what another process wrote */
mann_status mann_gallery_refresh(mann_gallery *g, mann_error *err);
mann_status mann_gallery_flush(mann_gallery *g, mann_error *err);
void        mann_gallery_free(mann_gallery *g);
/* A gallery opened without its model inside: give it one; refused unless the fingerprints
 * agree. */
mann_status mann_gallery_use_model(mann_gallery *g, const mann_model *m, mann_error *err);

/* Durable when they return. classes[i] NULL or classes NULL: no class. sources may be
 * NULL. ids are given by the gallery (never reused) unless ids_in is given (upsert: a row
 * of that id is replaced, its key stays). With keys of your own: mann_gallery_put. */
mann_status mann_gallery_add(mann_gallery *g, const char *const *classes,
                             const char *const *sources, mann_matrix rows,
                             const uint64_t *ids_in, uint64_t *ids_out, mann_error *err);
/* Embeds and adds every image that is not yet there (same content and class: counted as
 * present), in groups that are durable one by one: interrupted, the next call goes on.
 * Bad images are skipped, told by a note each, and counted. report may be NULL. */
typedef struct mann_add_report {
    uint32_t struct_size;
    uint64_t n_added, n_present, n_skipped;
    double decode_seconds, embed_seconds, write_seconds;     /* summed over threads */
} mann_add_report;
mann_status mann_gallery_add_images(mann_gallery *g, const mann_dataset *set,
                                    mann_pool *p, const mann_hooks *h,
                                    mann_add_report *report, mann_error *err);
/* Makes the gallery hold what the set holds, by the content of the photos: new ones are
 * embedded and added, a file that was moved or renamed only gets its new path and class,
 * one whose content changed gets a new vector under its old id. Records whose photo is
 * neither in the set nor below any folder that the gallery knows are `gone`: told by a
 * note each, and removed if `gone` says so: MANN_SYNC_REMOVE not while one of those
 * folders is away (a disk that is not mounted), MANN_SYNC_REMOVE_ALL all the same.
 * Durable group by group; run again it goes on, and a run that ended finds nothing to do.
 * report may be NULL. */
enum { MANN_SYNC_KEEP = 0, MANN_SYNC_REMOVE, MANN_SYNC_REMOVE_ALL };
typedef struct mann_sync_report {
    uint32_t struct_size;
    uint64_t n_added, n_moved, n_changed, n_present, n_gone, n_removed, n_skipped;
} mann_sync_report;
mann_status mann_gallery_sync(mann_gallery *g, const mann_dataset *set, int gone,
                              mann_pool *p, const mann_hooks *h, mann_sync_report *report,
                              mann_error *err);
mann_status mann_gallery_remove(mann_gallery *g, const uint64_t *ids, size_t n,
                                size_t *removed, mann_error *err);
mann_status mann_gallery_remove_class(mann_gallery *g, const char *klass, size_t *removed,
                                      mann_error *err);
mann_status mann_gallery_relabel(mann_gallery *g, const uint64_t *ids, size_t n,
                                 const char *klass, mann_error *err);
/* Folds the tail in, builds `index` ("auto", "HNSW16", ...; NULL: as before) and writes
 * the gallery to `path`; NULL: replaces its own file (needs WRITE). */
mann_status mann_gallery_build(mann_gallery *g, const char *path, const char *index,
                               mann_pool *p, const mann_hooks *h, mann_error *err);
mann_status mann_gallery_compact(mann_gallery *g, mann_pool *p, const mann_hooks *h,
                                 mann_error *err);
mann_status mann_gallery_verify(mann_gallery *g, const mann_hooks *h, mann_error *err);

typedef struct mann_record {                  /* one thing; borrowed for the call of fn */
    uint64_t id, content_hash, time;
    uint32_t klass;
    const char *class_name, *source;          /* class_name NULL: none; source "": none */
    const float *vector;                        /* dim floats; unit length for cosine */
    /* the user's own name of it, unique among live records: "sku-4711"; "": none */
    const char *key;
} mann_record;

/* Records as mann_gallery_each gave them, of this or another gallery: their ids (a row of
 * that id is replaced), contents, times, paths, classes and keys; `klass` is not looked
 * at. Durable when it returns, all of them or none.
 * Upsert by key: id MANN_NO_ID means the record that has this key, which is replaced and
 * keeps its id, or a new one. A key is 1 to 1024 bytes of UTF-8 without control
 * characters. With an id, key NULL leaves the record the key that it has; one that names
 * another record is refused (MANN_E_EXISTS), as is one that comes twice in a call. */
#define MANN_NO_ID UINT64_MAX
mann_status mann_gallery_put(mann_gallery *g, const mann_record *records, size_t n,
                             mann_error *err);
/* The id of the record with this key; MANN_E_NOT_FOUND. Logarithmic, from the file. */
mann_status mann_gallery_find(mann_gallery *g, const char *key, uint64_t *id,
                              mann_error *err);
/* The model that the file carries, as a file of its own. MANN_E_NOT_FOUND: none is in. */
mann_status mann_gallery_save_model(mann_gallery *g, const char *path, mann_error *err);

/* --- whole galleries: copies, parts, unions, what can be saved */
/* A gallery of the records for which keep is nonzero (NULL: all), as they are now, at
 * another name, with the same kind of index: a snapshot, a shard. What stood there is
 * replaced in one step. Writers wait, searches do not. Records keep their ids, classes
 * their numbers. */
mann_status mann_gallery_copy(mann_gallery *g, const char *path,
                              int (*keep)(void *user, const mann_record *r), void *user,
                              mann_pool *p, const mann_hooks *h, mann_error *err);
/* Adds every record of `from`, a gallery of the same model, metric and dimension: else
 * MANN_E_MISMATCH. Photos that are there already (same content, class and key; bare
 * vectors: the same numbers) are counted as present. Ids are kept unless they were given
 * before; a record with the key of one that is there replaces that. In durable groups. */
mann_status mann_gallery_merge(mann_gallery *g, mann_gallery *from, const mann_hooks *h,
                               mann_add_report *report, mann_error *err);
/* Whatever checksums still vouch for in a damaged gallery and its journal becomes a new
 * gallery at `to` (MANN_E_EXISTS if something is there); `path` is only read. Maps, lists
 * and the index (index NULL: of the same kind) are made anew. A file that was cut, or has
 * lost header or table, is read by its block META. MANN_E_FORMAT if both copies of that
 * are gone, or no vector is whole: then nothing can be told from the rest. */
typedef struct mann_repair_report {
    uint32_t struct_size, model_lost, journal_ignored;
    uint64_t n_saved, n_lost;                   /* records */
    uint64_t n_paths_lost, n_names_lost;        /* of saved records; of classes */
    uint64_t journal_cut_bytes;
    uint64_t n_keys_lost;                       /* of saved records */
} mann_repair_report;
mann_status mann_gallery_repair(const char *path, const char *to, const char *index,
                                mann_pool *p, const mann_hooks *h,
                                mann_repair_report *report, mann_error *err);

/* The nearest row; the mean score of the best m; votes; the score of the mean of all rows
 * of the class, its prototype (cosine: brought to unit length); half the nearest row and
 * half the prototype, which found more than either (src/recog/README.md). BLEND is MAX
 * where the metric is not cosine, and for a class of one row. */
enum {
    MANN_AGGREGATE_MAX = 1, MANN_AGGREGATE_MEAN, MANN_AGGREGATE_VOTE,
    MANN_AGGREGATE_PROTOTYPE, MANN_AGGREGATE_BLEND
};
typedef struct mann_search {
    uint32_t struct_size, k, ef, nprobe;
    uint32_t aggregate;      /* identify: how rows speak for their class; default BLEND */
    /* MEAN: of the best m rows of a class; VOTE: of the m nearest rows */
    uint32_t best_m;
    float    false_accept;                      /* 0: the gallery's */
    float    min_margin;   /* known needs this lead over the second class; default 0.01 */
    /* nonzero keeps; thread-safe; klass may be NULL */
    int    (*filter)(void *user, uint64_t id, const char *klass);
    void    *filter_user;
    /* 1: known needs also that the photo is nearer to the row it was known by than that
     * row's nearest one of another class is. Verdicts only become stricter. Default 0. */
    uint32_t tighten;
} mann_search;
void mann_search_fill(mann_search *s, size_t size, uint32_t k);
/* distance: L2 squared | -inner product | 1 - cosine: small is near. score: higher is
 * better: -distance | inner product | cosine in [-1, 1]. klass: MANN_NO_CLASS for rows
 * without class. */
typedef struct mann_hit {
    uint64_t id;
    uint32_t klass;
    float score;
    float distance;
} mann_hit;
typedef enum mann_verdict { MANN_UNKNOWN = 0, MANN_UNSURE, MANN_KNOWN } mann_verdict;
typedef struct mann_answer {
    mann_verdict verdict;
    uint32_t n_hits;         /* of this query; the rest of its k slots is {~0, ~0, ...} */
    float margin;                 /* score of the first minus score of the second class */
    /* of this gallery now; NaN where there is no calibration. With `tighten`, threshold
     * is that of this answer: higher where the row that would be known has a
     * look-alike */
    float threshold, unsure_above;
} mann_answer;
/* Best k rows / best k distinct classes for each query: hits is rows x k, nearest first;
 * answers has one per query (NULL allowed). k larger than what lives is legal. */
mann_status mann_gallery_search(mann_gallery *g, mann_matrix queries,
                                const mann_search *s, mann_pool *p, mann_hit *hits,
                                mann_answer *answers, mann_error *err);
mann_status mann_gallery_identify(mann_gallery *g, mann_matrix queries,
                                  const mann_search *s, mann_pool *p, mann_hit *hits,
                                  mann_answer *answers, mann_error *err);
/* All rows within `distance` (as in mann_hit) of each query; s->k > 0: at most so many.
 * fn gets the hits of each query in turn, nearest first, on the calling thread; nonzero
 * stops. An index that is not exact may miss some, as a search for as many rows would. */
typedef int (*mann_found_fn)(void *user, size_t query, const mann_hit *hits, size_t n);
mann_status mann_gallery_within(mann_gallery *g, mann_matrix queries, float distance,
                                const mann_search *s, mann_pool *p, mann_found_fn fn,
                                void *user, mann_error *err);
/* The cheapest ef or nprobe that finds `recall` (0..1) of the k nearest rows becomes the
 * default of searches; needs WRITE. Decided by counting, so that every machine chooses
 * alike. queries.rows 0: queries are made of stored rows. */
typedef struct mann_tuned {
    uint32_t struct_size, value, n_tried;       /* value 0: there is nothing to tune */
    char     knob[8];                           /* "ef", "nprobe" */
    double   recall;      /* reached; below what was wanted: it cannot be reached */
} mann_tuned;
mann_status mann_gallery_tune(mann_gallery *g, mann_matrix queries, double recall,
                              uint32_t k, mann_pool *p, mann_tuned *out, mann_error *err);
/* Which share of the k nearest rows does the index find, as searches ask it by default?
 * n stored rows (0: 1,000; fewer if there are fewer), drawn by the gallery's seed, are
 * compared with an exact search: the same gallery, the same figure. What verify cannot
 * see: links that are sound and lead to the wrong rows. Rows that no compact has folded
 * in are not asked for: they are always found. */
typedef struct mann_recall {
    uint32_t struct_size, k, value;             /* value 0: the common rule */
    char     knob[8];                           /* "ef", "nprobe"; "": exact */
    uint64_t n_rows;                            /* that were asked */
    double   recall, low, high;                 /* 95 % interval */
} mann_recall;
mann_status mann_gallery_recall(mann_gallery *g, uint64_t n, uint32_t k, mann_pool *p,
                                mann_recall *out, mann_error *err);
/* What building and compacting by this handle may take in memory beside the vectors;
 * 0: no limit. Then MANN_E_BUDGET instead, before anything is built. */
void mann_gallery_limit(mann_gallery *g, uint64_t mem_bytes);
/* Ids below next_id are not given to new records from now on: of a copy of something. */
mann_status mann_gallery_reserve(mann_gallery *g, uint64_t next_id, mann_error *err);
/* The folders that sources are relative to, oldest first (nonzero stops); one more. */
mann_status mann_gallery_roots(mann_gallery *g,
                               int (*fn)(void *user, const char *folder), void *user,
                               mann_error *err);
mann_status mann_gallery_add_root(mann_gallery *g, const char *folder, mann_error *err);
/* Photos that this handle adds or syncs from now on, also such as are present, leave a
 * JPEG of at most side x side pixels in the gallery (16..256; 0, the default: none), some
 * 2 KB at 96: contact sheets show it where the photo is not to be found. It belongs to
 * the content: records of one photo share it, and it goes when the last of them is folded
 * away. */
mann_status mann_gallery_thumbs(mann_gallery *g, uint32_t side, mann_error *err);
/* The thumbnail of a record, as a JPEG of at most 65,535 bytes. MANN_E_NOT_FOUND: there
 * is none; MANN_E_LIMIT: `size` is too small, *n_bytes is what it takes. */
mann_status mann_gallery_thumb(mann_gallery *g, uint64_t id, void *out, size_t size,
                               size_t *n_bytes, mann_error *err);
/* Thumbnails from elsewhere (another gallery of the same photos), JPEGs that can be
 * decoded, for records that have none yet. Durable when it returns, all or none. */
typedef struct mann_thumb { uint64_t id; const void *bytes; size_t n_bytes; } mann_thumb;
mann_status mann_gallery_put_thumbs(mann_gallery *g, const mann_thumb *thumbs, size_t n,
                                    mann_error *err);
/* What the search structure says about itself: "links a row", "imbalance", ... */
mann_status mann_gallery_facts(mann_gallery *g,
                               void (*fn)(void *user, const char *name, double value),
                               void *user, mann_error *err);
/* Copies with their NUL; MANN_E_LIMIT if `size` is too small, MANN_E_NOT_FOUND for what
 * is not there. */
mann_status mann_gallery_class_name(mann_gallery *g, uint32_t klass, char *out,
                                    size_t size, mann_error *err);
mann_status mann_gallery_source(mann_gallery *g, uint64_t id, char *out, size_t size,
                                mann_error *err);
/* "": the record has none */
mann_status mann_gallery_key(mann_gallery *g, uint64_t id, char *out, size_t size,
                             mann_error *err);
/* out: n rows of the gallery's dimensions (mann_gallery_info.dim, not mann_model_dim). */
mann_status mann_gallery_embed(mann_gallery *g, const mann_image *images, size_t n,
                               mann_pool *p, float *out, mann_error *err);
/* A photo file as the gallery's own commands read it: no larger than its model needs (a
 * large JPEG at 1/2, 1/4 or 1/8), so that embedding it gives the bits that a row enrolled
 * from the same file has. Embedding mann_image_read's full size gives nearly the same. */
mann_status mann_gallery_photo(mann_gallery *g, const char *path, mann_image *out,
                               mann_error *err);
/* Calls fn for every live record in row order; nonzero stops. */
mann_status mann_gallery_each(mann_gallery *g,
                              int (*fn)(void *user, const mann_record *r), void *user,
                              mann_error *err);
typedef struct mann_gallery_info {
    uint32_t struct_size, metric, dim, store, n_classes, read_only, calibrated;
    uint64_t n_rows, n_tail, n_dead, file_bytes, journal_bytes, generation, fingerprint;
    float false_accept, threshold, unsure_above;
    char index[64], model[64], uuid[40];
    uint64_t journal_cut_bytes;   /* lost at open: a torn or damaged end of the journal */
    uint32_t journal_ignored; /* 1: the journal beside the file belongs to another base */
    uint32_t knob;            /* default ef or nprobe of searches; 0: the common rule */
    uint32_t compact_due;     /* 1: the tail or the dead rows slow searches down */
    uint32_t precision;       /* of the model inside; 0: there is none */
    uint32_t views;           /* MANN_VIEW_* */
    uint64_t n_thumbs;          /* of them some may be of records that are gone */
    /* process that ended while it had the gallery open for writing; 0: none */
    uint64_t lock_left_by;
    uint64_t next_id;           /* smaller ones are not given any more */
} mann_gallery_info;
mann_status mann_gallery_describe(mann_gallery *g, mann_gallery_info *info,
                                  mann_error *err);

/* --- 7. bare indexes, for those who bring their own vectors: builder -> index ------- */
typedef struct mann_builder mann_builder;
typedef struct mann_index   mann_index;
/* index: "Flat", "HNSW16", "IVF1024,Flat", "IVF1024,PQ32x4fs", "SQ8", "auto" (chooses
 * when finish knows how many rows there are); other spellings in src/index/README.md. */
mann_status mann_builder_new(mann_builder **out, const char *index, mann_metric metric,
                             uint32_t dim, uint64_t seed, mann_error *err);
mann_status mann_builder_train(mann_builder *b, mann_matrix sample, mann_pool *p,
                               mann_error *err);
/* ids NULL: 0, 1, 2, ... in order of arrival. Rows are copied. */
mann_status mann_builder_add(mann_builder *b, const uint64_t *ids, mann_matrix rows,
                             mann_pool *p, mann_error *err);
/* finish may take so much memory beside the rows, or fails with MANN_E_BUDGET; 0: any. */
void        mann_builder_limit(mann_builder *b, uint64_t mem_bytes);
/* *b taken, set to NULL */
mann_status mann_builder_finish(mann_builder **b, mann_index **out, mann_pool *p,
                                const mann_hooks *h, mann_error *err);
void        mann_builder_free(mann_builder *b);
mann_status mann_index_open(mann_index **out, const char *path, uint32_t flags,
                            mann_error *err);
mann_status mann_index_save(const mann_index *ix, const char *path, mann_error *err);
mann_status mann_index_add(mann_index *ix, const uint64_t *ids, mann_matrix rows,
                           mann_pool *p, mann_error *err);
mann_status mann_index_remove(mann_index *ix, const uint64_t *ids, size_t n,
                              size_t *removed, mann_error *err);
/* ids, distances: rows x k; short rows end in ~0, +inf. Distances as in mann_hit. */
mann_status mann_index_query(const mann_index *ix, mann_matrix queries,
                             const mann_search *s, mann_pool *p, uint64_t *ids,
                             float *distances, mann_error *err);
/* As mann_gallery_within; klass is MANN_NO_CLASS. */
mann_status mann_index_within(const mann_index *ix, mann_matrix queries, float distance,
                              const mann_search *s, mann_pool *p, mann_found_fn fn,
                              void *user, mann_error *err);
/* As mann_gallery_tune; save keeps it. */
mann_status mann_index_tune(mann_index *ix, mann_matrix queries, double recall,
                            uint32_t k, mann_pool *p, mann_tuned *out, mann_error *err);
mann_status mann_index_verify(const mann_index *ix, mann_error *err);
/* Canonical name of its kind: "HNSW16". Borrowed. */
const char *mann_index_kind(const mann_index *ix);
uint64_t    mann_index_n_rows(const mann_index *ix);
uint32_t    mann_index_dim(const mann_index *ix);
void        mann_index_free(mann_index *ix);
/* What an index of this kind would cost, counted before anything is read. store:
 * MANN_STORE_*. "auto" names what it would choose; more than mem_bytes (0: any):
 * MANN_E_BUDGET, with *out filled all the same. */
typedef struct mann_cost {
    uint32_t struct_size;
    char     index[64];
    uint64_t vector_bytes;            /* the rows themselves, in memory and in the file */
    uint64_t build_bytes, file_bytes; /* beside them: at the peak; in the file */
    double   build_distances, query_distances;      /* evaluations of a whole distance */
    double   build_seconds, query_ms;   /* rough: one thread of a common machine */
} mann_cost;
mann_status mann_plan(const char *index, uint64_t rows, uint32_t dim, uint32_t store,
                      uint64_t mem_bytes, mann_cost *out, mann_error *err);

/* --- 8. evaluation, pictures -------------------------------------------------------- */
/* Definitions in src/eval/README.md. Shares are 0..1; NaN where nothing was counted. */
typedef struct mann_scores {
    uint32_t struct_size;
    uint64_t n_queries;                         /* counted in what follows */
    uint64_t n_self;                     /* of them, so many had their own row excluded */
    uint64_t n_lone;                            /* left out: the class has no other row */
    uint64_t n_strangers;            /* class not in the gallery: open-set figures only */
    uint64_t n_bad;                             /* left out: not decodable */
    double top1, top5, top10, mrr;              /* over distinct classes */
    double map, map_at_r, r_precision;          /* over rows */
    double ann_recall;       /* share of the exact 10 nearest rows that the index found */
    /* strangers accepted; members refused; members taken for another */
    double fpir, fnir, wrong_known;
    /* With 95 % confidence between these: drawn 1,000 times from the classes (photos of
     * one class share their references, so that they do not count as so many). */
    double top1_low, top1_high, fpir_low, fpir_high, fnir_low, fnir_high;
    /* Of the photos that are wrong at first: the model's doing, for exact search says so
     * too; and the share of all that exact search has right and the index has not. */
    double model_error, index_error;
} mann_scores;
/* One photo that was asked; strings are borrowed for the call. */
typedef struct mann_eval_query {
    const char *path, *klass;           /* of the data set; klass NULL: none */
    const char *first, *first_source;   /* best class, its nearest photo; NULL: none */
    uint32_t stranger;                  /* 1: its class is not among the references */
    uint32_t rank;      /* of the right class; 0: not counted (stranger, lone) */
    int      known;                     /* the verdict would accept the first class */
    float    score, margin;             /* of the first class */
    float    own_score;                 /* of the right class; NaN: rank is 0 */
} mann_eval_query;
typedef struct mann_eval_config {
    uint32_t struct_size;
    uint32_t refs;                        /* > 0: ignore the gallery's split; see below */
    uint32_t open_set;               /* 1: hold out a share of the classes as strangers */
    uint64_t seed;
    /* called for every photo in order, on the calling thread; may be NULL */
    void   (*each)(void *user, const mann_eval_query *q);
    void    *user;
    /* PNG files, or NULL: the worst mistakes (asked, what was found, what is right); FNIR
     * over FPIR for all thresholds (needs strangers: MANN_E_NOT_FOUND without) */
    const char *sheet_path, *curve_path;
    uint32_t n_worst;                /* on the sheet; 20 */
} mann_eval_config;
void        mann_eval_config_fill(mann_eval_config *c, size_t size);
/* refs 0: every image of `queries` is asked of the gallery, its own row (same content)
 * excluded. refs r: only the model of `g` is used: r images a class (first by path) are
 * references, the others queries, over all classes of `queries` at once. open_set: every
 * second class (drawn by seed) is taken out of the references and its images become
 * strangers. */
mann_status mann_evaluate(mann_gallery *g, const mann_dataset *queries,
                          const mann_eval_config *c, const mann_search *s, mann_pool *p,
                          const mann_hooks *h, mann_scores *out, mann_error *err);
typedef struct mann_episodes_config {
    uint32_t struct_size, episodes, way, shot, query;
    uint64_t seed;
} mann_episodes_config;
typedef struct mann_episodes_result {
    uint32_t struct_size;
    uint64_t n_episodes, n_classes, n_bad;
    double accuracy, interval95; /* +- */
} mann_episodes_result;
/* 1000 x 20-way 1-shot, 1 query a class */
void        mann_episodes_config_fill(mann_episodes_config *c, size_t size);
mann_status mann_evaluate_episodes(mann_gallery *g, const mann_dataset *set,
                                   const mann_episodes_config *c, mann_pool *p,
                                   const mann_hooks *h, mann_episodes_result *out,
                                   mann_error *err);

/* Vectors of anybody's, and the pairs that belong together: no gallery, no classes. */
typedef struct mann_retrieval_scores {
    uint32_t struct_size;
    uint64_t n_queries;                         /* with at least one right answer */
    uint64_t n_lone;                            /* without: left out */
    uint64_t n_pairs;                           /* different ones */
    double recall, precision, hit, ndcg, mrr;   /* at k, means over queries */
} mann_retrieval_scores;
/* pairs: n_pairs x {row of queries, row of base}; the same pair twice counts once. Exact
 * search, k >= 1 (more than there are rows is legal). MANN_E_LIMIT names a pair that
 * points outside. */
mann_status mann_evaluate_retrieval(mann_matrix base, mann_matrix queries,
                                    mann_metric metric, const uint64_t *pairs,
                                    size_t n_pairs, uint32_t k, mann_pool *p,
                                    const mann_hooks *h, mann_retrieval_scores *out,
                                    mann_error *err);

typedef struct mann_sheet_row {
    const char *query_path;   /* shown and read; hits' pictures come from their sources */
    const mann_hit *hits; uint32_t n_hits; mann_answer answer;
} mann_sheet_row;
/* Contact sheet: a line of pictures per query; .png, .jpg or .html by the name (HTML
 * carries its pictures). */
mann_status mann_sheet_write(mann_gallery *g, const mann_sheet_row *rows, size_t n,
                             const char *path, mann_error *err);

/* --- 9. checks ---------------------------------------------------------------------- */
/* Runs the library's own quick checks on this machine (kernels against plain C, golden
 * image -> golden vector, save -> open -> search, CRC): one note each; MANN_E_MISMATCH
 * naming the first that failed. */
mann_status mann_selftest(const mann_hooks *h, mann_error *err);
/* Does the model still answer as it did when it was finished? mann_train (and
 * mann_model_store_as, whose rounding changes the answers) keeps with a model what its
 * network made, in f32, of four pictures that anybody can draw again; they are drawn and
 * asked here. Least cosine: 0.9999 in f32, whatever the weights are stored as; a bf16
 * model, at its own precision, 0.999, an int8 model 0.98 (and both 0.9999 in f32). One
 * note per precision. MANN_E_MISMATCH names the first picture that is further away;
 * MANN_E_FORMAT, MANN_E_VERSION: what the file holds for it is damaged, or newer than
 * this library. MANN_OK and a note if there is nothing to compare (pixels; a model made
 * before there were golden vectors): mann_model_info.n_golden is 0 then. */
mann_status mann_model_selftest(const mann_model *m, const mann_hooks *h,
                                mann_error *err);

#ifdef __cplusplus
}
#endif
#endif /* METRICANN_H */
