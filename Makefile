# MetricANN - needs cc, make and nothing else. Works with GNU make and BSD make.
#
#: make                  the program ./metricann and the library libmetricann.a
#: make test             every fast test
#: make test-slow        every test
#: make check            lint, test, test-kern, test-san: what a committer runs
#: make lint             layers, lengths, banned calls, exported names, the public header alone
#: make test-kern        the kernels at every instruction set of this machine
#: make test-san         the tests with AddressSanitizer and UndefinedBehaviorSanitizer
#: make test-tsan        the tests with ThreadSanitizer
#: make test-crash       the gallery under power cuts, failing disks and SIGKILL, five seeds
#: make cover            which share of each file the fast tests run (gcc)
#: make demo             the main job on drawn photos, in under a minute
#: make bench            measurements as CSV; bench-kern: of the kernels alone;
#:                       bench-peers: beside other libraries, where they are installed
#: make install          below $(DESTDIR)$(PREFIX); uninstall takes it away again
#: make dist             dist/metricann-VERSION.tar.gz of the last commit
#: make clean            removes all that was built
#:
#: Switches: CC=clang  CFLAGS=-O2  LDFLAGS=...  PREFIX=/usr/local  DESTDIR=
#:           BLAS=1 uses OpenBLAS; STB=1 uses stb_image.h (third_party/stb/README.md)
#: Static:   make CC=musl-gcc LDFLAGS=-static
#: Several jobs at once: make -j4 test
#
# Lists are written out: one block per room of the house (src/README.md), lower rooms first.

.SUFFIXES: .c .o .san .tsan .cov .fuz

CC      = cc
AR      = ar
CFLAGS  = -O3 -g
LDFLAGS =
WARN    = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef
PREFIX  = /usr/local
DESTDIR =
BLAS    = 0
STB     = 0

# Switches without conditionals: $(BLAS_$(BLAS)) is BLAS_1 after `make BLAS=1`.
BLAS_1     = -DMNI_BLAS
BLAS_LIB_1 = -lopenblas
STB_1      = -DMNI_STB -Ithird_party/stb -I/usr/include/stb

BASE_C = -std=c11 -ffp-contract=off $(WARN) $(BLAS_$(BLAS)) $(STB_$(STB)) -Iinclude -Isrc
ALL_C  = $(BASE_C) $(CFLAGS)
LIBS   = $(BLAS_LIB_$(BLAS)) -lpthread -lm

# The same sources once more with a checker inside. Their objects end in .san .tsan .cov instead of .o,
# so that objects of two sets of flags never meet.
SAN_C  = $(BASE_C) -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
TSAN_C = $(BASE_C) -O1 -g -fsanitize=thread
COV_C  = $(BASE_C) -O0 -g --coverage

# --- L0 base: pure C11 -------------------------------------------------------------------------------
BASE = src/base/status.c src/base/mem.c src/base/arena.c src/base/rng.c src/base/topk.c \
	src/base/visited.c src/base/idmap.c src/base/bytes.c src/base/text.c src/base/json_write.c \
	src/base/json_read.c src/base/dtype.c

# --- L1 os: the only POSIX ------------------------------------------------------------------------------
OS = src/os/vfs.c src/os/vfs_posix.c src/os/vfs_mem.c src/os/vfs_mem_cut.c src/os/vfs_faulty.c src/os/thread.c \
	src/os/pool.c src/os/try.c src/os/huge.c src/os/pages.c src/os/cpu.c src/os/proc.c src/os/clock.c src/os/term.c

# --- L2 kern: the only intrinsics --------------------------------------------------------------------------
KERN = src/kern/crc32c.c src/kern/dist_c.c src/kern/dist_avx2.c src/kern/dist_avx512.c \
	src/kern/dist_neon.c src/kern/kern_dist.c src/kern/gemm.c src/kern/gemm_c.c \
	src/kern/gemm_avx2.c src/kern/gemm_avx512.c src/kern/gemm_neon.c src/kern/kern_nn.c \
	src/kern/ew.c src/kern/kern_img.c src/kern/resize_avx2.c src/kern/resize_avx512.c \
	src/kern/resize_neon.c src/kern/kern_low.c src/kern/low_avx2.c src/kern/low_avx512.c \
	src/kern/low_neon.c \
	src/kern/conv_pack.c src/kern/conv_c.c src/kern/conv_avx2.c src/kern/conv_avx512.c \
	src/kern/conv_neon.c src/kern/conv_grad_neon.c \
	src/kern/kern_conv.c src/kern/conv_wino.c src/kern/conv_rule.c src/kern/wino_grad.c \
	src/kern/conv_grad.c src/kern/conv_grad_c.c src/kern/conv_grad_avx2.c \
	src/kern/conv_grad_avx512.c src/kern/norm_blocks.c src/kern/kern_png.c \
	src/kern/png_c.c src/kern/png_avx2.c src/kern/png_neon.c \
	src/kern/jpeg_c.c src/kern/jpeg_avx2.c src/kern/jpeg_neon.c src/kern/kern_jpeg.c \
	src/kern/i8_c.c src/kern/i8_avx2.c src/kern/i8_avx512.c src/kern/i8_neon.c \
	src/kern/code_c.c src/kern/code_avx2.c src/kern/code_avx512.c src/kern/code_vnni.c \
	src/kern/code_neon.c \
	src/kern/pq_c.c src/kern/pq_avx2.c src/kern/pq_avx512.c src/kern/pq_neon.c

# --- L2 image: bytes -> pixels -> network input -----------------------------------------------------------------
# decoders
IMAGE_IN = src/image/image.c src/image/decode.c src/image/exif.c src/image/inflate.c \
	src/image/png_read.c src/image/png_rows.c src/image/gif.c src/image/tga.c \
	src/image/qoi.c src/image/webp.c src/image/vp8l.c src/image/vp8l_transform.c src/image/vp8.c \
	src/image/vp8_tables.c src/image/vp8_predict.c src/image/vp8_filter.c src/image/vp8_colour.c \
	src/image/jpeg_markers.c src/image/jpeg_bits.c src/image/jpeg_huffman.c \
	src/image/jpeg_progressive.c src/image/jpeg_scan.c src/image/jpeg_pixels.c \
	src/image/bmp.c src/image/pnm.c src/image/stb_bridge.c
# resize, preparation, drawing, writing, synth
IMAGE_OUT = src/image/resize.c src/image/prep.c src/image/font.c src/image/draw.c \
	src/image/lz77.c src/image/deflate.c src/image/png_write.c src/image/jpeg_write.c \
	src/image/synth_shape.c src/image/synth_toy.c \
	src/image/synth_plan.c src/image/synth_paint.c src/image/synth_view.c src/image/synth_scene.c \
	src/image/synth_lens.c src/image/synth.c

# --- L2 store: the file format --------------------------------------------------------------------------------------
STORE = src/store/uuid.c src/store/sink.c src/store/writer.c src/store/reader.c \
	src/store/journal_scan.c src/store/journal.c src/store/npy.c src/store/foreign.c \
	src/store/foreign_write.c src/store/pack.c src/store/pack_write.c

# --- L3 nn: tensors, layers, networks ----------------------------------------------------------------------------------
NN = src/nn/resnet.c src/nn/conv.c src/nn/norm.c src/nn/relu.c src/nn/pooling.c src/nn/linear.c \
	src/nn/unit.c src/nn/loss.c src/nn/triplet.c src/nn/contrastive.c src/nn/npair.c src/nn/proxies.c src/nn/ema.c src/nn/sgd.c src/nn/plan.c \
	src/nn/scratch.c src/nn/nodes.c src/nn/network.c src/nn/net_planes.c src/nn/net_blocks.c \
	src/nn/net_blocks_back.c src/nn/pool_blocks.c src/nn/infer.c src/nn/infer_run.c src/nn/model.c \
	src/nn/model_precision.c src/nn/low.c src/nn/low_forward.c src/nn/pixels.c

# --- L3 index: search structures --------------------------------------------------------------------------------------
INDEX = src/index/rows.c src/index/spec.c src/index/ann.c src/index/ann_search.c \
	src/index/flat.c src/index/tune.c src/index/bare.c src/index/bare_change.c \
	src/index/bare_file.c src/index/code8.c src/index/centres.c src/index/kmeans.c \
	src/index/flat_crowd.c src/index/pq.c src/index/opq.c src/index/ivfpq.c src/index/ivfpq_search.c \
	src/index/lists.c src/index/shortlist.c src/index/ivf.c src/index/ivf_tune.c \
	src/index/ivf_change.c src/index/ivf_file.c src/index/ivf_search.c \
	src/index/hnsw.c src/index/hnsw_grid.c src/index/hnsw_search.c src/index/hnsw_rows.c src/index/hnsw_link.c \
	src/index/hnsw_build.c src/index/hnsw_reach.c src/index/hnsw_order.c src/index/hnsw_settle.c \
	src/index/hnsw_cut.c src/index/hnsw_change.c src/index/hnsw_file.c src/index/hnsw_check.c

# --- L3 eval: metrics on matrices and labels ----------------------------------------------------------------------------
EVAL = src/eval/metrics.c src/eval/episodes.c src/eval/calib.c src/eval/calib_use.c src/eval/openset.c \
	src/eval/retrieval.c src/eval/bootstrap.c

# --- L4 train ----------------------------------------------------------------------------------------------------------------
TRAIN = src/train/dataset.c src/train/cache.c src/train/sampler.c src/train/augment.c \
	src/train/augment_lens.c src/train/preview.c src/train/head.c \
	src/train/loader.c src/train/split.c src/train/pictures.c src/train/lookalike.c src/train/examine.c src/train/watch.c \
	src/train/prepare.c src/train/memory.c src/train/loop.c src/train/checkpoint.c src/train/train_log.c \
	src/train/curves.c src/train/stored.c src/train/joined.c src/train/packing.c src/train/sizes.c

# --- L4 recog: the gallery --------------------------------------------------------------------------------------------------
RECOG = src/recog/stable.c src/recog/state.c src/recog/base_file.c src/recog/base_write.c src/recog/lockfile.c src/recog/gallery.c \
	src/recog/ask.c src/recog/keys.c src/recog/change.c src/recog/add.c src/recog/relabel.c \
	src/recog/sync.c src/recog/merge.c src/recog/replay.c \
	src/recog/compact.c src/recog/derived.c src/recog/salvage.c src/recog/mend.c src/recog/search.c src/recog/prototype.c src/recog/verdict.c src/recog/within.c \
	src/recog/knob.c src/recog/recall.c src/recog/identify.c src/recog/views.c src/recog/embed.c src/recog/photos.c src/recog/enrol.c \
	src/recog/evaluate.c src/recog/eval_ask.c src/recog/eval_tell.c src/recog/eval_draw.c \
	src/recog/verify.c src/recog/sheet.c src/recog/sheet_html.c \
	src/recog/sources.c src/recog/thumbs.c

# --- L5 api: the bodies of metricann.h -----------------------------------------------------------------------------------------
API = src/api/bridge.c src/api/api_data.c src/api/api_augment.c src/api/golden.c src/api/api_model.c src/api/api_train.c src/api/api_gallery.c \
	src/api/api_set.c src/api/api_eval.c src/api/api_retrieval.c src/api/api_index.c src/api/selftest.c

# --- L6 cli: the program --------------------------------------------------------------------------------------------------------
CLI_PARTS = src/cli/run.c src/cli/options.c src/cli/options_parse.c src/cli/options_help.c \
	src/cli/options_print.c src/cli/talk.c src/cli/progress.c src/cli/out.c src/cli/report.c \
	src/cli/inputs.c src/cli/paths.c src/cli/common.c src/cli/queries.c src/cli/gallery_new.c \
	src/cli/cmd_train.c src/cli/cmd_pack.c src/cli/cmd_extract.c src/cli/cmd_build.c src/cli/cmd_search.c src/cli/cmd_change.c \
	src/cli/cmd_sync.c src/cli/cmd_whole.c src/cli/exported.c src/cli/exported_thumbs.c src/cli/cmd_export.c src/cli/cmd_import.c \
	src/cli/cmd_eval.c src/cli/eval_groups.c src/cli/cmd_eval_vectors.c src/cli/cmd_info.c src/cli/cmd_check.c src/cli/cmd_scan.c \
	src/cli/cmd_tune.c src/cli/cmd_bench.c src/cli/cmd_synth.c src/cli/cmd_augment.c src/cli/cmd_convert.c src/cli/cmd_help.c
CLI = src/cli/program.c $(CLI_PARTS)

# --- tests ------------------------------------------------------------------------------------------------------------------------
TEST_MAIN = tests/main.c
TEST_BASE = tests/test_base.c tests/test_text.c tests/test_json.c tests/test_os.c tests/test_vfs.c
TEST_KERN = tests/test_kern_conv.c tests/test_kern_wino.c tests/test_kern_grad.c \
	tests/test_kern_dist.c tests/test_kern_i8.c tests/test_kern_pq.c tests/test_kern_nn.c tests/test_kern_png.c \
	tests/test_kern_jpeg.c tests/test_kern_code.c tests/test_kern_img.c tests/test_kern_low.c
TEST_IMAGE_IN = tests/decode_help.c tests/test_png.c tests/test_jpeg.c tests/test_jpeg_ways.c \
	tests/test_bmp.c tests/test_formats.c \
	tests/test_decode.c
TEST_IMAGE_OUT = tests/test_resize.c tests/test_draw.c tests/test_synth.c
TEST_STORE = tests/pack_help.c tests/test_pack.c tests/test_pack_damage.c tests/test_container.c tests/test_journal.c tests/test_foreign.c
TEST_NN = tests/nn_oracle.c tests/test_nn_layers.c tests/test_nn_loss.c tests/test_nn_proxies.c tests/test_nn_network.c \
	tests/test_nn_low.c tests/test_nn_blocks.c tests/test_nn_infer.c \
	tests/test_nn_golden.c
TEST_INDEX = tests/ann_help.c tests/test_ann_forged.c tests/test_ann_life.c tests/test_ann_files.c \
	tests/test_ann_gallery.c tests/test_spec.c tests/test_index.c tests/test_bare.c \
	tests/ann_set.c tests/test_kmeans.c tests/test_ivf.c \
	tests/hnsw_help.c tests/test_hnsw.c tests/test_hnsw_change.c tests/test_hnsw_rows.c
TEST_EVAL = tests/toys_world.c tests/test_views.c tests/test_own_calib.c tests/test_turns.c tests/test_retrieval.c tests/test_metrics.c tests/test_calib.c
TEST_TRAIN = tests/train_set.c tests/train_world.c tests/test_augment.c tests/test_head.c tests/test_train.c \
	tests/test_train_loop.c tests/test_train_ways.c tests/test_train_sizes.c
TEST_RECOG = tests/crash_world.c tests/test_crash.c tests/test_crash_sites.c tests/test_crash_whole.c tests/test_damage.c tests/test_costs.c \
	tests/gallery_help.c tests/test_gallery.c tests/test_gallery_files.c \
	tests/test_gallery_order.c tests/test_keys.c tests/test_round.c tests/test_lazy.c tests/test_lock.c tests/test_sync.c tests/test_whole.c \
	tests/test_salvage.c tests/golden_make.c tests/test_golden.c tests/test_recall.c tests/test_tight.c tests/test_readers.c
FUZZ_TEST = tests/forge.c tests/ann_forge.c tests/fuzz/fuzz_container.c tests/fuzz/fuzz_journal.c \
	tests/fuzz/fuzz_npy.c tests/fuzz/fuzz_index.c tests/fuzz/fuzz_gallery.c tests/fuzz/fuzz_model.c \
	tests/fuzz/fuzz_json.c tests/fuzz/fuzz_dataset.c tests/fuzz/fuzz_pack.c
TEST_FUZZ = $(FUZZ_TEST) tests/test_corpus.c
TEST_API = tests/test_api.c tests/test_selftest.c tests/test_storage.c tests/test_thumbs.c
TEST_CLI = tests/test_cli.c $(CLI_PARTS)

# --- bench ------------------------------------------------------------------------------------------------------------------------
BENCH = bench/bench.c bench/bench_kern.c bench/bench_rows.c bench/bench_gemm.c bench/photos.c \
	bench/bench_image.c bench/bench_nn.c bench/bench_peak.c bench/bench_layers.c \
	bench/bench_embed.c bench/bench_flat.c bench/bench_answer.c \
	bench/bench_gallery.c bench/bench_store.c

LIB_SRC  = $(BASE) $(OS) $(KERN) $(IMAGE_IN) $(IMAGE_OUT) $(STORE) $(NN) $(INDEX) $(EVAL) $(TRAIN) \
	$(RECOG) $(API)
TEST_SRC = $(TEST_MAIN) $(TEST_BASE) $(TEST_KERN) $(TEST_IMAGE_IN) $(TEST_IMAGE_OUT) $(TEST_STORE) \
	$(TEST_NN) $(TEST_INDEX) $(TEST_EVAL) $(TEST_TRAIN) $(TEST_RECOG) $(TEST_API) $(TEST_CLI) $(TEST_FUZZ)
LIB_OBJ   = $(LIB_SRC:.c=.o)
CLI_OBJ   = $(CLI:.c=.o)
TEST_OBJ  = $(TEST_SRC:.c=.o)
BENCH_OBJ = $(BENCH:.c=.o)
SAN_OBJ   = $(LIB_SRC:.c=.san) $(TEST_SRC:.c=.san)
TSAN_OBJ  = $(LIB_SRC:.c=.tsan) $(TEST_SRC:.c=.tsan)
COV_OBJ   = $(LIB_SRC:.c=.cov) $(TEST_SRC:.c=.cov)

all: metricann libmetricann.a

libmetricann.a: $(LIB_OBJ)
	rm -f $@
	$(AR) rcs $@ $(LIB_OBJ)

metricann: $(CLI_OBJ) libmetricann.a
	$(CC) $(ALL_C) $(LDFLAGS) -o $@ $(CLI_OBJ) libmetricann.a $(LIBS)

tests/run: $(TEST_OBJ) libmetricann.a
	$(CC) $(ALL_C) $(LDFLAGS) -o $@ $(TEST_OBJ) libmetricann.a $(LIBS)

tests/run-san: $(SAN_OBJ)
	$(CC) $(SAN_C) $(LDFLAGS) -o $@ $(SAN_OBJ) $(LIBS)

tests/run-tsan: $(TSAN_OBJ)
	$(CC) $(TSAN_C) $(LDFLAGS) -o $@ $(TSAN_OBJ) $(LIBS)

tests/run-cov: $(COV_OBJ)
	$(CC) $(COV_C) $(LDFLAGS) -o $@ $(COV_OBJ) $(LIBS)

bench/bench: $(BENCH_OBJ) libmetricann.a
	$(CC) $(ALL_C) $(LDFLAGS) -o $@ $(BENCH_OBJ) libmetricann.a $(LIBS)

.c.o:
	$(CC) $(ALL_C) -c $< -o $@
.c.san:
	$(CC) $(SAN_C) -c $< -o $@
.c.tsan:
	$(CC) $(TSAN_C) -c $< -o $@
.c.cov:
	$(CC) $(COV_C) -c $< -o $@

# Coarse, and never stale: every object depends on the flags and on the content of all headers.
$(LIB_OBJ) $(CLI_OBJ) $(TEST_OBJ) $(BENCH_OBJ) $(SAN_OBJ) $(TSAN_OBJ) $(COV_OBJ): build.flags
build.flags: FORCE
	@{ echo "$(CC) $(ALL_C) $(LDFLAGS) $(LIBS)"; echo "$(SAN_C) $(TSAN_C) $(COV_C)"; \
		find include src tests bench -name '*.h' 2> /dev/null | sort | xargs cksum; } > $@.new
	@if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi
FORCE:

VERSION = sed -n 's/.*MNI_VERSION_TEXT "\(.*\)"/\1/p' src/base/version.h
ROOT    = $(DESTDIR)$(PREFIX)

# --- what people call -------------------------------------------------------------------------------
.PHONY: all test check lint test-kern test-san test-tsan test-slow test-crash bench bench-kern bench-peers demo \
	cover install uninstall dist clean help

test: all tests/run
	./tests/run --fast
	sh tests/cli/run.sh

test-slow: all tests/run
	./tests/run

# Seeds of one's own: make test-crash SEEDS="17 18"
SEEDS = 1 2 3 4 5
test-crash: all tests/run
	for seed in $(SEEDS); do ./tests/run --seed $$seed crash || exit 1; done

check: lint test test-kern test-san

lint: libmetricann.a
	CC="$(CC)" sh tests/lint/lint.sh
	CC="$(CC)" sh tests/lint/selftest.sh

# The kernels at every level of this machine, one after the other.
test-kern: tests/run
	@for cap in scalar avx2 avx512 avx512vnni neon; do echo "METRICANN_SIMD=$$cap"; \
		METRICANN_SIMD=$$cap ./tests/run --fast 'kern*' nn_low || exit 1; done

test-san: all tests/run-san
	ASAN_OPTIONS=allocator_may_return_null=1 ./tests/run-san --fast

# Suites that start threads; of the others this sanitizer can say nothing.
TSAN_SUITES = base os vfs kern_nn gallery gallery_files gallery_order nn_network nn_infer nn_blocks \
	train train_loop index 'ann_life.same_bytes*' ann_gallery bare hnsw.threads_change_nothing \
	kmeans ivf retrieval api storage thumbs

test-tsan: all tests/run-tsan
	TSAN_OPTIONS=halt_on_error=1:allocator_may_return_null=1 ./tests/run-tsan --fast $(TSAN_SUITES)

bench: bench/bench
	@BENCH_COMMIT=$$(git rev-parse --short HEAD 2> /dev/null) ./bench/bench

bench-kern: bench/bench
	@BENCH_COMMIT=$$(git rev-parse --short HEAD 2> /dev/null) ./bench/bench kern

# Beside other people's libraries, each where it is installed (bench/README.md).
bench-peers: libmetricann.a
	@CC="$(CC)" LIBS="$(LIBS)" sh bench/peers/run.sh

demo: metricann
	sh bench/demo.sh

cover: tests/run-cov
	find src -name '*.gcda' -exec rm -f {} +
	./tests/run-cov --fast
	@sh tests/cover.sh $(LIB_SRC)

# What the program can say about itself is written by it: man page and completions.
install: all
	mkdir -p "$(ROOT)/bin" "$(ROOT)/lib/pkgconfig" "$(ROOT)/include"
	cp metricann "$(ROOT)/bin/metricann" && chmod 755 "$(ROOT)/bin/metricann"
	cp libmetricann.a "$(ROOT)/lib/libmetricann.a" && chmod 644 "$(ROOT)/lib/libmetricann.a"
	cp include/metricann.h "$(ROOT)/include/metricann.h" && chmod 644 "$(ROOT)/include/metricann.h"
	@version=$$($(VERSION)) && printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' \
		'includedir=$${prefix}/include' '' 'Name: metricann' \
		'Description: few-shot image recognition' "Version: $$version" \
		'Cflags: -I$${includedir}' 'Libs: -L$${libdir} -lmetricann $(LIBS)' \
		> "$(ROOT)/lib/pkgconfig/metricann.pc"
	@say() { mkdir -p "$(ROOT)/share/$$1" && f="$(ROOT)/share/$$1/$$2" && shift 2 && \
		{ ./metricann "$$@" > "$$f" 2> /dev/null && test -s "$$f" || rm -f "$$f"; }; }; \
		say man/man1 metricann.1 help --man; \
		say bash-completion/completions metricann help --completion bash; \
		say zsh/site-functions _metricann help --completion zsh; \
		say fish/vendor_completions.d metricann.fish help --completion fish

uninstall:
	rm -f "$(ROOT)/bin/metricann" "$(ROOT)/lib/libmetricann.a" "$(ROOT)/include/metricann.h" \
		"$(ROOT)/lib/pkgconfig/metricann.pc" "$(ROOT)/share/man/man1/metricann.1" \
		"$(ROOT)/share/bash-completion/completions/metricann" \
		"$(ROOT)/share/zsh/site-functions/_metricann" \
		"$(ROOT)/share/fish/vendor_completions.d/metricann.fish"

dist:
	@version=$$($(VERSION)) && mkdir -p dist && \
		git archive --prefix="metricann-$$version/" HEAD | gzip -9n > "dist/metricann-$$version.tar.gz" && \
		echo "dist/metricann-$$version.tar.gz"

clean:
	rm -rf bench/peers/bin
	rm -f metricann libmetricann.a build.flags build.flags.new bench/bench
	rm -f tests/run tests/run-san tests/run-tsan tests/run-cov
	find src tests bench \( -name '*.o' -o -name '*.san' -o -name '*.tsan' -o -name '*.cov' -o -name '*.fuz' \
		-o -name '*.gcno' -o -name '*.gcda' \) -exec rm -f {} + 2> /dev/null || true

help:
	@sed -n 's/^#: \{0,1\}//p' Makefile

# --- fuzz -----------------------------------------------------------------------------------------------------------------------
# `make fuzz-container` builds the target with clang's libFuzzer and runs it for FUZZ_SECONDS; new inputs go
# to a folder that git does not see. `make fuzz-replay` runs the committed corpus with any compiler.
FUZZ_CC      = clang
FUZZ_SECONDS = 60
FUZZ_IMAGE   = $(BASE) $(OS) $(KERN) $(IMAGE_IN) src/image/lz77.c src/image/deflate.c
FUZZ_SAN     = -fsanitize=address,undefined -fno-sanitize-recover=all

FUZZ_RUN     = -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=512 -timeout=20
FUZZ_PICTURE = png bmp pnm gif webp qoi tga

# Readers of our own files: those rooms of the library that trust nothing are built once more, with
# libFuzzer's eyes in them, for all targets; the arithmetic comes out of the library as it is.
FUZZ_OWN  = container journal npy index gallery model json dataset pack
FUZZ_C    = $(BASE_C) -O1 -g -fsanitize=fuzzer-no-link $(FUZZ_SAN)
FUZZ_SRC  = $(BASE) $(OS) $(STORE) $(INDEX) $(EVAL) src/train/dataset.c $(RECOG) src/nn/model.c \
	src/image/prep.c $(FUZZ_TEST)
FUZZ_OBJ  = $(FUZZ_SRC:.c=.fuz)
.c.fuz:
	$(FUZZ_CC) $(FUZZ_C) -c $< -o $@
$(FUZZ_OBJ): build.flags

fuzz-container fuzz-journal fuzz-npy fuzz-index fuzz-gallery fuzz-model fuzz-json fuzz-dataset fuzz-pack: $(FUZZ_OBJ) libmetricann.a
	name=$@; name=$${name#fuzz-}; mkdir -p tests/fuzz/fuzz-found/$$name && \
	$(FUZZ_CC) $(FUZZ_C) -fsanitize=fuzzer -DFUZZ_ENTRY=fuzz_$$name -o tests/fuzz/fuzz-$$name \
		tests/fuzz/entry.c $(FUZZ_OBJ) libmetricann.a $(LIBS) && \
	./tests/fuzz/fuzz-$$name $(FUZZ_RUN) tests/fuzz/fuzz-found/$$name tests/fuzz/corpus/$$name

# One source for most formats of pictures; fuzz-deflate is PNG's compression both ways,
# fuzz-jpeg also decodes smaller and what there is of a file.
fuzz-jpeg fuzz-png fuzz-bmp fuzz-pnm fuzz-gif fuzz-webp fuzz-qoi fuzz-tga fuzz-deflate: FORCE
	name=$@; name=$${name#fuzz-}; source=image; \
	case $$name in deflate|jpeg) source=$$name;; esac; \
	mkdir -p tests/fuzz/fuzz-found/$$name && \
	$(FUZZ_CC) $(ALL_C) -O1 -Itests/fuzz -fsanitize=fuzzer $(FUZZ_SAN) -DFUZZ_FORMAT="\"$$name\"" \
		-o tests/fuzz/fuzz-$$name tests/fuzz/fuzz_$$source.c $(FUZZ_IMAGE) $(LIBS) && \
	./tests/fuzz/fuzz-$$name $(FUZZ_RUN) tests/fuzz/fuzz-found/$$name tests/fuzz/corpus/$$name

# The first files of three corpora, made anew: one index, gallery, model of every kind.
fuzz-index-corpus fuzz-gallery-corpus fuzz-model-corpus: libmetricann.a
	name=$@; name=$${name#fuzz-}; name=$${name%-corpus}; mkdir -p tests/fuzz/corpus/$$name && \
	$(CC) $(ALL_C) -o tests/fuzz/fuzz-$$name-corpus tests/fuzz/make_$${name}_corpus.c \
		tests/forge.c tests/ann_forge.c libmetricann.a $(LIBS) && \
	./tests/fuzz/fuzz-$$name-corpus tests/fuzz/corpus/$$name

# The corpora of our own files are replayed by tests/run (corpus).
fuzz-replay: FORCE
	for name in jpeg $(FUZZ_PICTURE); do \
		source=image; case $$name in jpeg) source=jpeg;; esac; \
		$(CC) $(ALL_C) $(FUZZ_SAN) -Itests/fuzz -DFUZZ_FORMAT="\"$$name\"" \
			-o tests/fuzz/fuzz-replay-$$name tests/fuzz/replay.c tests/fuzz/fuzz_$$source.c \
			$(FUZZ_IMAGE) $(LIBS) && \
		./tests/fuzz/fuzz-replay-$$name tests/fuzz/corpus/$$name/* || exit 1; \
	done
