// Both scores of pairs of stored images, and pairs to fit a confidence on.
//
// Threading: from any thread; uses the calling one. Failure: NOT_FOUND names an image that is not there; CANCELLED by
// `progress`.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(auto pairs, DrawPairs(*collection, "product", {}, progress));
//   SIGHTLINE_ASSIGN_OR_RETURN(auto scored, ScorePairs(*collection, std::move(pairs), transport, progress));
#ifndef SIGHTLINE_INDEX_PAIR_SCORES_H_
#define SIGHTLINE_INDEX_PAIR_SCORES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "index/collection.h"
#include "index/rerank/confidence.h"
#include "index/rerank/transport_options.h"

namespace sightline::index {

struct IdPair {
  std::string first, second;
  bool same = false;
};

// S_struct of `record`, as a query, against each of `others`; nullopt where one of the two has no patch tokens, or is
// gone. `record` comes with its vectors.
absl::StatusOr<std::vector<std::optional<double>>> StructuralScores(const Collection& collection, const Record& record,
                                                                    absl::Span<const std::string> others,
                                                                    const rerank::TransportOptions& transport);

// The scores of every pair, in no particular order.
absl::StatusOr<std::vector<rerank::LabelledPair>> ScorePairs(const Collection& collection, std::vector<IdPair> pairs,
                                                             const rerank::TransportOptions& transport,
                                                             const Progress& progress);

struct DrawOptions {
  int images = 2'000;   // at most so many are asked for their neighbours, evenly from all that have the label
  int neighbours = 10;  // each gives so many pairs
};

// Pairs of images and their nearest neighbours, as a search would show them, labelled by an attribute: equal values are
// the same object. Images without it are left out.
absl::StatusOr<std::vector<IdPair>> DrawPairs(const Collection& collection, const std::string& label_attribute,
                                              const DrawOptions& options, const Progress& progress);

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_PAIR_SCORES_H_
