// Patterns over the names of tensors: "s#.b#.f.a.*" matches "s1.b2.f.a.weight", and "layer{1}.{2-1}.conv1.*" makes
// "layer1.1.conv1.weight" of it.
//
//   #  a run of digits       *  any text, at most once in a pattern
//   {n}  the n-th run, from 1;  {n-1}, {n+1}  the number before or after it;  *  the text
//
// Threading: pure functions. Failure: std::nullopt where a name does not match, or a number falls below 0.
#ifndef SIGHTLINE_MODEL_WEIGHTS_NAME_PATTERN_H_
#define SIGHTLINE_MODEL_WEIGHTS_NAME_PATTERN_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace sightline::weights {

// What `to` becomes where `name` matches `from`.
std::optional<std::string> Rename(absl::string_view name, absl::string_view from, absl::string_view to);

}  // namespace sightline::weights

#endif  // SIGHTLINE_MODEL_WEIGHTS_NAME_PATTERN_H_
