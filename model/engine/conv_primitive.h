// What convolutions in floats and in bytes ask of oneDNN alike. Only for the .cc files of model/engine.
#ifndef SIGHTLINE_MODEL_ENGINE_CONV_PRIMITIVE_H_
#define SIGHTLINE_MODEL_ENGINE_CONV_PRIMITIVE_H_

#include "model/engine/convolution.h"
#include "model/engine/onednn.h"

namespace sightline::model::engine {

// What a primitive is kept under.
struct ConvKey {
  ConvInput input;
  int threads = 0;
  Epilogue epilogue;
  bool operator==(const ConvKey&) const = default;
};

struct ConvTypes {
  dnnl::memory::data_type source = kFloat;
  dnnl::memory::data_type weights = kFloat;
};

// (out, in, k, k), or (groups, out / groups, in / groups, k, k).
inline dnnl::memory::dims ConvWeightDims(const ConvGeometry& g) {
  if (g.groups == 1) return {g.out, g.in, g.kernel, g.kernel};
  return {g.groups, g.out / g.groups, g.in / g.groups, g.kernel, g.kernel};
}

// From channels-last to channels-last floats; weights in whatever format is fastest. `bias` may be empty.
inline dnnl::convolution_forward::primitive_desc DescribeConv(const ConvGeometry& g, const ConvInput& input,
                                                              const ConvTypes& types, const dnnl::memory& bias,
                                                              const dnnl::primitive_attr& attributes) {
  using dnnl::memory;
  const memory::desc source({input.batch, g.in, input.height, input.width}, types.source, memory::format_tag::nhwc);
  const memory::desc weights(ConvWeightDims(g), types.weights, memory::format_tag::any);
  const memory::desc destination({input.batch, g.out, OutSize(g, input.height, input.top + input.bottom),
                                  OutSize(g, input.width, input.left + input.right)},
                                 kFloat, memory::format_tag::nhwc);
  const dnnl::convolution_forward::desc operation(
      dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, source, weights,
      bias ? bias.get_desc() : memory::desc(), destination, {g.stride, g.stride}, {g.dilation - 1, g.dilation - 1},
      {input.top, input.left}, {input.bottom, input.right});
  return {operation, attributes, CpuEngine()};
}

}  // namespace sightline::model::engine

#endif  // SIGHTLINE_MODEL_ENGINE_CONV_PRIMITIVE_H_
