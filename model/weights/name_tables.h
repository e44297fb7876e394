// The published families of tensor names and what each name is called here.
//
// Threading: constants. Failure: none.
#ifndef SIGHTLINE_MODEL_WEIGHTS_NAME_TABLES_H_
#define SIGHTLINE_MODEL_WEIGHTS_NAME_TABLES_H_

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace sightline::weights {

// Patterns of name_pattern.h. In `to`, "@" stands for the type of the model's head. The first rule counts whose result
// is a tensor of the model.
struct NameRule {
  absl::string_view from;
  absl::string_view to;
};

struct NameFamily {
  absl::string_view name;
  absl::Span<const NameRule> rules;
};

absl::Span<const NameFamily> NameFamilies();

// Names that no model has a use for, and why. Looked at where no rule found a tensor of the right shape.
struct IgnoredName {
  absl::string_view pattern;
  absl::string_view reason;
};
absl::Span<const IgnoredName> IgnoredNames();

// What wrappers of modules put in front of every name; they may follow each other.
absl::Span<const absl::string_view> WrapperPrefixes();

}  // namespace sightline::weights

#endif  // SIGHTLINE_MODEL_WEIGHTS_NAME_TABLES_H_
