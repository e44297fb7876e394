// Groups of images that show the same thing: candidates by descriptor, each pair verified by its patches.
//
// For every image its nearest neighbours are searched; a pair that could be alike by its cosine is compared by optimal
// transport, and pairs that are alike join their images to one group. The work is one search per image, and one transport
// per pair that comes so far.
//
// Threading: from any thread; uses the calling one. Failure: Status of the searches and reads; CANCELLED by `progress`.
// Images that are written or deleted meanwhile may be missed or named.
//
//   DuplicateOptions options;
//   options.alike = [](double score, std::optional<double> structural) { return score > 0.9 && structural > 0.8; };
//   SIGHTLINE_ASSIGN_OR_RETURN(const Duplicates found, FindDuplicates(*collection, options, progress));
#ifndef SIGHTLINE_INDEX_DUPLICATES_H_
#define SIGHTLINE_INDEX_DUPLICATES_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "index/collection.h"
#include "index/rerank/transport_options.h"

namespace sightline::index {

struct DuplicateOptions {
  std::string filter;   // only images that satisfy it
  int neighbours = 10;  // verified at most, of each image
  rerank::TransportOptions transport;
  // Whether two images are alike, by cosine and S_struct (nullopt where one of them has no patch tokens). Must not grow
  // less willing as either grows.
  std::function<bool(double score, std::optional<double> structural)> alike;
};

struct AlikePair {
  std::string first, second;  // in the order of writing
  double score = 0;
  std::optional<double> structural;
};

struct DuplicateGroup {
  std::vector<std::string> ids;  // at least two, in the order of writing
  std::vector<AlikePair> pairs;  // what joins them
};

struct Duplicates {
  std::vector<DuplicateGroup> groups;  // largest first, then in the order of writing
  int64_t images = 0;                  // looked at
  int64_t verified_pairs = 0;          // compared by their patches
};

absl::StatusOr<Duplicates> FindDuplicates(const Collection& collection, const DuplicateOptions& options,
                                          const Progress& progress);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_DUPLICATES_H_
