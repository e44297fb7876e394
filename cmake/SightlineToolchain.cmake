# Compiler, linker and cache settings that hold for every target of this project.
find_program(SIGHTLINE_CCACHE ccache)
if(SIGHTLINE_CCACHE)
  # Without these two, files compiled with a precompiled header are never found in the cache again.
  set(CMAKE_CXX_COMPILER_LAUNCHER
    ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
    ${SIGHTLINE_CCACHE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
  endif()
endif()

add_library(sightline_options INTERFACE)
set(cxx_options
  -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
  -fstack-protector-strong
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
  # g++ 12 sees overlapping copies in std::string's own operator+ (GCC bug 105651).
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_LESS:$<CXX_COMPILER_VERSION>,13>>:-Wno-restrict>
  $<$<BOOL:${SIGHTLINE_WERROR}>:-Werror>)
# nvcc takes other options.
target_compile_options(sightline_options INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${cxx_options}>")
if(NOT CMAKE_BUILD_TYPE STREQUAL Debug AND NOT SIGHTLINE_SANITIZE)
  target_compile_definitions(sightline_options INTERFACE _FORTIFY_SOURCE=2)
endif()
target_link_options(sightline_options INTERFACE -Wl,-z,relro,-z,now)

if(SIGHTLINE_SANITIZE)
  # Everything of ours is instrumented, so these are not left to the interface target.
  add_compile_options(-fsanitize=${SIGHTLINE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${SIGHTLINE_SANITIZE})
endif()
