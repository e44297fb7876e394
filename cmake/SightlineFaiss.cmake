# The target sightline_faiss: FAISS with what its distribution leaves to the reader.
#
# Debian's FAISS is a static library whose targets name OpenMP::OpenMP_CXX, BLAS and LAPACK without looking for them.
# Versions from 1.13 on can bound what their readers allocate; SIGHTLINE_FAISS_HAS_READ_LIMITS says that this one can.
include_guard(GLOBAL)

find_package(OpenMP REQUIRED COMPONENTS CXX)
find_package(BLAS REQUIRED)
find_package(LAPACK REQUIRED)
find_package(faiss REQUIRED)

include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_LIBRARIES faiss)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
check_cxx_source_compiles("
#include <faiss/index_io.h>
void Limit() { faiss::set_deserialization_vector_byte_limit(1); }
" SIGHTLINE_FAISS_HAS_READ_LIMITS)
unset(CMAKE_TRY_COMPILE_TARGET_TYPE)
unset(CMAKE_REQUIRED_LIBRARIES)

if(SIGHTLINE_FAISS_GPU)
  if(NOT SIGHTLINE_CUDA)
    message(FATAL_ERROR "SIGHTLINE_FAISS_GPU is ON and SIGHTLINE_CUDA is OFF. Turn on both, or neither.")
  endif()
  get_target_property(faiss_headers faiss INTERFACE_INCLUDE_DIRECTORIES)
  find_file(SIGHTLINE_FAISS_GPU_HEADER faiss/gpu/GpuIndexIVFScalarQuantizer.h HINTS ${faiss_headers})
  if(NOT SIGHTLINE_FAISS_GPU_HEADER)
    message(FATAL_ERROR "SIGHTLINE_FAISS_GPU is ON and the FAISS in ${faiss_DIR} was built without GPU. Name one that was built "
      "with FAISS_ENABLE_GPU in CMAKE_PREFIX_PATH (docs/gpu.md), or build with -DSIGHTLINE_FAISS_GPU=OFF.")
  endif()
endif()

add_library(sightline_faiss INTERFACE)
target_link_libraries(sightline_faiss INTERFACE faiss OpenMP::OpenMP_CXX)
if(SIGHTLINE_FAISS_HAS_READ_LIMITS)
  target_compile_definitions(sightline_faiss INTERFACE SIGHTLINE_FAISS_HAS_READ_LIMITS)
endif()
