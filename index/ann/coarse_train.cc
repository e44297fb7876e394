// k-means for CoarseQuantizer, by FAISS. A file of its own, so that nothing else of the quantiser needs OpenMP.
#include <faiss/Clustering.h>
#include <faiss/IndexFlat.h>
#include <faiss/impl/FaissException.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/ann/coarse_quantizer.h"
#include "index/ann/openmp_threads.h"

namespace sightline::index {

absl::StatusOr<std::shared_ptr<const CoarseQuantizer>> CoarseQuantizer::Train(absl::Span<const float> sample,
                                                                              size_t dim, const TrainOptions& options) {
  if (options.lists < 1 || options.lists > kMaxLists) {
    return base::InvalidArgument("IVF_LISTS_INVALID",
                                 absl::StrCat(options.lists, " inverted lists were asked for; 1 to ", kMaxLists,
                                              " are possible. Choose a number in between."),
                                 {{"limit", absl::StrCat(kMaxLists)}, {"actual", absl::StrCat(options.lists)}});
  }
  const size_t rows = dim == 0 ? 0 : sample.size() / dim;
  if (rows < options.lists || rows * dim != sample.size()) {
    return base::FailedPrecondition(
        "IVF_SAMPLE_TOO_SMALL",
        absl::StrCat(rows, " descriptors of ", dim, " values cannot be divided among ", options.lists,
                     " inverted lists. Index more images or ask for fewer lists."),
        {{"limit", absl::StrCat(options.lists)}, {"actual", absl::StrCat(rows)}});
  }
  if (!std::all_of(sample.begin(), sample.end(), [](float value) { return std::isfinite(value); })) {
    return base::InvalidArgument("CENTROIDS_INVALID",
                                 "a descriptor to train on is not finite. Leave it out of the sample.");
  }
  const OpenMpThreads threads(options.threads);
  try {
    faiss::Clustering clustering(static_cast<int>(dim), static_cast<int>(options.lists));
    clustering.spherical = true;
    clustering.seed = options.seed;
    clustering.niter = 1;
    // The sample is the caller's choice: neither warn about it nor thin it out.
    clustering.min_points_per_centroid = 1;
    clustering.max_points_per_centroid = std::numeric_limits<int>::max();
    // One iteration a call, each going on from the centroids of the last: FAISS asks nobody in between.
    for (int iteration = 0; iteration < std::max(1, options.iterations); ++iteration) {
      if (options.cancelled && options.cancelled()) {
        return base::Error(absl::StatusCode::kCancelled, "CANCELLED",
                           "the training of inverted lists was cancelled. Start it again when it is wanted.");
      }
      faiss::IndexFlatIP index(static_cast<int64_t>(dim));
      clustering.train(static_cast<int64_t>(rows), sample.data(), index);
    }
    return Make(clustering.centroids, dim);
  } catch (const faiss::FaissException& error) {
    return base::Error(absl::StatusCode::kInternal, "IVF_TRAINING_FAILED",
                       absl::StrCat("k-means over ", rows, " descriptors failed: ", error.what(),
                                    " Report this; searches go on without inverted lists."));
  }
}

}  // namespace sightline::index
