# sightline_embed_files(OUTPUT FOLDER [EXTRA path=file ...] [DEPENDS targets...]): writes OUTPUT, a .cc that holds every
# file below FOLDER, and those of EXTRA, byte by byte, as server/http/static_files.h wants them. A new file is found by
# the next build. An EXTRA file that is not there is left out.
#
# Run as a script (cmake -DOUTPUT=... -DFILES=/path=file|... -P EmbedFiles.cmake) it does the writing.
if(CMAKE_SCRIPT_MODE_FILE)
  string(REPLACE "|" ";" entries "${FILES}")
  set(arrays)
  set(rows)
  set(number 0)
  foreach(entry IN LISTS entries)
    string(REGEX MATCH "^([^=]+)=(.+)$" matched "${entry}")
    set(path ${CMAKE_MATCH_1})
    set(file ${CMAKE_MATCH_2})
    if(NOT EXISTS ${file})
      continue()
    endif()
    file(READ ${file} hex HEX)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
    string(APPEND arrays "constexpr unsigned char kFile${number}[] = {${bytes}0};\n")
    string(APPEND rows "      {\"${path}\", {reinterpret_cast<const char*>(kFile${number}), sizeof(kFile${number}) - 1}},\n")
    math(EXPR number "${number} + 1")
  endforeach()
  file(WRITE ${OUTPUT} "#include <array>\n\n#include \"server/http/static_files.h\"\n\nnamespace sightline::server {\n"
    "namespace {\n\n${arrays}\n}  // namespace\n\nabsl::Span<const EmbeddedFile> EmbeddedFiles() {\n"
    "  static const std::array<EmbeddedFile, ${number}> files = {{\n${rows}  }};\n  return files;\n}\n\n"
    "}  // namespace sightline::server\n")
  return()
endif()

set(sightline_embed_files_script ${CMAKE_CURRENT_LIST_FILE})

function(sightline_embed_files output folder)
  cmake_parse_arguments(arg "" "" "EXTRA;DEPENDS" ${ARGN})
  file(GLOB_RECURSE files CONFIGURE_DEPENDS ${folder}/*)
  set(entries)
  foreach(file IN LISTS files)
    file(RELATIVE_PATH path ${folder} ${file})
    list(APPEND entries /${path}=${file})
  endforeach()
  list(APPEND entries ${arg_EXTRA})
  string(REPLACE ";" "|" joined "${entries}")
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} "-DFILES=${joined}" -P ${sightline_embed_files_script}
    DEPENDS ${files} ${arg_DEPENDS} ${sightline_embed_files_script}
    VERBATIM)
endfunction()
