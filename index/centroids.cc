#include "index/centroids.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "base/status.h"
#include "index/store/codec.h"
#include "index/store/sealed_file.h"

namespace sightline::index {
namespace {

constexpr absl::string_view kCentroidsMagic = "SLCENTR\n";
// Fewer rows for each centroid say little about where it should be.
constexpr int64_t kMinRowsPerList = 32;
// Far above what a centroid takes beside its codes.
constexpr uint64_t kMaxCentroidExtra = 64;

}  // namespace

size_t ListsFor(int64_t rows, int asked) {
  const size_t lists = asked > 0 ? static_cast<size_t>(asked) : CoarseQuantizer::DefaultLists(rows);
  return rows >= kMinRowsPerList * static_cast<int64_t>(lists) ? lists : 0;
}

absl::StatusOr<Quantizers> TrainCentroids(const SegmentList::Segments& segments, size_t lists, bool product,
                                          int threads, const std::function<bool()>& cancelled) {
  std::vector<std::pair<const Segment*, uint32_t>> rows;
  for (const auto& segment : segments) {
    for (uint32_t row = 0; row < segment->rows(); ++row) {
      if (segment->row_table().Alive(row)) rows.emplace_back(segment.get(), row);
    }
  }
  // The same rows give the same centroids.
  std::mt19937_64 random(1);
  std::shuffle(rows.begin(), rows.end(), random);
  // A few lists would be content with fewer rows than product codes are learnt from.
  const size_t wanted = std::max(CoarseQuantizer::SampleRows(lists), product ? kMinRowsOfProduct : 0);
  rows.resize(std::min(rows.size(), wanted));
  const size_t dim = segments.front()->shape().chunk.dim;
  std::vector<float> sample(rows.size() * dim);
  size_t taken = 0;
  for (const auto& [segment, row] : rows) {
    const absl::Status read = segment->Read(row, sample.data() + taken * dim);
    if (absl::IsNotFound(read)) continue;  // deleted meanwhile
    SIGHTLINE_RETURN_IF_ERROR(read);
    ++taken;
  }
  sample.resize(taken * dim);
  CoarseQuantizer::TrainOptions options;
  options.lists = std::min(lists, taken);
  options.threads = threads;
  options.cancelled = cancelled;
  Quantizers quantizers;
  SIGHTLINE_ASSIGN_OR_RETURN(quantizers.coarse, CoarseQuantizer::Train(sample, dim, options));
  if (product) {
    ProductQuantizer::TrainOptions codes;
    codes.threads = threads;
    SIGHTLINE_ASSIGN_OR_RETURN(quantizers.product, ProductQuantizer::Train(sample, dim, codes));
  }
  return quantizers;
}

// The bytes: the size of the coarse quantiser (8 bytes), the coarse quantiser, and what there is of a product
// quantiser.
absl::Status SaveCentroids(const Quantizers& quantizers, const Files& files, const std::string& path,
                           LinksFileInfo* info) {
  std::string bytes(sizeof(uint64_t), '\0');
  SIGHTLINE_RETURN_IF_ERROR(quantizers.coarse->Save([&bytes](absl::string_view more) {
    bytes.append(more.data(), more.size());
    return absl::OkStatus();
  }));
  const uint64_t size = bytes.size() - sizeof(size);
  std::memcpy(bytes.data(), &size, sizeof(size));
  if (quantizers.product != nullptr) {
    SIGHTLINE_ASSIGN_OR_RETURN(const std::string product, quantizers.product->Save());
    bytes += product;
  }
  SIGHTLINE_ASSIGN_OR_RETURN(const SealedFileInfo written,
                             WriteSealedFile(files, path, kCentroidsMagic, [&](ByteSink sink) { return sink(bytes); }));
  info->rows = static_cast<uint32_t>(quantizers.coarse->lists());
  info->bytes = written.bytes;
  info->checksum = written.checksum;
  return absl::OkStatus();
}

absl::StatusOr<Quantizers> LoadCentroids(const Files& files, const std::string& path, const LinksFileInfo& info,
                                         size_t dim) {
  const uint64_t most = (info.rows + uint64_t{1}) * (kernels::CodeLayout(dim).stride + kMaxCentroidExtra) +
                        ProductQuantizer::kCentroids * (dim + kMaxCentroidExtra) * sizeof(float) * 2;
  SIGHTLINE_ASSIGN_OR_RETURN(const std::string bytes,
                             ReadSealedFile(files, path, kCentroidsMagic, {info.bytes, info.checksum}, most));
  uint64_t size = 0;
  if (bytes.size() < sizeof(size)) return DamagedError("centroids", "they end too soon");
  std::memcpy(&size, bytes.data(), sizeof(size));
  const absl::string_view rest = absl::string_view(bytes).substr(sizeof(size));
  if (size > rest.size()) return DamagedError("centroids", "they end too soon");
  Quantizers quantizers;
  SIGHTLINE_ASSIGN_OR_RETURN(quantizers.coarse, CoarseQuantizer::Load(rest.substr(0, size), dim));
  if (size < rest.size()) {
    SIGHTLINE_ASSIGN_OR_RETURN(quantizers.product, ProductQuantizer::Load(rest.substr(size), dim));
  }
  return quantizers;
}

}  // namespace sightline::index
