#include <omp.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "model/engine/int8_rows.h"
#include "model/engine/int8_weights.h"
#include "model/engine/linear_map.h"
#include "model/engine/onednn.h"
#include "model/engine/parallel.h"

namespace sightline::model::engine {
namespace {

using dnnl::memory;

constexpr auto kCodes = memory::data_type::u8;
constexpr auto kWeightCodes = memory::data_type::s8;
constexpr auto kProducts = memory::data_type::s32;

// Rows that go through all steps before the next ones come: their products stay in the caches.
constexpr int64_t kBlockRowsPerThread = 128;
// Rows of one task of the steps before and behind the product.
constexpr int64_t kTaskRows = 8;

// task(row) for every row in [0, rows).
template <class Task>
void ForRows(int64_t rows, const Task& task) {
  ParallelTasks((rows + kTaskRows - 1) / kTaskRows, [&](int64_t part, int) {
    const int64_t end = std::min(rows, (part + 1) * kTaskRows);
    for (int64_t row = part * kTaskRows; row < end; ++row) task(row);
  });
}

class Int8Linear final : public LinearMap {
 public:
  Int8Linear(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias, int64_t in, int64_t out)
      : Int8Linear(std::move(pool), Int8Weights(weight, out, in), bias, in, out) {}

 private:
  void Run(const float* x, int64_t rows, const Epilogue& epilogue, float* y) override {
    if (rows == 0) return;
    const int64_t most = kBlockRowsPerThread * omp_get_max_threads();
    const int64_t blocks = (rows + most - 1) / most;
    const int64_t block = (rows + blocks - 1) / blocks;
    const Buffer codes = BufferPool::Take(pool_, static_cast<size_t>(block * in_));
    const Buffer products = BufferPool::Take(pool_, static_cast<size_t>(block * out_) * sizeof(int32_t));
    std::vector<RowCode> row_codes(static_cast<size_t>(block));
    for (int64_t begin = 0; begin < rows; begin += block) {
      const int64_t count = std::min(block, rows - begin);
      Quantise(x + begin * in_, count, static_cast<uint8_t*>(codes.data()), row_codes.data());
      Multiply(codes.data(), count, products.data());
      Restore(static_cast<const int32_t*>(products.data()), count, row_codes.data(), epilogue, y + begin * out_);
    }
  }

  struct Key {
    int64_t rows = 0;
    int threads = 0;
    bool operator==(const Key&) const = default;
  };

  Int8Linear(std::shared_ptr<BufferPool> pool, Int8Weights weights, const float* bias, int64_t in, int64_t out)
      : pool_(std::move(pool)),
        in_(in),
        out_(out),
        weights_(weights.codes.data(), memory::desc({in, out}, kWeightCodes, memory::format_tag::ba)),
        scales_(std::move(weights.scales)),
        sums_(std::move(weights.sums)) {
    if (bias != nullptr) bias_.assign(bias, bias + out);
    weights_.In(Descriptor(kBlockRowsPerThread).weights_desc());
  }

  void Quantise(const float* x, int64_t rows, uint8_t* codes, RowCode* row_codes) const {
    ForRows(rows, [&](int64_t row) {
      row_codes[row] = QuantiseRow(x + row * in_, static_cast<size_t>(in_), codes + row * in_);
    });
  }

  void Multiply(const void* codes, int64_t rows, void* products) {
    Prepared& prepared = cache_.Get({rows, omp_get_max_threads()}, [&] {
      const dnnl::matmul::primitive_desc descriptor = Descriptor(rows);
      return Prepare<dnnl::matmul>(descriptor, weights_.In(descriptor.weights_desc()), {});
    });
    engine::Run(prepared, pool_, codes, products);
  }

  void Restore(const int32_t* products, int64_t rows, const RowCode* row_codes, const Epilogue& epilogue,
               float* y) const {
    const ColumnCodes columns{scales_.data(), sums_.data(), bias_.empty() ? nullptr : bias_.data()};
    ForRows(rows, [&](int64_t row) {
      RestoreRow(products + row * out_, static_cast<size_t>(out_), row_codes[row], columns, epilogue.activation,
                 epilogue.add, y + row * out_);
    });
  }

  dnnl::matmul::primitive_desc Descriptor(int64_t rows) const {
    const dnnl::matmul::desc operation({{rows, in_}, kCodes, memory::format_tag::ab},
                                       {{in_, out_}, kWeightCodes, memory::format_tag::any},
                                       {{rows, out_}, kProducts, memory::format_tag::ab});
    return {operation, Attributes({}), CpuEngine()};
  }

  const std::shared_ptr<BufferPool> pool_;
  const int64_t in_;
  const int64_t out_;
  PackedWeights weights_;
  std::vector<float> scales_;
  std::vector<int32_t> sums_;
  std::vector<float> bias_;  // empty without one
  PreparedCache<Key> cache_;
};

}  // namespace

std::unique_ptr<LinearMap> PackInt8Linear(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias,
                                          int64_t in, int64_t out) {
  return std::make_unique<Int8Linear>(std::move(pool), weight, bias, in, out);
}

}  // namespace sightline::model::engine
