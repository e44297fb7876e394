#include "model/layers/planned_conv.h"

#include "model/engine/patches.h"
#include "model/layers/same_padding.h"

namespace sightline::model {
namespace {

constexpr auto kChannelsLast = torch::MemoryFormat::ChannelsLast;

// Patches of an image; between maps of many channels oneDNN's convolution is as fast and needs no copy.
bool CutsPatches(const ConvShape& shape, Pad pad) {
  return shape.in <= 4 && shape.kernel > 1 && shape.kernel == shape.stride && shape.padding == 0 &&
         shape.dilation == 1 && shape.groups == 1 && pad == Pad::kShape;
}

// Nothing behind it makes good what a first convolution loses, and it is a small part of the work. Convolutions in
// groups are no matrix products.
bool MayBeInt8(const ConvShape& shape) {
  constexpr int64_t kFewestChannels = 16;
  return shape.groups == 1 && shape.in >= kFewestChannels;
}

}  // namespace

PlannedConv::PlannedConv(const PlanOptions& options, const std::string& path, const torch::Tensor& weight,
                         const torch::Tensor& bias, const ConvShape& shape, Pad pad)
    : buffers_(options.buffers),
      shape_(shape),
      pad_(pad),
      path_(path),
      observer_(MayBeInt8(shape) ? options.observer : nullptr) {
  if (CutsPatches(shape, pad)) {
    PlanOptions plan = options;
    plan.numeric = Numeric::kFp32;
    patches_.emplace(plan, weight, bias);
    return;
  }
  packed_ = Pack(options, path, weight, bias, shape);
}

std::unique_ptr<engine::Convolution> PlannedConv::Pack(const PlanOptions& options, const std::string& path,
                                                       const torch::Tensor& weight, const torch::Tensor& bias,
                                                       const ConvShape& shape) {
  const torch::Tensor plain = weight.detach().contiguous();
  const torch::Tensor biases = bias.defined() ? bias.detach().contiguous() : torch::Tensor();
  const float* const values = biases.defined() ? biases.data_ptr<float>() : nullptr;
  const engine::ConvGeometry geometry{.in = shape.in,
                                      .out = shape.out,
                                      .kernel = shape.kernel,
                                      .stride = shape.stride,
                                      .dilation = shape.dilation,
                                      .groups = shape.groups};
  if (options.numeric == Numeric::kInt8 && MayBeInt8(shape)) {
    const InputScale* const scale = options.calibration ? options.calibration->Find(path) : nullptr;
    if (scale != nullptr) {
      if (options.report) ++options.report->int8_layers;
      return engine::PackInt8Conv(options.buffers, plain.data_ptr<float>(), values, geometry,
                                  {.scale = scale->scale, .is_signed = scale->is_signed});
    }
    if (options.report) options.report->uncalibrated.push_back(path);
  }
  return engine::PackConv(options.buffers, plain.data_ptr<float>(), values, geometry);
}

void PlannedConv::Show(const torch::Tensor& x) const {
  if (observer_) observer_->See(path_, {x.data_ptr<float>(), static_cast<size_t>(x.numel())});
}

engine::ConvInput PlannedConv::Input(const torch::Tensor& x) const {
  Padding rows{shape_.padding, shape_.padding};
  Padding columns = rows;
  if (pad_ == Pad::kSame) {
    rows = SamePadding(x.size(2), shape_.kernel, shape_.stride);
    columns = SamePadding(x.size(3), shape_.kernel, shape_.stride);
  }
  return {.batch = x.size(0),
          .height = x.size(2),
          .width = x.size(3),
          .top = rows.before,
          .left = columns.before,
          .bottom = rows.after,
          .right = columns.after};
}

torch::Tensor PlannedConv::ForwardPatches(const torch::Tensor& images, Activation activation) const {
  const torch::Tensor planes = images.contiguous();
  const engine::PatchShape shape{.batch = planes.size(0),
                                 .channels = shape_.in,
                                 .height = planes.size(2),
                                 .width = planes.size(3),
                                 .patch = shape_.kernel};
  const torch::Tensor patches =
      Borrow(buffers_, {shape.batch, shape.rows(), shape.columns(), shape_.in * shape_.kernel * shape_.kernel});
  engine::CutPatches(planes.data_ptr<float>(), shape, patches.data_ptr<float>());
  return patches_->Forward(patches, activation).permute({0, 3, 1, 2});
}

torch::Tensor PlannedConv::Forward(const torch::Tensor& x, Activation activation) const {
  if (patches_) return ForwardPatches(x, activation);
  const torch::Tensor source = x.contiguous(kChannelsLast);
  Show(source);
  const engine::ConvInput input = Input(x);
  const torch::Tensor y =
      BorrowMap(buffers_, {x.size(0), shape_.out, packed_->OutHeight(input), packed_->OutWidth(input)});
  packed_->Forward(source.data_ptr<float>(), input, activation, y.data_ptr<float>());
  return y;
}

torch::Tensor PlannedConv::AddTo(const torch::Tensor& residual, const torch::Tensor& x, Activation activation) const {
  if (patches_) return Activate(residual + Forward(x, Activation::kNone), activation);
  const torch::Tensor source = x.contiguous(kChannelsLast);
  Show(source);
  const torch::Tensor y = residual.contiguous(kChannelsLast);
  packed_->AddTo(source.data_ptr<float>(), Input(x), activation, y.data_ptr<float>());
  return y;
}

}  // namespace sightline::model
