// ConvShape: what describes a convolution.
#ifndef SIGHTLINE_MODEL_LAYERS_CONV_SHAPE_H_
#define SIGHTLINE_MODEL_LAYERS_CONV_SHAPE_H_

#include <cstdint>

namespace sightline::model {

// Square kernels, the same on both axes.
struct ConvShape {
  int64_t in = 0;
  int64_t out = 0;
  int64_t kernel = 1;
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t dilation = 1;
  int64_t groups = 1;
  bool bias = true;
};

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_LAYERS_CONV_SHAPE_H_
