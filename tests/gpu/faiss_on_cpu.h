// FAISS's inverted lists on the CPU, in the place of those on a card (index/gpu/faiss_lists.h), which fail when told.
//
// Threading: one thread, but for searches and additions, which may run beside others. Ownership: must outlive what it
// made. Failure: what FAISS throws, with the words it uses for an allocation on a card that failed, and for others.
#ifndef SIGHTLINE_TESTS_GPU_FAISS_ON_CPU_H_
#define SIGHTLINE_TESTS_GPU_FAISS_ON_CPU_H_

#include <faiss/IndexFlat.h>
#include <faiss/IndexScalarQuantizer.h>
#include <faiss/impl/FaissException.h>

#include <atomic>
#include <memory>

#include "index/gpu/faiss_lists.h"

namespace sightline::index {

class FaissOnCpu {
 public:
  enum class Failure { kNone, kMemory, kOther };

  gpu::MakeFaissIndex Maker() {
    return [this](size_t dim, absl::Span<const float> centroids) {
      Throw(make);
      const size_t count = centroids.size() / dim;
      auto flat = std::make_shared<faiss::IndexFlatIP>(static_cast<int64_t>(dim));
      flat->add(static_cast<int64_t>(count), centroids.data());
      auto lists = std::make_shared<Lists>(*this, flat.get(), dim, count);
      return gpu::FaissIndex{.resources = nullptr, .centroids = std::move(flat), .lists = std::move(lists)};
    };
  }

  // What the next call throws, and those after it.
  std::atomic<Failure> make = Failure::kNone;
  std::atomic<Failure> add = Failure::kNone;
  std::atomic<Failure> search = Failure::kNone;

 private:
  class Lists : public faiss::IndexIVFScalarQuantizer {
   public:
    Lists(const FaissOnCpu& owner, faiss::Index* centroids, size_t dim, size_t count)
        : faiss::IndexIVFScalarQuantizer(centroids, dim, count, faiss::ScalarQuantizer::QT_fp16,
                                         faiss::METRIC_INNER_PRODUCT, /*by_residual=*/false),
          owner_(owner) {
      is_trained = true;
    }
    void add_with_ids(int64_t n, const float* x, const int64_t* ids) override {
      Throw(owner_.add);
      IndexIVFScalarQuantizer::add_with_ids(n, x, ids);
    }
    void search(int64_t n, const float* x, int64_t k, float* scores, int64_t* rows,
                const faiss::SearchParameters* parameters) const override {
      Throw(owner_.search);
      IndexIVFScalarQuantizer::search(n, x, k, scores, rows, parameters);
    }

   private:
    const FaissOnCpu& owner_;
  };

  static void Throw(Failure failure) {
    if (failure == Failure::kMemory) throw faiss::FaissException("CUDA memory allocation error");
    if (failure == Failure::kOther) throw faiss::FaissException("an index is what it should not be");
  }
};

}  // namespace sightline::index

#endif  // SIGHTLINE_TESTS_GPU_FAISS_ON_CPU_H_
