// Examine: reads every byte of a data directory that has a checksum, and says what is well and what is not. Changes
// nothing, so that it may be used on data that nobody dares to start with.
//
// Threading: a pure function of the files; while a server writes them, what it finds may be about to change. Failure:
// every line has its own Status.
//
//   for (const index::Examined& line : index::ExamineDirectory("/var/lib/sightline", limits)) Print(line);
#ifndef SIGHTLINE_INDEX_EXAMINE_H_
#define SIGHTLINE_INDEX_EXAMINE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "index/record.h"

namespace sightline::index {

struct Examined {
  std::string what;     // "collection shop", "snapshots/3"
  absl::Status status;  // why it is not well
  std::string found;    // "480 images, 3 segment files"; empty when it is not well
};

// Nothing when the directory does not exist.
std::vector<Examined> ExamineDirectory(const std::string& directory, const RecordLimits& limits);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_EXAMINE_H_
