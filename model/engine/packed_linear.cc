#include <omp.h>

#include <optional>
#include <utility>

#include "model/engine/linear_map.h"
#include "model/engine/onednn.h"

namespace sightline::model::engine {
namespace {

using dnnl::memory;

// What the weights are packed for before the first input is known: the tokens of a small image.
constexpr int64_t kTypicalRows = 256;

class PackedLinear final : public LinearMap {
 public:
  PackedLinear(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias, int64_t in, int64_t out)
      : pool_(std::move(pool)),
        in_(in),
        out_(out),
        weights_(weight, memory::desc({in, out}, kFloat, memory::format_tag::ba)) {
    if (bias != nullptr) {
      const memory::desc desc({1, out}, kFloat, memory::format_tag::ab);
      bias_.emplace(bias, desc);
      bias_view_ = bias_->In(desc);
    }
    weights_.In(Descriptor(kTypicalRows, {}).weights_desc());
  }

 private:
  void Run(const float* x, int64_t rows, const Epilogue& epilogue, float* y) override {
    if (rows == 0) return;
    Prepared& prepared = cache_.Get({rows, omp_get_max_threads(), epilogue}, [&] {
      const dnnl::matmul::primitive_desc descriptor = Descriptor(rows, epilogue);
      return Prepare<dnnl::matmul>(descriptor, weights_.In(descriptor.weights_desc()), bias_view_);
    });
    engine::Run(prepared, pool_, x, y);
  }

  struct Key {
    int64_t rows = 0;
    int threads = 0;
    Epilogue epilogue;
    bool operator==(const Key&) const = default;
  };

  dnnl::matmul::primitive_desc Descriptor(int64_t rows, const Epilogue& epilogue) const {
    const memory::desc source({rows, in_}, kFloat, memory::format_tag::ab);
    const memory::desc weights({in_, out_}, kFloat, memory::format_tag::any);
    const memory::desc destination({rows, out_}, kFloat, memory::format_tag::ab);
    const auto operation = bias_ ? dnnl::matmul::desc(source, weights, bias_view_.get_desc(), destination)
                                 : dnnl::matmul::desc(source, weights, destination);
    return {operation, Attributes(epilogue), CpuEngine()};
  }

  const std::shared_ptr<BufferPool> pool_;
  const int64_t in_;
  const int64_t out_;
  PackedWeights weights_;
  std::optional<PackedWeights> bias_;
  memory bias_view_;
  PreparedCache<Key> cache_;
};

}  // namespace

std::unique_ptr<LinearMap> PackLinear(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias,
                                      int64_t in, int64_t out) {
  return std::make_unique<PackedLinear>(std::move(pool), weight, bias, in, out);
}

}  // namespace sightline::model::engine
