// OpenLists with a FAISS that has a GPU.
#include <faiss/gpu/GpuIndexFlat.h>
#include <faiss/gpu/GpuIndexIVFScalarQuantizer.h>
#include <faiss/gpu/StandardGpuResources.h>

#include <exception>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "index/gpu/faiss_lists.h"

namespace sightline::index::gpu {
namespace {

// Through which rows go to the card; FAISS takes 256 MB unless told.
constexpr size_t kPinnedBytes = size_t{16} << 20;

// In half precision and without residuals, so that a row takes 2 bytes a value and nothing is to be trained.
FaissIndex MakeOnCard(const std::shared_ptr<faiss::gpu::StandardGpuResources>& resources, int device, size_t dim,
                      absl::Span<const float> centroids) {
  const auto lists = static_cast<int64_t>(centroids.size() / dim);
  faiss::gpu::GpuIndexFlatConfig flat;
  flat.device = device;
  faiss::gpu::GpuIndexIVFScalarQuantizerConfig inverted;
  inverted.device = device;
  inverted.indicesOptions = faiss::gpu::INDICES_64_BIT;
  FaissIndex index;
  index.resources = resources;
  index.centroids = std::make_shared<faiss::gpu::GpuIndexFlatIP>(resources.get(), static_cast<int>(dim), flat);
  index.centroids->add(lists, centroids.data());
  index.lists = std::make_shared<faiss::gpu::GpuIndexIVFScalarQuantizer>(
      resources.get(), index.centroids.get(), static_cast<int>(dim), lists, faiss::ScalarQuantizer::QT_fp16,
      faiss::METRIC_INNER_PRODUCT, /*encodeResidual=*/false, inverted);
  // Only takes note that the centroids are there.
  index.lists->train(lists, centroids.data());
  return index;
}

}  // namespace

absl::StatusOr<std::shared_ptr<ListDevice>> OpenLists(std::shared_ptr<Card> card, const ListDeviceOptions& options) {
  std::shared_ptr<faiss::gpu::StandardGpuResources> resources;
  const int device = card->device();
  try {
    resources = std::make_shared<faiss::gpu::StandardGpuResources>();
    resources->setTempMemory(options.scratch_bytes);
    resources->setPinnedMemory(kPinnedBytes);
  } catch (const std::exception& error) {
    return base::Error(absl::StatusCode::kInternal, "FAISS_FAILED",
                       absl::StrCat("FAISS cannot use cuda:", device, ": ", error.what(),
                                    " Report this; inverted lists stay on the CPU."));
  }
  return MakeFaissLists(std::move(card), [resources, device](size_t dim, absl::Span<const float> centroids) {
    return MakeOnCard(resources, device, dim, centroids);
  });
}

}  // namespace sightline::index::gpu
