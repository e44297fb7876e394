#include "model/engine/packed_conv.h"

#include <omp.h>

#include <optional>
#include <utility>

#include "model/engine/onednn.h"

namespace sightline::model::engine {
namespace {

using dnnl::memory;

constexpr auto kAny = memory::format_tag::any;
constexpr auto kChannelsLast = memory::format_tag::nhwc;

memory::dims WeightDims(const ConvGeometry& g) {
  if (g.groups == 1) return {g.out, g.in, g.kernel, g.kernel};
  return {g.groups, g.out / g.groups, g.in / g.groups, g.kernel, g.kernel};
}

}  // namespace

class PackedConv::Impl {
 public:
  Impl(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias, const ConvGeometry& geometry)
      : pool_(std::move(pool)),
        geometry_(geometry),
        weights_(weight, memory::desc(WeightDims(geometry), kFloat,
                                      geometry.groups == 1 ? memory::format_tag::oihw : memory::format_tag::goihw)) {
    if (bias == nullptr) return;
    const memory::desc desc({geometry.out}, kFloat, memory::format_tag::a);
    bias_.emplace(bias, desc);
    bias_view_ = bias_->In(desc);
  }

  const ConvGeometry& geometry() const { return geometry_; }

  void Run(const float* x, const ConvInput& input, const Epilogue& epilogue, float* y) {
    Prepared& prepared = cache_.Get({input, omp_get_max_threads(), epilogue}, [&] {
      const auto descriptor = Descriptor(input, epilogue);
      return Prepare<dnnl::convolution_forward>(descriptor, weights_.In(descriptor.weights_desc()), bias_view_);
    });
    engine::Run(prepared, pool_, x, y);
  }

 private:
  struct Key {
    ConvInput input;
    int threads = 0;
    Epilogue epilogue;
    bool operator==(const Key&) const = default;
  };

  dnnl::convolution_forward::primitive_desc Descriptor(const ConvInput& input, const Epilogue& epilogue) const {
    const ConvGeometry& g = geometry_;
    const memory::desc source({input.batch, g.in, input.height, input.width}, kFloat, kChannelsLast);
    const memory::desc weights(WeightDims(g), kFloat, kAny);
    const memory::desc destination({input.batch, g.out, OutSize(g, input.height, input.top + input.bottom),
                                    OutSize(g, input.width, input.left + input.right)},
                                   kFloat, kChannelsLast);
    const memory::desc bias = bias_ ? bias_view_.get_desc() : memory::desc();
    const dnnl::convolution_forward::desc operation(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, source, weights, bias, destination,
        {g.stride, g.stride}, {g.dilation - 1, g.dilation - 1}, {input.top, input.left}, {input.bottom, input.right});
    return {operation, Attributes(epilogue), CpuEngine()};
  }

  const std::shared_ptr<BufferPool> pool_;
  const ConvGeometry geometry_;
  PackedWeights weights_;
  std::optional<PackedWeights> bias_;
  memory bias_view_;
  PreparedCache<Key> cache_;
};

PackedConv::PackedConv(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias,
                       const ConvGeometry& geometry)
    : impl_(std::make_unique<Impl>(std::move(pool), weight, bias, geometry)) {}
PackedConv::PackedConv(PackedConv&&) noexcept = default;
PackedConv& PackedConv::operator=(PackedConv&&) noexcept = default;
PackedConv::~PackedConv() = default;

int64_t PackedConv::OutHeight(const ConvInput& input) const {
  return OutSize(impl_->geometry(), input.height, input.top + input.bottom);
}

int64_t PackedConv::OutWidth(const ConvInput& input) const {
  return OutSize(impl_->geometry(), input.width, input.left + input.right);
}

void PackedConv::Forward(const float* x, const ConvInput& input, Activation activation, float* y) const {
  impl_->Run(x, input, {.activation = activation, .add = false}, y);
}

void PackedConv::AddTo(const float* x, const ConvInput& input, Activation activation, float* y) const {
  impl_->Run(x, input, {.activation = activation, .add = true}, y);
}

}  // namespace sightline::model::engine
