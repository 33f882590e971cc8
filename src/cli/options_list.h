/* options_list.h - one row per option: every spelling, default and range of the program.
 * No include guard: included twice on purpose, as an enumeration and as a table.
 *
 * OPTION(ID, name, letter, kind, values, default, low, high, commands, aliases, help)
 * OPTION_AGAIN(...): the same ID, with another meaning in other commands.
 *
 * kind      FLAG, U32, U64, FLOAT, SIZE, STRING, PATH, CHOICE, LIST (commas), MANY
 *           (repeat the option)
 * values    what --help calls the value; for CHOICE, and LIST with '|':
 *           "name=spelling=spelling|name|..."
 * default   as one would type it; "" = none, or decided elsewhere (the help says by whom)
 * low, high range of a number, or of the items of a LIST if high > 0; both 0: no limits
 * commands  mask: C(SEARCH) | C(EVAL), or ALL; rows of one ID must not share a command
 * aliases   separated by blanks. '_' equals '-', and case does not matter in names of two
 *           letters or more: efSearch needs "efsearch", num_workers "num-workers"
 * SPDX-License-Identifier: MIT */

/* --- files -------------------------------------------------------------------------- */
OPTION(OUTPUT, "output", 'o', PATH, "FILE", "", 0, 0, C(EXTRACT) | C(BUILD),
    "out output-file out-file gallery-out index-out",
    "the gallery to write")
OPTION_AGAIN(OUTPUT, "output", 'o', PATH, "FILES", "", 0, 0, C(SEARCH), "output-file",
    "with --vectors: file of ids, comma, file of distances (ids.npy,dist.npy)")
OPTION_AGAIN(OUTPUT, "output", 'o', PATH, "DIR", "", 0, 0, C(SYNTH),
    "out out-dir output-dir",
    "folder to draw into; made if it is not there")
OPTION_AGAIN(OUTPUT, "output", 'o', PATH, "DIR", "", 0, 0, C(AUGMENT),
    "out out-dir output-dir",
    "folder for photos and copies; made if it is not there")
OPTION_AGAIN(OUTPUT, "output", 'o', PATH, "FILE", "", 0, 0, C(CONVERT), "out output-file",
    "file to write; its name says the format")
OPTION_AGAIN(OUTPUT, "output", 'o', PATH, "FILE", "", 0, 0,
    C(SNAPSHOT) | C(RESTORE) | C(MERGE) | C(REPAIR), "out output-file",
    "the gallery to write")
OPTION_AGAIN(OUTPUT, "output", 'o', PATH, "DIR", "", 0, 0, C(EXPORT), "out out-dir",
    "folder for the files; made if it is not there")
OPTION_AGAIN(OUTPUT, "output", 'o', PATH, "GALLERY", "", 0, 0, C(IMPORT),
    "out output-file", "the gallery to make, or to bring up to date")
OPTION_AGAIN(OUTPUT, "output", 'o', PATH, "FILE", "", 0, 0, C(PACK), "out output-file",
    "the file to write")
OPTION_AGAIN(OUTPUT, "output", 'o', PATH, "DIR", "", 0, 0, C(UNPACK), "out out-dir",
    "folder for the photos; made if it is not there")
OPTION_AGAIN(OUTPUT, "output", 'o', PATH, "DIR", "", 0, 0, C(SPLIT), "out out-dir",
    "folder for the shards; made if it is not there")
OPTION_AGAIN(OUTPUT, "output", 'o', PATH, "FILE", "final_model.mann", 0, 0, C(TRAIN),
    "out output-file model-out save-path",
    "the model to write")
OPTION(MODEL, "model", 'm', PATH, "MODEL", "", 0, 0,
    C(EXTRACT) | C(BUILD) | C(SEARCH) | C(ADD) | C(SYNC) | C(EVAL) | C(IMPORT),
    "weights checkpoint model-path model-file",
    "a model file, or 'pixels' for the built-in thumbnail model; not needed where the "
    "gallery has its own")
OPTION(PRECISION, "precision", 0, CHOICE, "f32=float32=fp32|bf16=bfloat16|int8=i8", "f32",
    0, 0, C(EXTRACT) | C(BUILD) | C(SEARCH) | C(ADD) | C(EVAL) | C(CONVERT),
    "compute inference-dtype",
    "what the network computes with; a gallery keeps to the one it was made with (and "
    "uses it unasked)")
OPTION(GALLERY, "gallery", 0, PATH, "GALLERY", "", 0, 0,
    C(SEARCH) | C(ADD) | C(REMOVE) | C(RELABEL) | C(COMPACT) | C(SYNC) | C(EVAL) |
        C(VERIFY) | C(TUNE),
    "db database index-file index-path",
    "the gallery, instead of naming it as the first file")
OPTION(DATA, "data", 0, MANY, "PATH", "", 0, 0,
    C(EXTRACT) | C(ADD) | C(EVAL) | C(SCAN),
    "dataset data-dir data-path new-data val-data image images input",
    "a data set or photo, instead of naming it after the gallery")
OPTION_AGAIN(DATA, "data", 0, MANY, "PATH", "", 0, 0, C(AUGMENT),
    "dataset data-dir data-path images input",
    "the data set, instead of naming it without an option")
OPTION_AGAIN(DATA, "data", 0, MANY, "PATH", "", 0, 0, C(TRAIN),
    "dataset data-dir data-path train-data train-dir images input",
    "the data set, instead of naming it without an option")
OPTION_AGAIN(DATA, "data", 0, MANY, "PATH", "", 0, 0, C(SEARCH),
    "query query-image image images input photo",
    "a photo or folder, instead of naming it after the gallery")
OPTION(NPY, "npy", 0, PATH, "DIR", "", 0, 0, C(EXTRACT), "npy-dir features-dir",
    "also write DIR/CLASS/001.npy, one vector each, and DIR/paths.tsv")
OPTION(NO_MODEL, "no-model", 0, FLAG, "", "no", 0, 0, C(EXTRACT) | C(BUILD),
    "without-model",
    "keep only the model's fingerprint in the gallery, not the model")
OPTION(STORE, "store", 0, CHOICE, "f32=float32=float|f16=float16=half|int8=i8", "f32",
    0, 0, C(EXTRACT) | C(BUILD) | C(CONVERT) | C(PLAN), "dtype storage",
    "how vectors (convert: a model's weights) are kept")
OPTION(VECTORS, "vectors", 0, PATH, "FILE", "", 0, 0,
    C(SEARCH) | C(ADD) | C(TUNE) | C(BENCH), "query-vectors queries embeddings",
    "vectors of your own instead of photos (.npy .fvecs .bvecs .fbin ...)")
OPTION(LABELS, "labels", 0, PATH, "FILE", "", 0, 0, C(BUILD) | C(ADD),
    "class-file label-file",
    "with vectors: a text file with one class name per row")
OPTION_AGAIN(LABELS, "labels", 0, PATH, "FILE", "", 0, 0, C(CONVERT),
    "class-file label-file",
    "from a gallery: write lines of id, class, source (separated by tabs)")
OPTION(IDS, "ids", 0, PATH, "FILE", "", 0, 0, C(BUILD) | C(ADD), "id-file",
    "with vectors: a file of ids (.npy .ivecs .ibin, up to 2^24), or a text file with "
    "one key of yours per row; a row of a known id or key replaces it")
OPTION_AGAIN(IDS, "ids", 0, PATH, "FILE", "", 0, 0, C(CONVERT), "id-file",
    "from a gallery: write the ids of the rows (.npy .ivecs .ibin), or, to any other "
    "name, their keys as text, one a line")
OPTION_AGAIN(IDS, "ids", 0, PATH, "FILE", "", 0, 0, C(EVAL), "id-file item-ids base-ids",
    "names of --base's rows, one a line (or row, tab, name), as --truth uses them")
OPTION(QUERY_IDS, "query-ids", 0, PATH, "FILE", "", 0, 0, C(EVAL), "user-ids",
    "names of --queries' rows, likewise")
OPTION(BASE, "base", 0, PATH, "FILE", "", 0, 0, C(EVAL), "items item-vectors",
    "vectors to look in, instead of a gallery (.npy .fvecs .fbin ...)")
OPTION(QUERIES, "queries", 0, PATH, "FILE", "", 0, 0, C(EVAL), "users query-vectors",
    "vectors that ask")
OPTION(TRUTH, "truth", 0, PATH, "FILE", "", 0, 0, C(EVAL), "ground-truth pairs",
    "what belongs together: lines of query, tab, row; counted from 0, or names")
OPTION(INTEGERS, "integers", 0, FLAG, "", "no", 0, 0, C(CONVERT), "as-ids int",
    "write whole numbers (ids, neighbours) instead of floats")

OPTION(THUMBS, "thumbs", 0, U32, "PIXELS", "", 16, 256,
    C(EXTRACT) | C(BUILD) | C(ADD) | C(SYNC), "thumb thumbnails thumbnail-size",
    "keep a small JPEG of each photo in the gallery (96: about 2 KB), for contact sheets "
    "where the photos are not at hand")

/* --- the gallery and its index ------------------------------------------------------ */
OPTION(METRIC, "metric", 0, CHOICE,
    "cosine=cos=angular|l2=euclidean=euclid=l2sq|ip=dot=inner=inner-product=innerproduct",
    "", 0, 0,
    C(EXTRACT) | C(BUILD) | C(BENCH), "distance space similarity metric-type",
    "measure of closeness; default cosine with a model, l2 for bare vectors")
OPTION_AGAIN(METRIC, "metric", 0, CHOICE,
    "cosine=cos=angular|l2=euclidean=euclid=l2sq|ip=dot=inner=inner-product=innerproduct",
    "cosine", 0, 0, C(EVAL), "distance space similarity metric-type",
    "with --base: measure of closeness")
OPTION(INDEX, "index", 'i', STRING, "SPEC", "auto", 0, 0, C(BUILD) | C(PLAN) | C(IMPORT),
    "index-type index-spec factory index-factory",
    "kind of index: auto, Flat, SQ8, HNSW16, IVF1024,Flat, IVF1024,PQ32, "
    "IVF1024,PQ32x4fs, OPQ32,IVF1024,PQ32")
OPTION_AGAIN(INDEX, "index", 'i', MANY, "SPEC", "", 0, 0, C(BENCH),
    "index-type index-spec factory index-factory",
    "a kind to measure; may be repeated")
OPTION_AGAIN(BASE, "base", 0, PATH, "FILE", "", 0, 0, C(BENCH),
    "base-vectors database-vectors",
    "the vectors to index")
OPTION_AGAIN(TRUTH, "truth", 0, PATH, "FILE", "", 0, 0, C(BENCH),
    "ground-truth groundtruth",
    "rows of the true neighbours of each query (.ivecs .npy .ibin)")
OPTION(MEM, "mem", 0, SIZE, "SIZE", "0", 0, 0,
    C(BUILD) | C(COMPACT) | C(ADD) | C(SYNC) | C(PLAN) | C(BENCH),
    "memory mem-limit max-memory ram",
    "memory that building may take beside the vectors (64M, 2G); more is refused with "
    "exit status 6; 0: any")
OPTION_AGAIN(MEM, "mem", 0, SIZE, "SIZE", "0", 0, 0, C(TRAIN),
    "memory mem-limit max-memory ram",
    "memory that training may take (512M, 2G): fewer decoded photos are kept, and a "
    "batch that cannot fit is refused with exit status 6; 0: any")
OPTION(CACHE, "cache", 0, SIZE, "SIZE", "1G", 0, 0, C(TRAIN) | C(PLAN),
    "cache-size cache-mem",
    "decoded photos that training keeps in memory (256M, 8G); those beyond are decoded "
    "again each time, which changes no result; of --freeze body all features must fit; "
    "0: none")
OPTION(COUNT, "count", 0, U64, "N", "0", 0, 2147483647, C(PLAN), "n-rows num-rows",
    "plan for so many rows")
OPTION(RECALL, "recall", 0, FLOAT, "SHARE", "0.95", 0.01, 1, C(TUNE), "target-recall",
    "share of the k nearest rows that is to be found")
OPTION_AGAIN(RECALL, "recall", 0, FLOAT, "SHARE", "", 0.01, 1, C(VERIFY), "min-recall",
    "also ask 1,000 stored rows for their 10 nearest, by the index and exactly; exit "
    "status 1 if the index finds a smaller share")
OPTION_AGAIN(INDEX, "index", 'i', STRING, "SPEC", "", 0, 0, C(REPAIR),
    "index-type index-spec factory index-factory",
    "kind of index of the new gallery; default the one it had")
OPTION(TYPE, "type", 0, CHOICE, "flat|hnsw|ivf=ivfflat=ivf-flat|ivfpq=ivf-pq", "", 0, 0,
    C(BUILD), "kind algo algorithm",
    "the same in words, together with --M, --nlist, --pq-m")
OPTION(M, "M", 0, U32, "N", "16", 2, 256, C(BUILD),
    "connectivity hnsw-m links max-connections",
    "hnsw: links per node")
OPTION(EF_CONSTRUCTION, "ef-construction", 0, U32, "N", "200", 1, 100000, C(BUILD),
    "efconstruction ef-construct expansion-add efc",
    "hnsw: width of the search while building")
OPTION(NLIST, "nlist", 0, STRING, "N", "", 0, 0, C(BUILD),
    "nlists n-list n-lists num-clusters",
    "ivf: number of lists, or n/10: a tenth of the rows; default about 4 sqrt(rows)")
OPTION(PQ_M, "pq-m", 0, U32, "N", "32", 1, 4096, C(BUILD), "pq-parts num-subquantizers",
    "ivfpq: bytes per code")
OPTION(FAR, "far", 0, FLOAT, "RATE", "0.01", 1e-9, 0.5, C(EXTRACT) | C(BUILD),
    "false-accept false-accept-rate fpir far-target",
    "share of strangers that may be taken for somebody")
OPTION_AGAIN(FAR, "far", 0, FLOAT, "RATE", "", 1e-9, 0.5, C(SEARCH) | C(EVAL),
    "false-accept false-accept-rate fpir far-target",
    "share of strangers that may be taken for somebody; default the gallery's")

OPTION(PHOTO_VIEWS, "views", 0, LIST, "none|flip=mirror|zoom|corners=crops|turns|all",
    "none",
    0, 0, C(EXTRACT) | C(BUILD), "tta test-time-augmentation",
    "look at each photo several times, now and whenever it is asked: the mean of the "
    "photo, mirrored, its middle, its corners (all: these), 2 to 12 embeddings; turns: "
    "all that in four quarter turns side by side, four times the embeddings and numbers")

/* --- asking ------------------------------------------------------------------------- */
OPTION(K, "k", 'k', U32, "N", "5", 1, 1000000, C(SEARCH),
    "top-k topk n-neighbors neighbors limit num-results",
    "how many classes (or rows) to answer")
OPTION_AGAIN(K, "k", 'k', U32, "N", "10", 1, 4096, C(TUNE) | C(BENCH),
    "top-k topk n-neighbors neighbors limit",
    "how many nearest rows are asked for")
OPTION_AGAIN(K, "k", 'k', U32, "N", "10", 1, 1000000, C(EVAL),
    "top-k topk n-neighbors neighbors limit",
    "how many classes to ask for")
OPTION(ROWS, "rows", 0, FLAG, "", "no", 0, 0, C(SEARCH), "rows-only no-group",
    "answer with the nearest rows, whatever their class")
OPTION(WITHIN, "within", 0, FLOAT, "D", "", 0, 0, C(SEARCH),
    "range radius max-distance",
    "answer with all rows within this distance (at most -k, or 65,536)")
OPTION(CHANGES, "only", 0, LIST,
    "all|light=lighting|colour=color|occlusion=occlude|crop=part|scale|rotation=rotate|"
    "blur|jpeg|background=bg|flip=mirror|noise=grain",
    "all", 0, 0, C(AUGMENT), "changes",
    "these changes, each in every copy; all: each now and then")
OPTION(COPIES, "copies", 0, U32, "N", "10", 1, 100000, C(AUGMENT),
    "n-copies num-copies n-aug multiplier",
    "copies of each photo")
OPTION(ONLY, "only", 0, MANY, "CLASS", "", 0, 0, C(SEARCH), "filter-class in-class",
    "consider this class only; may be repeated")
OPTION(EF, "ef", 0, U32, "N", "", 1, 1000000, C(SEARCH) | C(EVAL) | C(BENCH),
    "efsearch ef-search expansion-search num-candidates",
    "hnsw: width of the search; default as tuned, or max(64, 2k)")
OPTION(NPROBE, "nprobe", 0, U32, "N", "", 1, 16777216, C(SEARCH) | C(EVAL) | C(BENCH),
    "n-probe nprobes probes",
    "ivf: lists to look into; default measured at build time")
OPTION(AGGREGATE, "aggregate", 0, CHOICE,
    "blend|max=best|mean=average=avg|vote=majority|prototype=centroid=proto",
    "blend", 0, 0,
    C(SEARCH) | C(EVAL), "aggregation pooling",
    "how the rows of a class speak for it; blend: half the nearest row, half their "
    "mean")
OPTION(BEST_M, "best-m", 0, U32, "N", "", 1, 1000000, C(SEARCH) | C(EVAL), "best",
    "mean: of the best N rows of a class; vote: of the N nearest rows")
OPTION(MARGIN, "margin", 0, FLOAT, "X", "0.01", 0, 2, C(SEARCH) | C(EVAL), "min-margin",
    "'known' needs this lead over the second class")
OPTION(TIGHTEN, "tighten", 0, FLAG, "", "no", 0, 0, C(SEARCH) | C(EVAL),
    "tight strict look-alikes lookalikes",
    "'known' needs also to be nearer to the reference than its look-alike of another "
    "class is; stricter, never laxer")
OPTION_AGAIN(MARGIN, "margin", 0, FLOAT, "X", "", 1e-6, 2, C(TRAIN), "triplet-margin",
    "how much farther the unlike must be than the like; default the loss's own: 0.2, "
    "contrastive 1, arcface 0.3 (radians), proxy-anchor 0.1")
OPTION(SHEET, "sheet", 0, PATH, "FILE", "", 0, 0, C(SEARCH), "contact-sheet html png",
    "contact sheet of queries and hits: F.png, F.jpg or F.html")
OPTION(OUT_DIR, "out", 0, PATH, "DIR", "", 0, 0, C(SEARCH),
    "out-dir output-dir results-dir",
    "write DIR/batch_search_results.json and a contact sheet PNG per query")
OPTION(BATCH, "batch", 0, U32, "N", "64", 1, 65536, C(SEARCH), "batch-size bs",
    "photos embedded together; answers do not depend on it")
OPTION_AGAIN(BATCH, "batch", 0, U32, "N", "", 4, 65536, C(TRAIN) | C(PLAN),
    "batch-size bs",
    "images in a batch, in place of --classes-per-batch")
OPTION_AGAIN(BATCH, "batch", 0, U32, "N", "64", 1, 65536, C(EXTRACT) | C(ADD) | C(EVAL),
    "batch-size bs",
    "accepted for scripts; chosen by the library, results do not depend on it")

/* --- changing ----------------------------------------------------------------------- */
OPTION(CLASS, "class", 'c', STRING, "NAME", "", 0, 0, C(ADD), "label class-name",
    "the class that the photos or vectors belong to")
OPTION_AGAIN(CLASS, "class", 'c', MANY, "NAME", "", 0, 0, C(REMOVE), "label class-name",
    "remove this class; may be repeated")
OPTION_AGAIN(CLASS, "class", 'c', STRING, "NAME", "", 0, 0, C(RELABEL),
    "to label class-name new-class",
    "the class that the records get")
OPTION(FROM, "from", 0, STRING, "NAME", "", 0, 0, C(RELABEL), "old-class",
    "take every record of this class")
OPTION(ID, "id", 0, LIST, "ID,...", "", 0, 0, C(REMOVE) | C(RELABEL),
    "row-id record",
    "ids of records, separated by commas; what is no whole number is a key")
OPTION(KEY, "key", 0, MANY, "KEY", "", 0, 0, C(REMOVE) | C(RELABEL),
    "record-key string-id",
    "the record with this key, also if it looks like a number; may be repeated")

OPTION(SYNC, "sync", 0, CHOICE, "on=yes=full|off=no", "on", 0, 0,
    C(ADD) | C(BUILD) | C(SYNC) | C(IMPORT) | C(EXTRACT), "fsync durable",
    "off: wait for the disk once, at the end, not for every group: faster loads; a power "
    "cut meanwhile may take the last groups with it, never the file")

/* --- measuring ---------------------------------------------------------------------- */
OPTION(REFS, "refs", 0, U32, "N", "", 1, 1000000, C(EVAL), "references n-refs",
    "use N photos of each class as references and ask the others; ignores what the "
    "gallery holds")
OPTION(OPEN_SET, "open-set", 0, FLAG, "", "no", 0, 0, C(EVAL), "open strangers",
    "hold out every second class as strangers and measure how they are refused")
OPTION(EPISODES, "episodes", 0, U32, "N", "", 1, 10000000, C(EVAL), "n-episodes",
    "draw N small tasks instead: --way classes with --shot references each")
OPTION(WAY, "way", 0, U32, "N", "20", 2, 1000000, C(EVAL), "n-way ways",
    "episodes: classes in a task")
OPTION(SHOT, "shot", 0, U32, "N", "1", 1, 1000, C(EVAL), "n-shot shots k-shot",
    "episodes: references of a class")
OPTION(QUERY, "query", 0, U32, "N", "1", 1, 1000, C(EVAL), "n-query query-per-class",
    "episodes: photos asked of a class")
OPTION_AGAIN(SHEET, "sheet", 0, PATH, "FILE", "", 0, 0, C(EVAL), "contact-sheet worst",
    "contact sheet of the worst mistakes (F.png): asked, found, right")
OPTION(CURVE, "curve", 0, PATH, "FILE", "", 0, 0, C(EVAL), "det roc det-curve",
    "with strangers: draw FNIR over FPIR for all thresholds (F.png)")
OPTION(BY, "by", 0, CHOICE, "class|condition=folder", "", 0, 0, C(EVAL),
    "breakdown group-by",
    "also a line for each class, the worst first; or for each folder below the class "
    "(CLASS/CONDITION/photo, as synth --each draws)")
OPTION(EACH, "each", 0, FLAG, "", "no", 0, 0, C(SYNTH), "per-condition",
    "draw the views once for each condition alone, in CLASS/CONDITION/")
OPTION(MIN_RECALL, "min-recall", 0, FLOAT, "X", "", 0, 1, C(EVAL),
    "min-accuracy fail-under",
    "exit status 1 if Recall@1 (episodes: accuracy) is below this share")

/* --- drawing ------------------------------------------------------------------------ */
OPTION(CLASSES, "classes", 0, U32, "N", "100", 1, 10000000, C(SYNTH),
    "n-classes num-classes", "how many objects")
OPTION_AGAIN(CLASSES, "classes", 0, U32, "N", "0", 0, 4294967295.0, C(PLAN),
    "n-classes num-classes", "training: so many classes, of a loss with a point of each")
OPTION(VIEWS, "views", 0, U32, "N", "6", 1, 1000000, C(SYNTH),
    "n-views num-views images-per-class",
    "pictures of each")
OPTION(SIZE, "size", 0, U32, "PIXELS", "96", 8, 1024, C(SYNTH),
    "image-size img-size resolution",
    "width and height")
OPTION_AGAIN(SIZE, "size", 0, U32, "PIXELS", "", 8, 1024, C(TRAIN) | C(PLAN),
    "image-size img-size resolution input-size",
    "side of the network's input; default the backbone's own (mini 64, resnet 224)")
OPTION_AGAIN(SIZE, "size", 0, U32, "PIXELS", "0", 0, 65535, C(AUGMENT),
    "image-size img-size max-side resize",
    "longest side of the copies; 0: that of the photo")
OPTION(CONDITIONS, "conditions", 0, LIST,
    "all|none|pose|light=lighting|background=bg|scale|crop|occlusion=occlude|blur|noise",
    "all", 0, 0, C(SYNTH),
    "condition", "what differs between views")
OPTION(STRENGTH, "strength", 0, FLOAT, "X", "1", 0, 1, C(SYNTH) | C(AUGMENT),
    "difficulty", "how much it differs")
OPTION(FIRST_CLASS, "first-class", 0, U64, "N", "1", 0, 1e15, C(SYNTH), "class-offset",
    "number of the first object")
OPTION(FIRST_VIEW, "first-view", 0, U64, "N", "1", 0, 1e15, C(SYNTH), "view-offset",
    "number of the first view")
OPTION(SEED, "seed", 0, U64, "N", "1", 0, 0,
    C(TRAIN) | C(EXTRACT) | C(BUILD) | C(EVAL) | C(SYNTH) | C(AUGMENT),
    "random-seed random-state",
    "same seed, same result")

/* --- training ----------------------------------------------------------------------- */
OPTION(VAL, "val", 0, PATH, "DATASET", "", 0, 0, C(TRAIN),
    "validation val-data val-dir validation-data",
    "examine with these classes; default some of DATASET's, held out")
OPTION(VAL_SHARE, "val-share", 0, FLOAT, "X", "0.1", 0.001, 0.9, C(TRAIN),
    "val-split validation-split",
    "share of the classes that is held out; at least 8 classes, at most half of them")
OPTION(BACKBONE, "backbone", 0, CHOICE, "micro|mini|small|resnet18|resnet34|resnet50",
       "mini", 0, 0,
    C(TRAIN) | C(PLAN), "arch architecture network",
    "the network to train; plan: say what training it would take")
OPTION(DIM, "dim", 0, U32, "N", "", 1, 16384, C(TRAIN), "embedding-dim embed-dim emb-dim",
    "numbers in a vector; default the backbone's own (mini 128, resnet 512)")
OPTION_AGAIN(DIM, "dim", 0, U32, "N", "0", 0, 1048576, C(PLAN), "d dimension",
    "numbers in a vector")
OPTION(LOSS, "loss", 0, CHOICE,
    "triplet|contrastive|supcon=sup-con=infonce|npair=n-pair=n-pairs|"
    "softmax=norm-softmax=normface|cosface=cos-face|arcface=arc-face|"
    "proxy-anchor=proxyanchor", "triplet", 0, 0,
    C(TRAIN) | C(PLAN), "loss-type criterion",
    "what is to become small; triplet looks at three images, contrastive at two, npair "
    "at one of each class, supcon at the whole batch, the others at a learned point of "
    "every class")
OPTION(PROXIES, "proxies", 0, U32, "N", "0", 0, 4294967295.0, C(TRAIN) | C(PLAN),
    "proxy-sample sample-classes",
    "softmax to proxy-anchor: classes that take part in a step, those of the batch and "
    "a sample of the others; 0: all")
OPTION(PROXY_LR, "proxy-lr", 0, FLOAT, "X", "", 1e-9, 1000, C(TRAIN), "proxy-rate",
    "highest learning rate of the classes' points; default that of --lr")
OPTION(MINER, "miner", 0, CHOICE, "semi=semi-hard=semihard|hard=batch-hard|random",
       "semi",
    0, 0, C(TRAIN), "mining", "triplet: which unlike image is compared")
OPTION(HARD_CLASSES, "hard-classes", 0, U32, "N", "1", 1, 64, C(TRAIN),
    "ann-miner class-groups",
    "make batches of groups of N classes that look alike, found once an epoch by an "
    "index over all classes; 1: by lot")
OPTION(SOFT_MARGIN, "soft-margin", 0, FLAG, "", "no", 0, 0, C(TRAIN), "",
    "triplet: log(1 + exp) in place of a margin")
OPTION(TEMPERATURE, "temperature", 0, FLOAT, "X", "", 0.001, 100, C(TRAIN), "tau",
    "how sharply losses but triplet and contrastive look at the nearest (1 / scale); "
    "default the loss's own: 0.1, softmax to arcface 0.05, proxy-anchor 1/32")
OPTION(EPOCHS, "epochs", 0, U32, "N", "50", 1, 1048576, C(TRAIN), "n-epochs num-epochs",
    "most epochs")
OPTION(STEPS_PER_EPOCH, "steps-per-epoch", 0, U32, "N", "", 1, 16777216, C(TRAIN),
    "steps iterations-per-epoch",
    "batches in an epoch; default as many as show every image once")
OPTION(PATIENCE, "patience", 0, U32, "N", "5", 1, 1048576, C(TRAIN), "early-stopping",
    "stop after so many epochs without progress")
OPTION(MONITOR, "monitor", 0, CHOICE, "recall=recall@1|loss=val-loss", "recall", 0, 0,
    C(TRAIN), "metric-for-best", "what progress is measured by, on the held-out classes")
OPTION(LR, "lr", 0, FLOAT, "X", "0.1", 1e-9, 1000, C(TRAIN), "learning-rate rate",
    "highest learning rate; warm-up before, half a cosine after")
OPTION(MOMENTUM, "momentum", 0, FLOAT, "X", "0.9", 0, 0.9999, C(TRAIN), "",
    "of the gradient descent (Nesterov)")
OPTION(WEIGHT_DECAY, "weight-decay", 0, FLOAT, "X", "0.0005", 0, 1, C(TRAIN), "wd",
    "pull of the weights to 0")
OPTION(CLIP, "clip", 0, FLOAT, "X", "0", 0, 1e9, C(TRAIN), "clip-norm grad-clip",
    "longest gradient; 0: any")
OPTION(EMA, "ema", 0, FLOAT, "X", "0", 0, 0.999999, C(TRAIN), "ema-decay model-ema",
    "examine and keep the running mean of the weights, this share of it the old mean, "
    "0.999 say; 0: the weights themselves")
OPTION(FIRST_SIZE, "first-size", 0, U32, "PIXELS", "0", 0, 1023, C(TRAIN),
    "progressive-size small-size",
    "show the first part of the steps smaller pictures, of so many pixels a side: these "
    "steps are cheaper; 0: none")
OPTION(FIRST_SHARE, "first-share", 0, FLOAT, "X", "0.5", 0.001, 1, C(TRAIN), "",
    "the share of the steps that --first-size is for")
OPTION(WARMUP, "warmup", 0, U32, "N", "", 1, 16777216, C(TRAIN), "warmup-steps",
    "steps in which the rate climbs; default 200, at most a tenth of all")
OPTION(CLASSES_PER_BATCH, "classes-per-batch", 'P', U32, "N", "24", 2, 32768,
       C(TRAIN) | C(PLAN), "",
    "classes in a batch")
OPTION(IMAGES_PER_CLASS, "images-per-class", 'K', U32, "N", "4", 2, 32768,
       C(TRAIN) | C(PLAN), "",
    "images of each")
OPTION(CAP_CLASS, "cap-class", 0, U32, "N", "0", 0, 4294967295.0, C(TRAIN),
    "max-per-class max-images-per-class",
    "an epoch counts a class as at most N images; which ones goes round; 0: as it has")
OPTION(CAP_SET, "cap-set", 0, U32, "N", "0", 0, 4294967295.0, C(TRAIN), "max-per-set",
    "of each DATASET N classes at a time are mixed in, others the next; 0: all")
OPTION(AUGMENT, "augment", 0, CHOICE, "all|glyph|photo|strong|none=no=off", "all", 0, 0,
       C(TRAIN),
    "augmentation aug",
    "changes that images go through: glyph moves and turns a little, photo also mirrors, "
    "lights, blurs and hides parts, all also puts others behind transparency, strong "
    "also shows parts, shadows, grain and JPEG damage")
OPTION(PREVIEW, "preview", 0, PATH, "FILE", "", 0, 0, C(TRAIN), "preview-sheet",
    "draw what the augmentation makes of some photos (F.png, F.jpg), and stop")
OPTION(FREEZE, "freeze", 0, CHOICE, "nothing=none|body=backbone", "nothing", 0, 0,
    C(TRAIN), "head-only linear-probe",
    "with --from: body: only the last layer learns, from features that are computed once")
OPTION(HEAD_COPIES, "head-copies", 0, U32, "N", "8", 1, 1000, C(TRAIN), "",
    "freeze: augmented copies of each photo")
OPTION_AGAIN(FROM, "from", 0, PATH, "MODEL", "", 0, 0, C(TRAIN),
    "init pretrained start-from weights",
    "go on from the weights of this model, in place of --backbone, --size and --dim")
OPTION(ROTATIONS, "rotations", 0, FLAG, "", "no", 0, 0, C(TRAIN), "",
    "the quarter turns of a class are three more classes")
OPTION(MIRRORS, "mirrors", 0, FLAG, "", "no", 0, 0, C(TRAIN), "",
    "the same of its mirror image: --rotations, and four more classes")
OPTION(CKPT_DIR, "ckpt-dir", 0, PATH, "DIR", "checkpoints", 0, 0, C(TRAIN),
    "checkpoint-dir checkpoints save-dir",
    "folder of ckpt_epoch*.mann, best_model.mann, train_log.jsonl and curves.png")
OPTION(KEEP, "keep", 0, U32, "N", "3", 1, 4294967295.0, C(TRAIN), "keep-checkpoints",
    "newest checkpoints that stay")
OPTION(RESUME, "resume", 0, FLAG, "", "no", 0, 0, C(TRAIN), "continue",
    "go on from the newest checkpoint in --ckpt-dir, with the same settings")
OPTION(REMOVE, "remove", 0, FLAG, "", "no", 0, 0, C(SYNC), "delete prune",
    "remove records whose photo is nowhere any more; not while a folder that photos came "
    "from is away")
OPTION(FORCE, "force", 'f', FLAG, "", "no", 0, 0, C(SYNC), "",
    "with --remove: also while such a folder is away")
OPTION_AGAIN(FORCE, "force", 'f', FLAG, "", "no", 0, 0,
    C(SNAPSHOT) | C(RESTORE) | C(MERGE) | C(SPLIT) | C(PACK), "overwrite",
    "replace what is there")
OPTION_AGAIN(FORCE, "force", 'f', FLAG, "", "no", 0, 0, C(IMPORT), "",
    "put a delta into a gallery in another state: an import that was interrupted")
OPTION(SINCE, "since", 0, PATH, "SNAPSHOT", "", 0, 0, C(EXPORT), "base-snapshot from",
    "only what changed since this snapshot")
OPTION(SHARDS, "shards", 0, U32, "N", "2", 1, 4096, C(SPLIT), "parts n-shards",
    "how many shards")
OPTION(AFRESH, "afresh", 0, FLAG, "", "no", 0, 0, C(TRAIN), "overwrite restart",
    "throw away the checkpoints in --ckpt-dir and begin anew")

/* --- help --------------------------------------------------------------------------- */
OPTION(MAN, "man", 0, FLAG, "", "no", 0, 0, C(HELP), "", "print the manual page (roff)")
OPTION(COMPLETION, "completion", 0, CHOICE, "bash|zsh|fish", "", 0, 0, C(HELP),
    "completions",
    "print the completion script of a shell")

/* --- every command ------------------------------------------------------------------ */
OPTION(THREADS, "threads", 'j', U32, "N", "0", 0, 1024, ALL,
    "num-threads n-threads nthreads num-workers workers n-jobs jobs",
    "threads to use; 0 = all cores")
OPTION(JSON, "json", 0, FLAG, "", "no", 0, 0, ALL, "", "answer as one JSON document")
OPTION(JSONL, "jsonl", 0, FLAG, "", "no", 0, 0, ALL, "ndjson json-lines",
    "answer as JSON, one line per query")
OPTION(QUIET, "quiet", 'q', FLAG, "", "no", 0, 0, ALL, "silent",
    "no progress, no remarks; warnings stay")
OPTION(VERBOSE, "verbose", 'v', FLAG, "", "no", 0, 0, ALL, "",
    "more remarks, and the time of each phase")
OPTION(LOG, "log", 0, PATH, "FILE", "", 0, 0, ALL, "log-file logfile",
    "write remarks, progress and phases as JSON lines")
OPTION(CONFIG, "config", 0, PATH, "FILE", "", 0, 0, ALL, "config-file cfg",
    "read 'option = value' lines; the command line goes first")
OPTION(PRINT_CONFIG, "print-config", 0, FLAG, "", "no", 0, 0, ALL, "show-config",
    "print the settings in force, as --config reads them, and stop")
OPTION(SHOW_HELP, "help", 'h', FLAG, "", "no", 0, 0, ALL, "usage", "print this")
