#include "client/cli/completion_scripts.h"

namespace sightline::cli {
namespace {

constexpr char kBash[] = R"(# Completion of sightline for bash: source <(sightline completion bash)
_sightline() {
  local -a lines
  mapfile -t lines < <("${COMP_WORDS[0]/#\~/$HOME}" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
  COMPREPLY=()
  if [[ ${lines[0]-} == files ]]; then
    local word=${COMP_WORDS[COMP_CWORD]}
    [[ $word == = ]] && word=
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
    return
  fi
  local i
  for ((i = 1; i < ${#lines[@]}; ++i)); do COMPREPLY+=("${lines[i]%%$'\t'*}"); done
}
complete -F _sightline sightline
)";

constexpr char kZsh[] = R"(#compdef sightline
# Completion of sightline for zsh: source <(sightline completion zsh), or this as _sightline in a folder of $fpath
_sightline() {
  local -a lines described
  local line
  lines=("${(@f)$(${~words[1]} __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ $lines[1] == files ]]; then
    compset -P '*='
    _files
    return
  fi
  for line in "${(@)lines[2,-1]}"; do
    described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
  done
  _describe -V sightline described
}
if [[ $funcstack[1] == _sightline ]]; then
  _sightline "$@"
else
  compdef _sightline sightline
fi
)";

constexpr char kFish[] = R"(# Completion of sightline for fish: sightline completion fish | source
function __sightline_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  test -z "$current"; and set current ''
  set -l lines (command $words[1] __complete -- $words[2..-1] $current 2>/dev/null)
  if test "$lines[1]" = files
    __fish_complete_path (string replace -r '^--[^=]*=' '' -- $current)
  else
    printf '%s\n' $lines[2..-1]
  end
end
complete -c sightline -f -a '(__sightline_complete)'
)";

}  // namespace

absl::string_view CompletionScript(absl::string_view shell) {
  if (shell == "bash") return kBash;
  if (shell == "zsh") return kZsh;
  if (shell == "fish") return kFish;
  return "";
}

}  // namespace sightline::cli
