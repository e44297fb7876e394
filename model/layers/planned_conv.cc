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

}  // namespace

PlannedConv::PlannedConv(const PlanOptions& options, const torch::Tensor& weight, const torch::Tensor& bias,
                         const ConvShape& shape, Pad pad)
    : buffers_(options.buffers), shape_(shape), pad_(pad) {
  if (CutsPatches(shape, pad)) {
    patches_.emplace(options, weight, bias);
    return;
  }
  const torch::Tensor plain = weight.detach().contiguous();
  const torch::Tensor values = bias.defined() ? bias.detach().contiguous() : torch::Tensor();
  packed_.emplace(options.buffers, plain.data_ptr<float>(), values.defined() ? values.data_ptr<float>() : nullptr,
                  engine::ConvGeometry{.in = shape.in,
                                       .out = shape.out,
                                       .kernel = shape.kernel,
                                       .stride = shape.stride,
                                       .dilation = shape.dilation,
                                       .groups = shape.groups});
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
  const engine::ConvInput input = Input(x);
  const torch::Tensor y =
      BorrowMap(buffers_, {x.size(0), shape_.out, packed_->OutHeight(input), packed_->OutWidth(input)});
  packed_->Forward(source.data_ptr<float>(), input, activation, y.data_ptr<float>());
  return y;
}

torch::Tensor PlannedConv::AddTo(const torch::Tensor& residual, const torch::Tensor& x, Activation activation) const {
  if (patches_) return Activate(residual + Forward(x, Activation::kNone), activation);
  const torch::Tensor source = x.contiguous(kChannelsLast);
  const torch::Tensor y = residual.contiguous(kChannelsLast);
  packed_->AddTo(source.data_ptr<float>(), Input(x), activation, y.data_ptr<float>());
  return y;
}

}  // namespace sightline::model
