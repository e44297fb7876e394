// Database-side augmentation: every descriptor moved towards its nearest neighbours, offline, so that searches find
// what they would have found by query expansion without paying for a second search.
//
//   x'_i = L2(x_i + sum over j in N(i) of max(x_i.x_j, 0)^alpha x_j)        N(i): the k nearest rows other than i
//
// All x' are made from descriptors as they were written; none is made from another x'. Source: Arandjelovic and
// Zisserman, CVPR 2012 (database-side augmentation), with the weights of Radenovic et al., TPAMI 2019.
//
// Threading: AugmentRow is a pure function; AugmentRows runs on the caller's thread and calls the source from there.
// Ownership: the source must outlive the call. Failure: that of the source, at once; CANCELLED when `progress` returns
// false. What the sink has taken by then stays with the sink.
//
//   SIGHTLINE_RETURN_IF_ERROR(rerank::AugmentRows(source, {.neighbours = 10}, progress));
#ifndef SIGHTLINE_INDEX_RERANK_AUGMENTATION_H_
#define SIGHTLINE_INDEX_RERANK_AUGMENTATION_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "index/rerank/descriptor_rows.h"
#include "index/rerank/query_expansion.h"

namespace sightline::index::rerank {

// The rows to be augmented, and where the results go.
class AugmentationSource {
 public:
  struct Neighbours {
    std::vector<float> rows;     // cosines.size() x dim, nearest first
    std::vector<float> cosines;  // with the row asked about
  };

  virtual ~AugmentationSource() = default;

  virtual int64_t rows() const = 0;
  virtual size_t dim() const = 0;
  // Fills `descriptor` (dim values) as it was written. False where the row is dead: nothing more is asked about it.
  virtual absl::StatusOr<bool> Read(int64_t row, absl::Span<float> descriptor) = 0;
  // The `count` nearest rows alive, without the row itself. Fewer where there are no more.
  virtual absl::StatusOr<Neighbours> Nearest(int64_t row, absl::Span<const float> descriptor, size_t count) = 0;
  // Takes the result for a row. Must not change what Read and Nearest answer.
  virtual absl::Status Write(int64_t row, absl::Span<const float> augmented) = 0;
};

struct AugmentationOptions {
  size_t neighbours = kAverageNeighbours;  // at least 1
  double alpha = kDefaultAlpha;
};

// The formula for one row.
std::vector<float> AugmentRow(const float* row, const DescriptorRows& neighbours, const float* cosines, double alpha);

// Every row of the source, in order. `progress` is called with rows done and rows in all, every 256 rows and at the
// end; it may be empty.
absl::Status AugmentRows(AugmentationSource& source, const AugmentationOptions& options,
                         const std::function<bool(int64_t done, int64_t total)>& progress);

}  // namespace sightline::index::rerank

#endif  // SIGHTLINE_INDEX_RERANK_AUGMENTATION_H_
