// The one way in which readers of checkpoints refuse bytes that are not what they claim.
//
// Threading: pure functions. Failure: none.
#ifndef SIGHTLINE_MODEL_WEIGHTS_CHECKPOINT_ERROR_H_
#define SIGHTLINE_MODEL_WEIGHTS_CHECKPOINT_ERROR_H_

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status.h"

namespace sightline::weights {

// INVALID_ARGUMENT with reason MALFORMED_WEIGHTS: "the checkpoint `problem`. `remedy`"
inline absl::Status MalformedCheckpoint(absl::string_view problem,
                                        absl::string_view remedy = "Download or export it again.") {
  return base::InvalidArgument("MALFORMED_WEIGHTS", absl::StrCat("the checkpoint ", problem, ". ", remedy));
}

}  // namespace sightline::weights

#endif  // SIGHTLINE_MODEL_WEIGHTS_CHECKPOINT_ERROR_H_
