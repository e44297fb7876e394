# Writes a header with version and commit, and touches it only when they change. Run at every build. A tree without git, such
# as the one a container image is built from, is told its commit by SIGHTLINE_COMMIT.
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND git -C ${SOURCE_DIR} rev-parse --short=12 HEAD OUTPUT_VARIABLE commit
  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE result)
if(result EQUAL 0)
  execute_process(COMMAND git -C ${SOURCE_DIR} status --porcelain --untracked-files=no OUTPUT_VARIABLE changes
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(changes)
    string(APPEND commit "-dirty")
  endif()
else()
  set(commit "${COMMIT}")
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT
"#define SIGHTLINE_VERSION \"@VERSION@\"
#define SIGHTLINE_COMMIT \"@commit@\"
" @ONLY)
