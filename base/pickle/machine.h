// RunPickle: the stack machine of a pickle, up to building plain values. It runs nothing: what a pickle may name and
// call is the business of the PickleObjects it is given, which do each known function in their own terms and refuse
// every other name.
//
// Protocols 0 to 5, as far as plain data needs them. A dict or list that contains itself is refused, so a walk over the
// values ends; nesting has no limit, so such a walk must not recurse without one of its own. What is read costs memory
// in proportion to the bytes there are: a length that claims more is refused before anything is allocated.
//
// Threading: one thread at a time. Ownership: adds to the tree it is given. Failure: the errors of PickleObjects.
//
//   SIGHTLINE_RETURN_IF_ERROR(RunPickle(bytes, limits, objects, &tree));
//   const PickleValue& root = tree.at(tree.root);
#ifndef SIGHTLINE_BASE_PICKLE_MACHINE_H_
#define SIGHTLINE_BASE_PICKLE_MACHINE_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/pickle/value.h"

namespace sightline::base {

class PickleObjects {
 public:
  virtual ~PickleObjects() = default;
  // What stands for a name: a kGlobal, or an error that says that nothing was looked up.
  virtual absl::StatusOr<PickleValue> Global(absl::string_view module, absl::string_view name) = 0;
  // The result of a call, whatever values these are.
  virtual absl::StatusOr<PickleId> Call(PickleId function, PickleId arguments) = 0;
  // What an object is given after it was made.
  virtual absl::Status SetState(PickleId target, PickleId state) = 0;
  // What a reference to something outside of the pickle stands for.
  virtual absl::StatusOr<PickleId> Persistent(PickleId id) = 0;
  // The error for a file that `problem`, as in "holds a pickle that is cut off".
  virtual absl::Status Malformed(absl::string_view problem) const = 0;
};

// Reads one pickle of at most `limits.max_bytes` from the beginning of `bytes`.
absl::Status RunPickle(absl::string_view bytes, const PickleLimits& limits, PickleObjects& objects, PickleTree* tree);

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_PICKLE_MACHINE_H_
