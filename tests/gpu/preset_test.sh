#!/bin/sh
# The preset `gpu` says what is missing, in sentences of this project and not of a package's file: nvcc, a LibTorch that
# was built for CUDA, and a FAISS that was.
#
# Usage: preset_test.sh SOURCE_FOLDER CMAKE
# Ends with 77 where nothing is missing.
set -eu
cd "$1"
cmake=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# expect NAME SENTENCE...: the configuration of $folder/NAME must have ended with them. Line breaks are CMake's.
expect() {
  name=$1
  shift
  said=$(tr -s ' \n' ' ' <"$folder/$name.log")
  for sentence in "$@"; do
    case $said in
      *"$sentence"*) ;;
      *)
        echo "FAILED: '$sentence' is not in what CMake says:"
        cat "$folder/$name.log"
        exit 1
        ;;
    esac
  done
}

if CUDACXX=/nowhere/nvcc "$cmake" --preset gpu -B "$folder/nvcc" >"$folder/nvcc.log" 2>&1; then
  echo "FAILED: it configures with an nvcc that is not there"
  exit 1
fi
expect nvcc 'SIGHTLINE_CUDA is ON and CMake finds no nvcc that works.' "Install NVIDIA's CUDA toolkit"

nvcc=$(command -v "${CUDACXX:-nvcc}" || command -v /usr/local/cuda/bin/nvcc || true)
if [ -z "$nvcc" ]; then
  echo "there is no nvcc: what the preset says of LibTorch was not looked at"
  exit 0
fi
if CUDACXX=$nvcc "$cmake" --preset gpu -B "$folder/torch" >"$folder/torch.log" 2>&1; then
  echo "SKIPPED, the LibTorch of this machine is for CUDA"
  exit 77
fi
expect torch 'has no CUDA, and SIGHTLINE_CUDA is ON.' 'or build without models (-DSIGHTLINE_MODEL=OFF)'
CUDACXX=$nvcc "$cmake" --preset gpu -B "$folder/index" -DSIGHTLINE_MODEL=OFF >"$folder/index.log" 2>&1 || {
  echo "FAILED: without models it does not configure:"
  cat "$folder/index.log"
  exit 1
}
if CUDACXX=$nvcc "$cmake" --preset gpu -B "$folder/faiss" -DSIGHTLINE_MODEL=OFF -DSIGHTLINE_FAISS_GPU=ON >"$folder/faiss.log" 2>&1; then
  echo "SKIPPED, the FAISS of this machine has a GPU"
  exit 77
fi
expect faiss 'was built without GPU' 'or build with -DSIGHTLINE_FAISS_GPU=OFF'
echo "the preset says what is missing"
