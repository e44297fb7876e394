#include <omp.h>

#include <optional>
#include <utility>

#include "model/engine/conv_primitive.h"

namespace sightline::model::engine {
namespace {

class PackedConv final : public Convolution {
 public:
  PackedConv(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias, const ConvGeometry& geometry)
      : Convolution(geometry),
        pool_(std::move(pool)),
        weights_(weight, dnnl::memory::desc(
                             ConvWeightDims(geometry), kFloat,
                             geometry.groups == 1 ? dnnl::memory::format_tag::oihw : dnnl::memory::format_tag::goihw)) {
    if (bias == nullptr) return;
    const dnnl::memory::desc desc({geometry.out}, kFloat, dnnl::memory::format_tag::a);
    bias_.emplace(bias, desc);
    bias_view_ = bias_->In(desc);
  }

 private:
  void Run(const float* x, const ConvInput& input, const Epilogue& epilogue, float* y) override {
    Prepared& prepared = cache_.Get({input, omp_get_max_threads(), epilogue}, [&] {
      const auto descriptor = DescribeConv(geometry(), input, {}, bias_view_, Attributes(epilogue));
      return Prepare<dnnl::convolution_forward>(descriptor, weights_.In(descriptor.weights_desc()), bias_view_);
    });
    engine::Run(prepared, pool_, x, y);
  }

  const std::shared_ptr<BufferPool> pool_;
  PackedWeights weights_;
  std::optional<PackedWeights> bias_;
  dnnl::memory bias_view_;  // empty without one
  PreparedCache<ConvKey> cache_;
};

}  // namespace

std::unique_ptr<Convolution> PackConv(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias,
                                      const ConvGeometry& geometry) {
  return std::make_unique<PackedConv>(std::move(pool), weight, bias, geometry);
}

}  // namespace sightline::model::engine
