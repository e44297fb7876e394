#include <omp.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "model/engine/conv_primitive.h"
#include "model/engine/int8_rows.h"
#include "model/engine/int8_weights.h"
#include "model/engine/parallel.h"

namespace sightline::model::engine {
namespace {

using dnnl::memory;

// Values of one task of the step before the product.
constexpr int64_t kTaskValues = 16384;

class Int8Conv final : public Convolution {
 public:
  Int8Conv(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias, const ConvGeometry& geometry,
           const InputCode& code)
      : Int8Conv(std::move(pool), Int8Weights(weight, geometry.out, geometry.in * geometry.kernel * geometry.kernel),
                 bias, geometry, code) {}

 private:
  void Run(const float* x, const ConvInput& input, const Epilogue& epilogue, float* y) override {
    const int64_t count = input.batch * input.height * input.width * geometry().in;
    const Buffer codes = BufferPool::Take(pool_, static_cast<size_t>(count));
    auto* const bytes = static_cast<uint8_t*>(codes.data());
    ParallelTasks((count + kTaskValues - 1) / kTaskValues, [&](int64_t task, int) {
      const int64_t begin = task * kTaskValues;
      QuantiseValues(x + begin, static_cast<size_t>(std::min(kTaskValues, count - begin)), code_.scale, code_.is_signed,
                     bytes + begin);
    });
    Prepared& prepared = cache_.Get({input, omp_get_max_threads(), epilogue}, [&] {
      dnnl::primitive_attr attributes = Attributes(epilogue);
      constexpr int kOverOutputs = 1 << 1;
      attributes.set_output_scales(kOverOutputs, scales_);
      const ConvTypes types{.source = code_.is_signed ? memory::data_type::s8 : memory::data_type::u8,
                            .weights = memory::data_type::s8};
      const auto descriptor = DescribeConv(geometry(), input, types, bias_view_, attributes);
      return Prepare<dnnl::convolution_forward>(descriptor, weights_.In(descriptor.weights_desc()), bias_view_);
    });
    engine::Run(prepared, pool_, bytes, y);
  }

  Int8Conv(std::shared_ptr<BufferPool> pool, Int8Weights weights, const float* bias, const ConvGeometry& geometry,
           const InputCode& code)
      : Convolution(geometry),
        pool_(std::move(pool)),
        code_(code),
        weights_(weights.codes.data(),
                 memory::desc(ConvWeightDims(geometry), memory::data_type::s8, memory::format_tag::oihw),
                 PackedWeights::Plain::kKeep),
        scales_(std::move(weights.scales)) {
    for (float& scale : scales_) scale = scale > 0 ? scale * code.scale : 1;
    if (bias == nullptr) return;
    // oneDNN adds the bias before it multiplies by the scales.
    std::vector<float> scaled(bias, bias + geometry.out);
    for (size_t n = 0; n < scaled.size(); ++n) scaled[n] /= scales_[n];
    const memory::desc desc({geometry.out}, memory::data_type::f32, memory::format_tag::a);
    bias_.emplace(scaled.data(), desc);
    bias_view_ = bias_->In(desc);
  }

  const std::shared_ptr<BufferPool> pool_;
  const InputCode code_;
  PackedWeights weights_;
  std::vector<float> scales_;  // (out): from sums of products to values
  std::optional<PackedWeights> bias_;
  memory bias_view_;
  PreparedCache<ConvKey> cache_;
};

}  // namespace

std::unique_ptr<Convolution> PackInt8Conv(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias,
                                          const ConvGeometry& geometry, const InputCode& code) {
  return std::make_unique<Int8Conv>(std::move(pool), weight, bias, geometry, code);
}

}  // namespace sightline::model::engine
