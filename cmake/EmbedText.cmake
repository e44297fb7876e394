# sightline_embed_text(OUTPUT NAMESPACE file...): writes OUTPUT, a .cc that holds text files as constants, each in a raw
# string. A file page/explain.css becomes `extern const absl::string_view kExplainCss` of the namespace; whoever uses it
# declares it so.
#
# Run as a script (cmake -DOUTPUT=... -DNAMESPACE=... -DFILES=a|b -P EmbedText.cmake) it does the writing.
if(CMAKE_SCRIPT_MODE_FILE)
  set(body "#include \"absl/strings/string_view.h\"\n\nnamespace ${NAMESPACE} {\n")
  string(REPLACE "|" ";" paths "${FILES}")
  foreach(path IN LISTS paths)
    get_filename_component(file ${path} NAME)
    string(REGEX REPLACE "[._-]" ";" words ${file})
    set(constant k)
    foreach(word IN LISTS words)
      string(SUBSTRING ${word} 0 1 first)
      string(SUBSTRING ${word} 1 -1 rest)
      string(TOUPPER ${first} first)
      string(APPEND constant ${first}${rest})
    endforeach()
    file(READ ${path} text)
    string(FIND "${text}" ")_text_\"" end)
    if(NOT end EQUAL -1)
      message(FATAL_ERROR "${path} holds the end of a raw string, )_text_\". Write it otherwise.")
    endif()
    string(APPEND body "extern const absl::string_view ${constant};\n"
      "const absl::string_view ${constant} = R\"_text_(${text})_text_\";\n")
  endforeach()
  file(WRITE ${OUTPUT} "${body}}  // namespace ${NAMESPACE}\n")
  return()
endif()

set(sightline_embed_text_script ${CMAKE_CURRENT_LIST_FILE})

function(sightline_embed_text output namespace)
  set(paths ${ARGN})
  list(TRANSFORM paths PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
  string(REPLACE ";" "|" joined "${paths}")
  add_custom_command(OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${output} -DNAMESPACE=${namespace} "-DFILES=${joined}"
      -P ${sightline_embed_text_script}
    DEPENDS ${paths} ${sightline_embed_text_script}
    VERBATIM)
endfunction()
