# MetricANN - needs cc, make and nothing else. Works with GNU make and BSD make.
#
#   make                 the program ./metricann and the library libmetricann.a
#   make help            all targets and switches
#
# Lists are written out: one block per room of the house (src/README.md), lower rooms first.

.SUFFIXES: .c .o

CC      = cc
AR      = ar
CFLAGS  = -O3 -g
WARN    = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wundef
PREFIX  = /usr/local
DESTDIR =
BLAS    = 0
STB     = 0

# Switches without conditionals: $(BLAS_$(BLAS)) is BLAS_1 after `make BLAS=1`.
BLAS_1     = -DMNI_BLAS
BLAS_LIB_1 = -lopenblas
STB_1      = -DMNI_STB -Ithird_party/stb -I/usr/include/stb

ALL_C = -std=c11 -ffp-contract=off $(WARN) $(CFLAGS) $(BLAS_$(BLAS)) $(STB_$(STB)) -Iinclude -Isrc
LIBS  = $(BLAS_LIB_$(BLAS)) -lpthread -lm

# --- L0 base: pure C11 -------------------------------------------------------------------------------
BASE = src/base/status.c src/base/mem.c src/base/arena.c src/base/rng.c src/base/topk.c \
	src/base/visited.c src/base/idmap.c src/base/bytes.c src/base/text.c src/base/json_write.c \
	src/base/json_read.c src/base/dtype.c

# --- L1 os: the only POSIX ------------------------------------------------------------------------------
OS = src/os/vfs.c src/os/vfs_posix.c src/os/vfs_mem.c src/os/vfs_faulty.c src/os/thread.c \
	src/os/pool.c src/os/cpu.c src/os/clock.c src/os/term.c

# --- L2 kern: the only intrinsics --------------------------------------------------------------------------
KERN = src/kern/crc32c.c src/kern/dist_c.c src/kern/dist_avx2.c src/kern/dist_avx512.c \
	src/kern/dist_neon.c src/kern/kern_dist.c src/kern/gemm.c src/kern/gemm_c.c \
	src/kern/gemm_avx2.c src/kern/gemm_avx512.c src/kern/kern_nn.c

# --- L2 image: bytes -> pixels -> network input -----------------------------------------------------------------
# decoders
IMAGE_IN =
# resize, preparation, drawing, writing, synth
IMAGE_OUT =

# --- L2 store: the file format --------------------------------------------------------------------------------------
STORE = src/store/uuid.c src/store/sink.c src/store/writer.c src/store/reader.c

# --- L3 nn: tensors, layers, networks ----------------------------------------------------------------------------------
NN =

# --- L3 index: search structures --------------------------------------------------------------------------------------
INDEX = src/index/rows.c src/index/ann.c src/index/flat.c src/index/bare.c src/index/bare_file.c

# --- L3 eval: metrics on matrices and labels ----------------------------------------------------------------------------
EVAL = src/eval/metrics.c src/eval/episodes.c src/eval/calib.c src/eval/calib_use.c src/eval/openset.c

# --- L4 train ----------------------------------------------------------------------------------------------------------------
TRAIN =

# --- L4 recog: the gallery --------------------------------------------------------------------------------------------------
RECOG =

# --- L5 api: the bodies of metricann.h -----------------------------------------------------------------------------------------
API =

# --- L6 cli: the program --------------------------------------------------------------------------------------------------------
CLI =

# --- tests ------------------------------------------------------------------------------------------------------------------------
TEST_MAIN = tests/main.c
<<<<<<< HEAD
TEST_BASE = tests/test_base.c tests/test_vfs.c
TEST_KERN = tests/test_kern_dist.c
=======
TEST_BASE = tests/test_base.c
TEST_KERN = tests/test_kern_dist.c tests/test_kern_nn.c
>>>>>>> kern
TEST_IMAGE_IN =
TEST_IMAGE_OUT =
TEST_STORE = tests/test_container.c
TEST_NN =
TEST_INDEX = tests/test_index.c tests/test_bare.c
TEST_EVAL = tests/test_metrics.c tests/test_calib.c
TEST_TRAIN =
TEST_RECOG =
TEST_API =
TEST_CLI =

# --- bench ------------------------------------------------------------------------------------------------------------------------
BENCH = bench/bench.c bench/bench_kern.c bench/bench_rows.c bench/bench_gemm.c

LIB_SRC  = $(BASE) $(OS) $(KERN) $(IMAGE_IN) $(IMAGE_OUT) $(STORE) $(NN) $(INDEX) $(EVAL) $(TRAIN) \
	$(RECOG) $(API)
TEST_SRC = $(TEST_MAIN) $(TEST_BASE) $(TEST_KERN) $(TEST_IMAGE_IN) $(TEST_IMAGE_OUT) $(TEST_STORE) \
	$(TEST_NN) $(TEST_INDEX) $(TEST_EVAL) $(TEST_TRAIN) $(TEST_RECOG) $(TEST_API) $(TEST_CLI)
LIB_OBJ   = $(LIB_SRC:.c=.o)
CLI_OBJ   = $(CLI:.c=.o)
TEST_OBJ  = $(TEST_SRC:.c=.o)
BENCH_OBJ = $(BENCH:.c=.o)

all: metricann libmetricann.a

libmetricann.a: $(LIB_OBJ)
	rm -f $@
	$(AR) rcs $@ $(LIB_OBJ)

metricann: $(CLI_OBJ) libmetricann.a
	$(CC) $(ALL_C) -o $@ $(CLI_OBJ) libmetricann.a $(LIBS)

tests/run: $(TEST_OBJ) libmetricann.a
	$(CC) $(ALL_C) -o $@ $(TEST_OBJ) libmetricann.a $(LIBS)

test: tests/run
	./tests/run --fast

.c.o:
	$(CC) $(ALL_C) -c $< -o $@

# Coarse, and never stale: every object depends on the flags and on the content of all headers.
$(LIB_OBJ) $(CLI_OBJ) $(TEST_OBJ) $(BENCH_OBJ): build.flags
build.flags: FORCE
	@{ echo "$(CC) $(ALL_C)"; find include src tests bench -name '*.h' | sort | xargs cksum; } \
		| cmp -s - $@ || { echo "$(CC) $(ALL_C)"; find include src tests bench -name '*.h' \
		| sort | xargs cksum; } > $@
FORCE:

clean:
	rm -f metricann libmetricann.a build.flags tests/run
	find src tests bench -name '*.o' -exec rm -f {} +
