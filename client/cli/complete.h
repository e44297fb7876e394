// Complete: what could stand where the cursor is. The shells' scripts (completion_scripts.h) ask for it, so that all
// three know the same and none holds a list of its own.
//
// Threading: once at a time. Failure: none; what cannot be found out (a server that does not answer within half a
// second) is left out.
#ifndef SIGHTLINE_CLIENT_CLI_COMPLETE_H_
#define SIGHTLINE_CLIENT_CLI_COMPLETE_H_

#include <string>
#include <vector>

#include "client/cli/command.h"

namespace sightline::cli {

struct Completion {
  std::string text;
  std::string help;  // may be empty
};

struct Completions {
  bool files = false;  // whatever the shell offers for files
  std::vector<Completion> words;
};

// `words`: what is typed behind "sightline", the last one unfinished and perhaps empty. A "=" that the shell took for
// a word of its own is understood.
Completions Complete(const Context& context, const std::vector<Command>& commands, std::vector<std::string> words);

// As the scripts read it: "files" or "words", then a line of text, tab and help for each word.
std::string CompletionLines(const Completions& completions);

}  // namespace sightline::cli

#endif  // SIGHTLINE_CLIENT_CLI_COMPLETE_H_
