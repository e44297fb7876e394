// ReadPlainPickle: a pickle of plain data (the ground truth of a benchmark, say) as values. numpy's numbers become
// numbers and its arrays lists, nested as their shape is; sets become lists. Any other name of a Python object is
// refused; nothing is looked up or run.
//
// Threading: a pure function. Ownership: texts view `bytes`, which must outlive the tree. Failure: INVALID_ARGUMENT
// with reason MALFORMED_PICKLE: "the file `problem`."
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const base::PickleTree tree, base::ReadPlainPickle(bytes, {}));
//   const base::PickleValue* const names = tree.Find(tree.at(tree.root), "imlist");
#ifndef SIGHTLINE_BASE_PICKLE_PLAIN_H_
#define SIGHTLINE_BASE_PICKLE_PLAIN_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/pickle/value.h"

namespace sightline::base {

absl::StatusOr<PickleTree> ReadPlainPickle(absl::string_view bytes, const PickleLimits& limits);

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_PICKLE_PLAIN_H_
