// CoarseQuantizer: the centroids that a collection's inverted lists are named after; one for all its segments.
//
// Centroids are kept as int8 codes, as rows are: a row is compared with every centroid by the same kernel, from its
// codes alone, and 12,649 centroids of 1536 values (10 M rows) take 20 MB, not 78. A row belongs to the list whose
// centroid gives the greatest estimate of the inner product, the first of equal ones.
//
// k-means is FAISS's (coarse_train.cc). Nothing that is not trained exists: Make, Train and Load give a complete
// quantiser or an error.
//
// Threading: immutable; all methods may be called from any thread. Train takes minutes for large collections and enters
// OpenMP regions: it runs on a build thread. Ownership: owns its centroids; held by shared_ptr, since every segment's
// lists refer to it. Failure: Status.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(auto quantizer, CoarseQuantizer::Train(sample, dim, {.lists = 4000}));
//   const std::vector<uint32_t> lists = quantizer->Nearest(query, /*nprobe=*/32);
#ifndef SIGHTLINE_INDEX_ANN_COARSE_QUANTIZER_H_
#define SIGHTLINE_INDEX_ANN_COARSE_QUANTIZER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "index/ann/code_table.h"
#include "index/kernels/int8_code.h"

namespace sightline::index {

class CoarseQuantizer {
 public:
  static constexpr size_t kMaxLists = 65'536;  // a list's number fits two bytes

  struct TrainOptions {
    size_t lists = 0;     // 1 to kMaxLists
    int iterations = 10;  // k-means gains little beyond
    int threads = 1;      // of OpenMP, for this call
    int seed = 1;
    std::function<bool()> cancelled;  // asked before every iteration; may be empty
  };

  // About 4 sqrt(rows): a search then spends about as much on the centroids as on the rows.
  static size_t DefaultLists(int64_t rows);
  // What finds 95 of 100 nearest rows where rows form clusters; more where they do not.
  static size_t DefaultNprobe(size_t lists);
  // Rows that Train should see: more do not change the centroids much.
  static size_t SampleRows(size_t lists) { return 64 * lists; }

  // From centroids that exist already: lists x dim values, finite.
  static absl::StatusOr<std::shared_ptr<const CoarseQuantizer>> Make(absl::Span<const float> centroids, size_t dim);
  // Spherical k-means over rows x dim values, L2-normalised. Refuses fewer rows than lists.
  static absl::StatusOr<std::shared_ptr<const CoarseQuantizer>> Train(absl::Span<const float> sample, size_t dim,
                                                                      const TrainOptions& options);

  using Sink = absl::FunctionRef<absl::Status(absl::string_view)>;
  absl::Status Save(Sink sink) const;
  // What Save wrote. The caller has verified the bytes' checksum; every number is checked all the same, before memory
  // is taken for it, and DATA_LOSS says which is wrong.
  static absl::StatusOr<std::shared_ptr<const CoarseQuantizer>> Load(absl::string_view bytes, size_t dim);

  // The list of each row of codes, into out (rows.size() numbers).
  void Assign(absl::Span<const uint8_t* const> rows, uint32_t* out) const;
  // The `nprobe` nearest lists or all there are, best first; of equal ones the lower first.
  std::vector<uint32_t> Nearest(const kernels::Int8Query& query, size_t nprobe) const;

  // What the codes stand for: lists() x dim() values.
  std::vector<float> Centroids() const;

  size_t lists() const { return lists_; }
  size_t dim() const { return codes_.layout().dim; }
  const kernels::CodeLayout& layout() const { return codes_.layout(); }
  int64_t memory_bytes() const { return static_cast<int64_t>(lists_ * layout().stride); }

 private:
  CoarseQuantizer(size_t lists, size_t dim);

  const size_t lists_;
  CodeTable codes_;  // of the centroids, in one chunk
};

}  // namespace sightline::index

#endif  // SIGHTLINE_INDEX_ANN_COARSE_QUANTIZER_H_
