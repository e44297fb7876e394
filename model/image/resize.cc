#include "model/image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "model/image/resample.h"

namespace sightline::image {
namespace {

// Keys, "Cubic convolution interpolation", 1981, with a = -0.5.
double Keys(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

ResampleFilter MakeFilter(int input, int output) {
  const double scale = static_cast<double>(input) / output;
  const double stretch = std::max(scale, 1.0);
  const double support = 2.0 * stretch;
  ResampleFilter filter;
  filter.taps = 2 * static_cast<int>(std::ceil(support)) + 1;
  filter.first.resize(output);
  filter.count.resize(output);
  filter.weights.resize(static_cast<size_t>(output) * filter.taps);
  std::vector<double> exact(filter.taps);
  for (int i = 0; i < output; ++i) {
    const double centre = (i + 0.5) * scale;
    const int begin = std::max(static_cast<int>(centre - support + 0.5), 0);
    const int end = std::min(static_cast<int>(centre + support + 0.5), input);
    double sum = 0;
    for (int t = begin; t < end; ++t) sum += exact[t - begin] = Keys((t - centre + 0.5) / stretch);
    int32_t* weights = &filter.weights[static_cast<size_t>(i) * filter.taps];
    for (int t = 0; t < end - begin; ++t) {
      weights[t] = static_cast<int32_t>(std::lround(exact[t] / sum * (1 << kWeightBits)));
    }
    filter.first[i] = begin;
    filter.count[i] = end - begin;
  }
  return filter;
}

}  // namespace

Image ResizeBicubic(const Image& image, const PixelRect& region, int width, int height) {
  const size_t row_bytes = static_cast<size_t>(width) * 3;
  const size_t stride = static_cast<size_t>(image.width) * 3;
  const uint8_t* first = &image.rgb[static_cast<size_t>(region.y) * stride + static_cast<size_t>(region.x) * 3];
  std::vector<uint8_t> narrow(row_bytes * static_cast<size_t>(region.height));
  ResampleRows(MakeFilter(region.width, width), first, stride, region.width, region.height, narrow.data());
  Image out{width, height, std::vector<uint8_t>(row_bytes * static_cast<size_t>(height)), width, height};
  ResampleColumns(MakeFilter(region.height, height), narrow.data(), row_bytes, out.rgb.data());
  return out;
}

std::vector<float> ToChw(const Image& image, const std::array<float, 3>& mean, const std::array<float, 3>& std) {
  const size_t pixels = static_cast<size_t>(image.width) * image.height;
  std::vector<float> out(3 * pixels);
  for (size_t c = 0; c < 3; ++c) {
    // (v / 255 - mean) / std as one multiply-add.
    const float factor = 1.0f / (255.0f * std[c]);
    const float offset = -mean[c] / std[c];
    const uint8_t* in = image.rgb.data() + c;
    float* plane = &out[c * pixels];
    for (size_t i = 0; i < pixels; ++i) plane[i] = static_cast<float>(in[3 * i]) * factor + offset;
  }
  return out;
}

}  // namespace sightline::image
