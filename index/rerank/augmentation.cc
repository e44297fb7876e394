#include "index/rerank/augmentation.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::index::rerank {
namespace {

// Often enough that a cancelled operation ends within a second even where a search takes milliseconds.
constexpr int64_t kRowsPerReport = 256;

}  // namespace

std::vector<float> AugmentRow(const float* row, const DescriptorRows& neighbours, const float* cosines, double alpha) {
  return ExpandAlphaWeighted(row, neighbours, cosines, neighbours.count, alpha);
}

absl::Status AugmentRows(AugmentationSource& source, const AugmentationOptions& options,
                         const std::function<bool(int64_t done, int64_t total)>& progress) {
  const int64_t total = source.rows();
  const size_t dim = source.dim();
  std::vector<float> descriptor(dim);
  for (int64_t row = 0; row < total; ++row) {
    if (row % kRowsPerReport == 0 && progress && !progress(row, total)) {
      return base::Error(absl::StatusCode::kCancelled, "CANCELLED",
                         absl::StrCat("augmentation was cancelled after ", row, " of ", total,
                                      " descriptors. Start it again to augment all of them."));
    }
    SIGHTLINE_ASSIGN_OR_RETURN(const bool alive, source.Read(row, absl::MakeSpan(descriptor)));
    if (!alive) continue;
    SIGHTLINE_ASSIGN_OR_RETURN(const AugmentationSource::Neighbours nearest,
                               source.Nearest(row, descriptor, options.neighbours));
    const DescriptorRows rows{nearest.rows.data(), nearest.cosines.size(), dim, dim};
    SIGHTLINE_RETURN_IF_ERROR(
        source.Write(row, AugmentRow(descriptor.data(), rows, nearest.cosines.data(), options.alpha)));
  }
  if (progress) progress(total, total);
  return absl::OkStatus();
}

}  // namespace sightline::index::rerank
