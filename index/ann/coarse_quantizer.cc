#include "index/ann/coarse_quantizer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/ann/little_endian.h"
#include "index/ann/top_k.h"

namespace sightline::index {
namespace {

// Centroids that many rows are compared with before the next come: 100 KB at 1536 values, which the second-level cache
// keeps.
constexpr size_t kCentroidBlock = 64;
// Rows that share a block of centroids.
constexpr size_t kRowBatch = 32;

// The bytes: u32 dim, u32 lists, then for every centroid dim codes, f32 scale, f32 error.
constexpr size_t kCentroidsHeader = 8;
size_t CentroidBytes(size_t dim) { return dim + 2 * sizeof(float); }

absl::Status DamagedCentroids(absl::string_view what) {
  return base::Error(absl::StatusCode::kDataLoss, "CENTROIDS_DAMAGED",
                     absl::StrCat("the centroids' bytes are damaged: ", what, ". Train them again from the records."));
}

}  // namespace

CoarseQuantizer::CoarseQuantizer(size_t lists, size_t dim)
    : lists_(lists),
      codes_(kernels::CodeLayout(dim), std::bit_ceil(static_cast<uint32_t>(lists)), static_cast<uint32_t>(lists)) {}

size_t CoarseQuantizer::DefaultLists(int64_t rows) {
  const double lists = 4 * std::sqrt(static_cast<double>(std::max<int64_t>(rows, 0)));
  return std::clamp<size_t>(static_cast<size_t>(lists), 1, kMaxLists);
}

size_t CoarseQuantizer::DefaultNprobe(size_t lists) { return std::min(lists, std::max<size_t>(16, lists / 32)); }

absl::StatusOr<std::shared_ptr<const CoarseQuantizer>> CoarseQuantizer::Make(absl::Span<const float> centroids,
                                                                             size_t dim) {
  const size_t lists = dim == 0 ? 0 : centroids.size() / dim;
  if (lists < 1 || lists > kMaxLists || lists * dim != centroids.size()) {
    return base::InvalidArgument("CENTROIDS_INVALID",
                                 absl::StrCat(centroids.size(), " values are not 1 to ", kMaxLists, " centroids of ",
                                              dim, " values. Give whole centroids."),
                                 {{"limit", absl::StrCat(kMaxLists)}, {"actual", absl::StrCat(lists)}});
  }
  if (!std::all_of(centroids.begin(), centroids.end(), [](float value) { return std::isfinite(value); })) {
    return base::InvalidArgument("CENTROIDS_INVALID",
                                 "a centroid has a value that is not finite. Train on finite descriptors.");
  }
  std::shared_ptr<CoarseQuantizer> quantizer(new CoarseQuantizer(lists, dim));
  for (size_t list = 0; list < lists; ++list) {
    kernels::EncodeRow(quantizer->layout(), centroids.data() + list * dim,
                       quantizer->codes_.MutableRow(static_cast<uint32_t>(list)));
  }
  return quantizer;
}

std::vector<float> CoarseQuantizer::Centroids() const {
  std::vector<float> values(lists_ * dim());
  for (size_t list = 0; list < lists_; ++list) {
    kernels::DecodeRow(layout(), codes_.Row(static_cast<uint32_t>(list)), values.data() + list * dim());
  }
  return values;
}

absl::Status CoarseQuantizer::Save(Sink sink) const {
  std::string out;
  little_endian::AppendU32(out, static_cast<uint32_t>(dim()));
  little_endian::AppendU32(out, static_cast<uint32_t>(lists_));
  for (uint32_t list = 0; list < lists_; ++list) {
    const uint8_t* row = codes_.Row(list);
    const kernels::CodeTrailer trailer = layout().Trailer(row);
    out.append(reinterpret_cast<const char*>(row), dim());
    little_endian::AppendF32(out, trailer.scale);
    little_endian::AppendF32(out, trailer.error);
  }
  return sink(out);
}

absl::StatusOr<std::shared_ptr<const CoarseQuantizer>> CoarseQuantizer::Load(absl::string_view bytes, size_t dim) {
  if (bytes.size() < kCentroidsHeader) {
    return DamagedCentroids(absl::StrCat("there are ", bytes.size(), ", less than the header's ", kCentroidsHeader));
  }
  const size_t declared_dim = little_endian::LoadU32(bytes.data());
  const size_t lists = little_endian::LoadU32(bytes.data() + 4);
  if (declared_dim != dim) {
    return DamagedCentroids(absl::StrCat("they are of ", declared_dim, " values, the collection's of ", dim));
  }
  if (lists < 1 || lists > kMaxLists || bytes.size() - kCentroidsHeader != lists * CentroidBytes(dim)) {
    return DamagedCentroids(absl::StrCat("they declare ", lists, " centroids of ", CentroidBytes(dim), " bytes, and ",
                                         bytes.size() - kCentroidsHeader, " bytes follow the header"));
  }
  std::shared_ptr<CoarseQuantizer> quantizer(new CoarseQuantizer(lists, dim));
  const char* next = bytes.data() + kCentroidsHeader;
  for (size_t list = 0; list < lists; ++list, next += CentroidBytes(dim)) {
    const kernels::CodeTrailer trailer{little_endian::LoadF32(next + dim),
                                       little_endian::LoadF32(next + dim + sizeof(float))};
    // Written so that a NaN fails.
    if (!(trailer.scale >= 0 && trailer.error >= 0 && std::isfinite(trailer.scale) && std::isfinite(trailer.error))) {
      return DamagedCentroids(absl::StrCat("scale or error of centroid ", list, " is negative or not finite"));
    }
    uint8_t* row = quantizer->codes_.MutableRow(static_cast<uint32_t>(list));
    std::memcpy(row, next, dim);
    std::memcpy(row + quantizer->layout().stride - sizeof(trailer), &trailer, sizeof(trailer));
  }
  return quantizer;
}

void CoarseQuantizer::Assign(absl::Span<const uint8_t* const> rows, uint32_t* out) const {
  std::vector<kernels::Int8Query> queries;
  std::vector<float> scores(kCentroidBlock);
  for (size_t first = 0; first < rows.size(); first += kRowBatch) {
    const size_t batch = std::min(kRowBatch, rows.size() - first);
    for (size_t i = 0; i < batch; ++i) {
      if (i < queries.size()) {
        queries[i].Assign(rows[first + i]);
      } else {
        queries.emplace_back(layout(), rows[first + i]);
      }
    }
    std::vector<float> best(batch, -std::numeric_limits<float>::infinity());
    std::fill_n(out + first, batch, 0);
    for (size_t list = 0; list < lists_; list += kCentroidBlock) {
      const size_t count = std::min(kCentroidBlock, lists_ - list);
      for (size_t i = 0; i < batch; ++i) {
        kernels::Int8Scores(queries[i], codes_.Row(static_cast<uint32_t>(list)), count, scores.data());
        for (size_t c = 0; c < count; ++c) {
          if (scores[c] <= best[i]) continue;
          best[i] = scores[c];
          out[first + i] = static_cast<uint32_t>(list + c);
        }
      }
    }
  }
}

std::vector<uint32_t> CoarseQuantizer::Nearest(const kernels::Int8Query& query, size_t nprobe) const {
  std::vector<float> scores(lists_);
  kernels::Int8Scores(query, codes_.Row(0), lists_, scores.data());
  TopK top(std::min(nprobe, lists_));
  for (size_t list = 0; list < lists_; ++list) {
    if (top.Wants(scores[list])) top.Add(scores[list], list);
  }
  std::vector<uint32_t> nearest;
  for (const ScoredRow& scored : std::move(top).Take()) nearest.push_back(static_cast<uint32_t>(scored.row));
  return nearest;
}

}  // namespace sightline::index
