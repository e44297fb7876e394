// ForEach: the same job for many items, on every processor.
//
// Threading: starts threads of its own and joins them; `work` runs on several at a time. Ownership: borrows `work`
// during the call. Failure: the first Status that was not OK; items not yet begun are left out.
//
//   SIGHTLINE_RETURN_IF_ERROR(base::ForEach(files.size(), base::Processors(), [&](size_t i, size_t) { return
//   Read(files[i]); }));
#ifndef SIGHTLINE_BASE_FOR_EACH_H_
#define SIGHTLINE_BASE_FOR_EACH_H_

#include <cstddef>
#include <functional>

#include "absl/status/status.h"

namespace sightline::base {

// At least 1.
size_t Processors();

// work(item, thread) for every item below `count`; `thread` is below `threads`, and no two calls have the same one at
// the same time.
absl::Status ForEach(size_t count, size_t threads, const std::function<absl::Status(size_t item, size_t thread)>& work);

}  // namespace sightline::base

#endif  // SIGHTLINE_BASE_FOR_EACH_H_
