/* commands_list.h - one row per command: all that the program knows but the code.
 * No include guard: included several times on purpose, as an enumeration, as prototypes,
 * as a table.
 *
 * COMMAND(ID, function, name, aliases, usage, least files, most files, summary, about,
 *         examples)
 *
 * A new command is one row here, its options in options_list.h, a file cmd_NAME.c with
 * `int mni_cmd_NAME(mni_cli *c)`, and that file's name in the Makefile. The order is that
 * of the overview. Aliases are separated by blanks. Files: how many arguments that are no
 * options; MANY: no upper limit. Examples: lines of command and explanation in turn.
 * SPDX-License-Identifier: MIT */
COMMAND(TRAIN, train, "train", "fit", "DATASET... [-o MODEL]", 1, MANY,
    "train an embedding model on a folder of photos",
    "DATASET is a folder with one sub-folder per class; several are mixed (--cap-set "
    "keeps a large one from drowning the others). A tenth of the classes (at "
    "least 8, at most half; none of fewer than 4) is held out and examined after every "
    "epoch, unless --val names another set or DATASET itself has the folders train and "
    "val. What is written is the model of the best epoch. Ctrl-C stops with a "
    "checkpoint, --resume goes on from the newest one of the same training.",
    "metricann train photos/ -o model.mann\n"
    "train the small network, keep checkpoints in checkpoints/\n"
    "metricann train letters/ --size 32 --augment glyph --rotations --miner hard\n"
    "characters: no mirror images, quarter turns are classes of their own\n")
COMMAND(EXTRACT, extract, "extract", "embed", "DATASET --model MODEL -o GALLERY", 1, 1,
    "turn a folder of photos into a gallery of vectors",
    "DATASET is a folder with one sub-folder per class, or a manifest with lines of "
    "path, tab, class. Every photo becomes a vector; what is written is a gallery "
    "without an index, which can be searched at once. Photos that cannot be read are "
    "skipped, told one by one and counted. If the output is there already it is "
    "continued: photos that it holds are not embedded again.",
    "metricann extract photos/ --model pixels -o vectors.mann\n"
    "embed every photo below photos/ with the built-in thumbnail model\n"
    "metricann extract photos/ --model best_model.mann -o vectors.mann --npy vectors/\n"
    "the same with a trained model, and also one vectors/CLASS/001.npy per photo\n")
COMMAND(BUILD, build, "build", "build-index", "INPUT -o GALLERY", 1, 1,
    "add the search index to a gallery, or build one from vectors",
    "INPUT is a gallery from extract, a file of vectors (.npy .fvecs .bvecs .fbin .u8bin "
    ".i8bin), or a folder of CLASS/001.npy as extract --npy writes. A folder of photos "
    "needs --model and is extracted first. Without -o a gallery is rebuilt in place.",
    "metricann build vectors.mann -o gallery.mann\n"
    "index what extract wrote; 'auto' chooses the kind of index\n"
    "metricann build base.fvecs --metric l2 -o base.mann\n"
    "a gallery of bare vectors, ids are the row numbers\n")
COMMAND(SEARCH, search, "search", "query find identify", "GALLERY [IMAGE|DIR...]",
    1, MANY,
    "say which class a photo shows, or that it is unknown",
    "Each photo is answered by its nearest classes and a verdict: known, unsure or "
    "unknown. Folders are searched for photos. --rows answers with single rows instead "
    "of classes, --vectors asks with vectors of your own.",
    "metricann search gallery.mann photo.jpg\n"
    "the five nearest classes and the verdict\n"
    "metricann search gallery.mann new/ --jsonl --sheet answers.html\n"
    "a line of JSON per photo, and a contact sheet to look at\n")
COMMAND(ADD, add, "add", "update updater insert enrol", "GALLERY [DATASET|IMAGE...]",
    1, MANY,
    "add photos, classes or vectors to a gallery",
    "With --class every IMAGE is added to that class; without it DATASET is a folder of "
    "class folders, and only photos that are not yet there are added. What was added is "
    "durable when the command returns and is found at once: nothing is rebuilt.",
    "metricann add gallery.mann --class 'red mug' mug1.jpg mug2.jpg\n"
    "a new class from two photos\n"
    "metricann add gallery.mann photos/\n"
    "everything in photos/ that the gallery does not hold yet\n")
COMMAND(REMOVE, remove, "remove", "delete rm", "GALLERY (--class NAME | --id LIST)", 1, 1,
    "remove classes or single records",
    "Removed records are never found again, from the moment the command returns; compact "
    "gives their room back. Ids are not reused.",
    "metricann remove gallery.mann --class 'red mug'\n"
    "forget a whole class\n"
    "metricann remove gallery.mann --id 17,18\n"
    "forget two records\n")
COMMAND(RELABEL, relabel, "relabel", "rename",
    "GALLERY --class NAME (--id LIST | --from NAME)", 1, 1,
    "move records to another class, or rename a class",
    "The vectors stay; only the class of the records changes. --from takes every record "
    "of a class.",
    "metricann relabel gallery.mann --id 17 --class 'blue mug'\n"
    "record 17 was filed under the wrong name\n"
    "metricann relabel gallery.mann --from mug --class cup\n"
    "rename a class\n")
COMMAND(SYNC, sync, "sync", "mirror follow", "GALLERY DATASET", 2, 2,
    "make a gallery hold what a folder of photos holds",
    "New photos are embedded and added. A file that was moved or renamed is known by its "
    "content and only gets its new path and class; one whose content changed gets a new "
    "vector. Records whose photo is nowhere any more are listed, and removed with "
    "--remove. Stopped at any photo, the next run goes on; a second run changes nothing.",
    "metricann sync gallery.mann photos/\n"
    "after photos were added, renamed or edited\n"
    "metricann sync gallery.mann photos/ --remove\n"
    "and forget those that were deleted\n")
COMMAND(COMPACT, compact, "compact", "optimize optimise vacuum", "GALLERY", 1, 1,
    "fold added records into the index, drop removed ones",
    "Rewrites the gallery in one piece: the journal is folded in, removed records are "
    "cut out and their room is given back. Readers keep what they have open.",
    "metricann compact gallery.mann\n"
    "after many changes\n"
    "metricann compact gallery.mann --json\n"
    "the same, sizes before and after as JSON\n")
COMMAND(TUNE, tune, "tune", "", "GALLERY [--recall 0.95]", 1, 1,
    "find the cheapest ef or nprobe for a recall, and keep it",
    "Asks queries (--vectors, or vectors made of stored ones) with growing ef or nprobe, "
    "compares with exact answers, and keeps the smallest value that finds the share "
    "stated. Counted, not timed: every machine chooses alike. Exit status 1 if no value "
    "reaches it.",
    "metricann tune gallery.mann --recall 0.99\n"
    "later searches find 99 % of the 10 nearest rows\n"
    "metricann tune gallery.mann --vectors asked.npy -k 1\n"
    "on queries of your own, for the single nearest\n")
COMMAND(PLAN, plan, "plan", "estimate",
    "[FILE] [--count N --dim N] [--index SPEC] [--backbone NAME]", 0, 1,
    "say what an index or a training would cost before it is begun",
    "Memory, file size, counted work and a rough time. FILE is a gallery or a file of "
    "vectors; without it --count and --dim say how many. With --mem an index that needs "
    "more is refused (exit status 6); auto chooses one that fits. With --backbone: the "
    "memory that training that network takes.",
    "metricann plan --count 1000000 --dim 128 --index HNSW16\n"
    "a million rows in a graph\n"
    "metricann plan base.fvecs --mem 64M\n"
    "what 'auto' would build within 64 MiB beside the vectors\n"
    "metricann plan --backbone mini --size 64 --batch 96\n"
    "the memory of a training\n")
COMMAND(BENCH, bench, "bench", "benchmark", "ann [--base F --queries F]", 1, 1,
    "measure kinds of index on this machine",
    "One line per kind: time to build, bytes beside the vectors, time of a query (one "
    "at a time, one thread) and recall. The first line is a plain loop over the rows. "
    "Without files 9,292 vectors of 2,048 numbers and 20 queries are made.",
    "metricann bench ann\n"
    "the usual kinds on vectors made here\n"
    "metricann bench ann --base b.fvecs --queries q.fvecs --truth t.ivecs --index "
    "HNSW32\n"
    "one kind on data of your own\n")
COMMAND(SNAPSHOT, snapshot, "snapshot", "backup", "GALLERY -o FILE", 1, 1,
    "copy a gallery as it is now, while others use it",
    "One file with everything: the journal is folded in, removed records are left out, "
    "the index comes along. Searches and readers go on meanwhile.",
    "metricann snapshot gallery.mann -o backup/monday.mann\n"
    "a copy to keep\n"
    "metricann snapshot gallery.mann -o backup/latest.mann --force\n"
    "replacing the one that was there, in one step\n")
COMMAND(RESTORE, restore, "restore", "", "SNAPSHOT -o GALLERY", 1, 1,
    "put a snapshot in the place of a gallery",
    "Every byte of the snapshot is checked before anything is written. What stood there "
    "is replaced in one step, its journal goes.",
    "metricann restore backup/monday.mann -o gallery.mann --force\n"
    "back to Monday\n"
    "metricann restore /media/stick/gallery.mann -o gallery.mann\n"
    "from another machine\n")
COMMAND(MERGE, merge, "merge", "union join", "GALLERY GALLERY... -o FILE", 2, MANY,
    "make one gallery of several of the same model",
    "Classes meet by their names. Photos that are in several (same content, same class) "
    "are taken once. Ids are kept unless they were given before.",
    "metricann merge north.mann south.mann -o all.mann\n"
    "two halves, built apart\n"
    "metricann merge shards/*.mann -o all.mann --json\n"
    "what split made\n")
COMMAND(SPLIT, split, "split", "shard", "GALLERY --shards N -o DIR", 1, 1,
    "divide a gallery into shards by class",
    "DIR/shard_001_of_004.mann and so on. The shard of a class follows from its name "
    "alone; class numbers are the same in all shards.",
    "metricann split gallery.mann --shards 4 -o shards/\n"
    "four shards\n"
    "metricann split gallery.mann --shards 2 -o shards/ --force\n"
    "replacing those that are there\n")
COMMAND(REPAIR, repair, "repair", "recover", "GALLERY -o FILE", 1, 1,
    "save what can be saved from a damaged gallery",
    "Every record that its checksums vouch for goes into a new gallery; what is derived "
    "from them is made anew. Says what was lost, and exits with status 1 then. The "
    "damaged gallery is only read. A file whose end is missing cannot be saved: "
    "what says where everything lies stands there.",
    "metricann repair gallery.mann -o saved.mann\n"
    "after verify found damage\n"
    "metricann repair gallery.mann -o saved.mann --index Flat --json\n"
    "without building a large index, counts as JSON\n")
COMMAND(EXPORT, export, "export", "dump", "GALLERY -o DIR", 1, 1,
    "write a gallery as files that every program reads",
    "DIR gets records.jsonl (id, class, path, content, time, key), vectors.npy with the "
    "same rows, labels.txt (a class a line), gallery.json, model.mann if there is one. "
    "With --since only what changed since that snapshot, for import on another machine.",
    "metricann export gallery.mann -o plain/\n"
    "everything, for other programs\n"
    "metricann export gallery.mann --since monday.mann -o delta/\n"
    "what has to be carried to a copy that is as of Monday\n")
COMMAND(IMPORT, import, "import", "load", "DIR -o GALLERY", 1, 1,
    "make a gallery of what export wrote, or bring a copy up to date",
    "A delta (export --since) is put into the gallery that is there; it is refused "
    "unless that is in the very state the delta began at, and the state at the end is "
    "checked.",
    "metricann import plain/ -o gallery.mann\n"
    "a gallery again, with the ids it had\n"
    "metricann import delta/ -o copy.mann\n"
    "the copy holds what the original holds\n")
COMMAND(EVAL, eval, "eval", "evaluate test", "GALLERY DATASET", 0, 2,
    "measure how well a gallery recognises the photos of a data set",
    "Every photo of DATASET is asked of the gallery; a photo that is itself in the "
    "gallery does not count as its own answer. With --refs only the gallery's model is "
    "used: so many photos of each class become references and the rest are asked. "
    "--episodes draws small tasks of --way classes. With --base, --queries and --truth "
    "vectors of anybody's are measured, where a query has several right answers.",
    "metricann eval gallery.mann unseen/\n"
    "accuracy, MRR, mAP and the open-set error rates\n"
    "metricann eval gallery.mann unseen/ --episodes 1000 --way 20 --shot 1 --min-recall "
    "0.9\n"
    "20-way 1-shot accuracy; exit status 1 if it is below 90 %\n"
    "metricann eval --base items.npy --queries users.npy --truth pairs.tsv -k 10\n"
    "Recall, Precision, Hit, NDCG and MRR at 10 of vectors from elsewhere\n")
COMMAND(INFO, info, "info", "stats describe", "FILE", 1, 1,
    "describe a gallery, a model, an index, packed photos or vectors", "",
    "metricann info gallery.mann\n"
    "counts, sizes, index, model and threshold\n"
    "metricann info base.fvecs --json\n"
    "rows and columns of a vector file, as JSON\n")
COMMAND(VERIFY, verify, "verify", "check fsck", "FILE", 1, 1,
    "read every byte of a gallery or a packed data set and check it",
    "Checksums, structure, links and vectors; of a packed data set every photo against "
    "its hash. Exit status 1 and a sentence if something is wrong.",
    "metricann verify gallery.mann\n"
    "after copying it from another machine\n"
    "metricann verify gallery.mann -q && echo good\n"
    "in a script\n"
    "metricann verify gallery.mann --recall 0.95\n"
    "does the index find 95 % of what an exact search finds?\n")
COMMAND(SCAN, scan, "scan", "", "DATASET", 1, 1,
    "look at a data set before using it",
    "Decodes every photo and lists those that cannot be read, with the reason; counts "
    "classes, their sizes and the sizes of the photos. Exit status 1 if there are bad "
    "photos.",
    "metricann scan photos/\n"
    "what is in there, and what is broken\n"
    "metricann scan photos/ --json > scan.json\n"
    "the same for a program\n")
COMMAND(PACK, pack, "pack", "bundle", "DATASET -o FILE", 1, 1,
    "put a folder of photos into one checked file",
    "The photos as they are, with their classes, paths, times and hashes. train, "
    "extract, build, search, add, sync, scan and eval read the file like the folder. The "
    "same folder gives the same file. Photos that cannot be read are skipped and told; "
    "then the exit status is 1.",
    "metricann pack photos/ -o photos.mann\n"
    "one file to carry away, and to check there with verify\n"
    "metricann train photos.mann -o model.mann\n"
    "without unpacking it\n")
COMMAND(UNPACK, unpack, "unpack", "unbundle", "FILE -o DIR", 1, 1,
    "write the photos of a packed data set into a folder",
    "DIR is made, or empty. Photos get their times back. Where a class does not follow "
    "from the folder, DIR/manifest.tsv says it. A file with a path that leads out of DIR "
    "is refused before anything is written.",
    "metricann unpack photos.mann -o photos/\n"
    "the folder again\n"
    "metricann unpack photos.mann -o photos/ --json\n"
    "the same, with counts as JSON\n")
COMMAND(SYNTH, synth, "synth", "synthesise synthesize generate", "-o DIR", 0, 0,
    "draw a procedural data set of toy-like objects",
    "Writes DIR/class_000001/view_01.png and so on. The picture is a function of seed, "
    "class and view alone, so that any slice of any size can be drawn on any machine.",
    "metricann synth -o toys --classes 100 --views 6\n"
    "600 pictures under all conditions\n"
    "metricann synth -o easy --conditions pose,light --strength 0.3 --first-view 7\n"
    "views 7 to 12 of the same objects, only turned and lit a little\n")
COMMAND(AUGMENT, augment, "augment", "aug", "DATASET -o DIR", 1, 1,
    "write a data set with changed copies of every photo beside it",
    "DIR gets every photo as it is and --copies changed ones: NAME_1, NAME_2, ... The "
    "copies are a function of the photo, its path and the seed; train makes such changes "
    "by itself, on the fly. JPEG stays JPEG, everything else becomes PNG; what stands "
    "before a transparent background gets another one.",
    "metricann augment photos/ -o more/ --copies 100\n"
    "a hundred copies of each, under all changes\n"
    "metricann augment photos/ -o dark/ --copies 5 --only light,occlusion,crop\n"
    "other light, a part hidden and a part shown, in every copy\n")
COMMAND(CONVERT, convert, "convert", "", "INPUT -o OUTPUT", 1, 1,
    "convert vectors between file formats, or take them out of a gallery",
    "The format follows the file name: .npy .fvecs .bvecs .fbin .u8bin .i8bin; with "
    "--integers .npy .ivecs .ibin. INPUT may be a gallery: then --ids and --labels write "
    "the ids and a table of id, class and source beside the vectors. A model "
    "becomes a model (-o NAME.mann), with --store f16 of half the size.",
    "metricann convert base.fvecs -o base.npy\n"
    "for numpy\n"
    "metricann convert gallery.mann -o vectors.npy --ids ids.npy --labels labels.tsv\n"
    "everything a gallery knows, for another program\n")
COMMAND(SELFTEST, selftest, "selftest", "self-test", "[MODEL...]", 0, MANY,
    "check the program, and models, on this machine",
    "Fast code against plain code, a known picture against its known vector, save and "
    "open, checksums. A MODEL must make of its golden pictures what it made of them when "
    "it was trained (cosine 0.9999; at int8 0.98, at bf16 0.999). A model without golden "
    "vectors gets them from convert. Exit status 1 if a check fails.",
    "metricann selftest\n"
    "on a new kind of machine\n"
    "metricann selftest model.mann\n"
    "does it answer here as it did where it was trained?\n"
    "METRICANN_SIMD=scalar metricann selftest -v\n"
    "without vector instructions, and with every check named\n")
COMMAND(HELP, help, "help", "", "[COMMAND]", 0, 1,
    "explain a command; manual page, shell completions", "",
    "metricann help search\n"
    "the options of search\n"
    "metricann help --man > metricann.1\n"
    "the manual page (roff)\n")
COMMAND(VERSION, version, "version", "", "", 0, 0,
    "print the version and the instruction set in use", "",
    "metricann version\n"
    "version, instruction set, cores\n"
    "metricann version --json\n"
    "the same as JSON\n")
