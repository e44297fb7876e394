#include "model/engine/int8_conv.h"

#include <omp.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "model/engine/int8_rows.h"
#include "model/engine/int8_weights.h"
#include "model/engine/onednn.h"
#include "model/engine/parallel.h"

namespace sightline::model::engine {
namespace {

using dnnl::memory;

// Values of one task of the step before the product.
constexpr int64_t kTaskValues = 16384;

}  // namespace

class Int8Conv::Impl {
 public:
  Impl(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias, const ConvGeometry& geometry,
       const InputCode& code)
      : Impl(std::move(pool), Int8Weights(weight, geometry.out, geometry.in * geometry.kernel * geometry.kernel), bias,
             geometry, code) {}

  const ConvGeometry& geometry() const { return geometry_; }

  void Run(const float* x, const ConvInput& input, const Epilogue& epilogue, float* y) {
    const int64_t count = input.batch * input.height * input.width * geometry_.in;
    const Buffer codes = BufferPool::Take(pool_, static_cast<size_t>(count));
    auto* const bytes = static_cast<uint8_t*>(codes.data());
    ParallelTasks((count + kTaskValues - 1) / kTaskValues, [&](int64_t task, int) {
      const int64_t begin = task * kTaskValues;
      QuantiseValues(x + begin, static_cast<size_t>(std::min(kTaskValues, count - begin)), code_.scale, code_.is_signed,
                     bytes + begin);
    });
    Prepared& prepared = cache_.Get({input, omp_get_max_threads(), epilogue}, [&] {
      const auto descriptor = Descriptor(input, epilogue);
      return Prepare<dnnl::convolution_forward>(descriptor, weights_.In(descriptor.weights_desc()), bias_view_);
    });
    engine::Run(prepared, pool_, bytes, y);
  }

 private:
  struct Key {
    ConvInput input;
    int threads = 0;
    Epilogue epilogue;
    bool operator==(const Key&) const = default;
  };

  Impl(std::shared_ptr<BufferPool> pool, Int8Weights weights, const float* bias, const ConvGeometry& geometry,
       const InputCode& code)
      : pool_(std::move(pool)),
        geometry_(geometry),
        code_(code),
        weights_(weights.codes.data(), WeightDesc(memory::format_tag::oihw), PackedWeights::Plain::kKeep),
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

  memory::desc WeightDesc(memory::format_tag tag) const {
    const ConvGeometry& g = geometry_;
    return {{g.out, g.in, g.kernel, g.kernel}, memory::data_type::s8, tag};
  }

  dnnl::convolution_forward::primitive_desc Descriptor(const ConvInput& input, const Epilogue& epilogue) const {
    const ConvGeometry& g = geometry_;
    const memory::desc source({input.batch, g.in, input.height, input.width},
                              code_.is_signed ? memory::data_type::s8 : memory::data_type::u8,
                              memory::format_tag::nhwc);
    const memory::desc destination({input.batch, g.out, OutSize(g, input.height, input.top + input.bottom),
                                    OutSize(g, input.width, input.left + input.right)},
                                   memory::data_type::f32, memory::format_tag::nhwc);
    const dnnl::convolution_forward::desc operation(
        dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, source,
        WeightDesc(memory::format_tag::any), bias_ ? bias_view_.get_desc() : memory::desc(), destination,
        {g.stride, g.stride}, {g.dilation - 1, g.dilation - 1}, {input.top, input.left}, {input.bottom, input.right});
    dnnl::primitive_attr attributes = Attributes(epilogue);
    constexpr int kOverOutputs = 1 << 1;
    attributes.set_output_scales(kOverOutputs, scales_);
    return {operation, attributes, CpuEngine()};
  }

  const std::shared_ptr<BufferPool> pool_;
  const ConvGeometry geometry_;
  const InputCode code_;
  PackedWeights weights_;
  std::vector<float> scales_;  // (out): from sums of products to values
  std::optional<PackedWeights> bias_;
  memory bias_view_;
  PreparedCache<Key> cache_;
};

Int8Conv::Int8Conv(std::shared_ptr<BufferPool> pool, const float* weight, const float* bias,
                   const ConvGeometry& geometry, const InputCode& code)
    : impl_(std::make_unique<Impl>(std::move(pool), weight, bias, geometry, code)) {}
Int8Conv::Int8Conv(Int8Conv&&) noexcept = default;
Int8Conv& Int8Conv::operator=(Int8Conv&&) noexcept = default;
Int8Conv::~Int8Conv() = default;

int64_t Int8Conv::OutHeight(const ConvInput& input) const {
  return OutSize(impl_->geometry(), input.height, input.top + input.bottom);
}

int64_t Int8Conv::OutWidth(const ConvInput& input) const {
  return OutSize(impl_->geometry(), input.width, input.left + input.right);
}

void Int8Conv::Forward(const float* x, const ConvInput& input, Activation activation, float* y) const {
  impl_->Run(x, input, {.activation = activation, .add = false}, y);
}

void Int8Conv::AddTo(const float* x, const ConvInput& input, Activation activation, float* y) const {
  impl_->Run(x, input, {.activation = activation, .add = true}, y);
}

}  // namespace sightline::model::engine
