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

add_library(sightline_faiss INTERFACE)
target_link_libraries(sightline_faiss INTERFACE faiss OpenMP::OpenMP_CXX)
if(SIGHTLINE_FAISS_HAS_READ_LIMITS)
  target_compile_definitions(sightline_faiss INTERFACE SIGHTLINE_FAISS_HAS_READ_LIMITS)
endif()
