#!/bin/sh
# run.sh - builds and runs the peers that this machine can build, CSV on stdout; says on stderr
# which it leaves out and what they want. Called by `make bench-peers`; one peer alone:
#
#     sh bench/peers/run.sh jpeg
#
# CC, PYTHON and LIBS come from the environment. SPDX-License-Identifier: MIT
set -u
cc=${CC:-cc}
libs=${LIBS:--lpthread -lm}
python=${PYTHON:-python3}
bin=bench/peers/bin
[ -f libmetricann.a ] || { echo "run.sh: first make, and then from the top folder" >&2; exit 2; }
mkdir -p "$bin"
: "${BENCH_COMMIT=$(git rev-parse --short HEAD 2> /dev/null)}"
export BENCH_COMMIT

left_out() { echo "bench-peers: $1 left out: $2" >&2; }

# build NAME HEADER LIBRARY SOURCES: 1 if the header or the library is not there
build() {
    name=$1 header=$2 library=$3
    shift 3
    echo "#include <$header>" | $cc -E - > /dev/null 2>&1 || return 1
    $cc -std=c11 -O2 -Wall -Wextra -Iinclude -Isrc -Ibench -o "$bin/$name" "$@" libmetricann.a $library $libs
}

gemm() {
    build gemm cblas.h -lopenblas bench/peers/gemm.c ||
        { left_out gemm "wants cblas.h and OpenBLAS (libopenblas-dev)"; return; }
    # It knows its CPUs by model: one newer than itself gets AVX2 kernels, unless told.
    grep -q avx512f /proc/cpuinfo 2> /dev/null && : "${OPENBLAS_CORETYPE:=SKYLAKEX}" &&
        export OPENBLAS_CORETYPE
    OPENBLAS_NUM_THREADS=1 "$bin/gemm" | tail -n +2
}

jpeg() {
    build jpeg turbojpeg.h -lturbojpeg bench/peers/jpeg.c bench/photos.c ||
        { left_out jpeg "wants turbojpeg.h (libturbojpeg0-dev)"; return; }
    "$bin/jpeg" || left_out jpeg "see above"
}

input() {
    "$python" -c 'import PIL' 2> /dev/null ||
        { left_out input "wants Python with Pillow (python3-pil)"; return; }
    build input stdio.h "" bench/peers/input.c bench/photos.c || return
    "$bin/input" "$python" bench/peers/input_pillow.py || left_out input "see above"
}

png() {
    build png png.h -lpng bench/peers/png.c bench/photos.c ||
        { left_out png "wants png.h (libpng-dev)"; return; }
    "$bin/png" || left_out png "see above"
}

resize() {
    "$python" -c 'import PIL' 2> /dev/null ||
        { left_out resize "wants Python with Pillow (python3-pil)"; return; }
    build resize stdio.h "" bench/peers/resize.c bench/photos.c || return
    "$bin/resize" "$python" bench/peers/resize_pillow.py || left_out resize "Pillow has gone"
}

# hnswlib is a header of C++; about two minutes for 100,000 rows, HNSW_ROWS says another number
hnsw() {
    data=${METRICANN_DATA:-../shared/data}/vectors/sift500k
    [ -f "$data/base.bvecs" ] || { left_out hnsw "wants $data"; return; }
    c++ -O3 -march=native -c bench/peers/hnswlib_shim.cpp -o "$bin/hnswlib_shim.o" 2> /dev/null ||
        { left_out hnsw "wants a C++ compiler and hnswlib.h (libhnswlib-dev)"; return; }
    build hnsw stdio.h "$bin/hnswlib_shim.o -lstdc++" bench/peers/hnsw.c || return
    "$bin/hnsw" "$data/base.bvecs" "$data/query.fvecs" --rows "${HNSW_ROWS:-100000}"
}

network() {
    "$python" -c 'import torch' 2> /dev/null ||
        { left_out network "wants Python with PyTorch (python3-torch)"; return; }
    build network stdio.h "" bench/peers/network.c || return
    "$bin/network" "$python" bench/peers/network_torch.py || left_out network "PyTorch has gone"
}

train() {
    "$python" -c 'import torch' 2> /dev/null ||
        { left_out train "wants Python with PyTorch (python3-torch)"; return; }
    build train stdio.h "" bench/peers/train.c || return
    "$bin/train" "$python" bench/peers/train_torch.py || left_out train "PyTorch has gone"
}

photo() {
    "$python" -c 'import torch, PIL' 2> /dev/null ||
        { left_out photo "wants Python with PyTorch and Pillow"; return; }
    build photo stdio.h "" bench/peers/photo.c bench/photos.c || return
    for threads in 1 2; do
        "$bin/photo" "$python" bench/peers/photo_torch.py $threads && continue
        [ $? = 78 ] && left_out photo "wants photos (bench/README.md)" || left_out photo "PyTorch has gone"
        return
    done
}

echo "commit,cpu,who,simd,threads,workload,seconds,spread,value,unit,share"
[ $# -gt 0 ] || set -- gemm jpeg png resize input network train photo hnsw
for peer in "$@"; do
    case $peer in
    gemm | jpeg | png | resize | input | network | train | photo | hnsw) $peer ;;
    *) echo "run.sh: no peer $peer; there are gemm, jpeg, png, resize, input, network, train, photo, hnsw" >&2; exit 2 ;;
    esac
done
