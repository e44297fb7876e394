#include "model/image/resize.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace sightline::image {
namespace {

// Fixed point with as many bits as Pillow takes, so that the results are the same: 32 bits less 8 of the pixel and 2
// for sums of weights above 1.
constexpr int kWeightBits = 22;
// Taps per output are padded with zeros to a multiple of this, which lets the compiler drop the loop's tail.
constexpr int kTapStep = 8;

// Keys, "Cubic convolution interpolation", 1981, with a = -0.5.
double Keys(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

// One-dimensional resampling: output i is the sum over t of weights[i * taps + t] * input[first[i] + t].
struct Filter {
  int taps = 0;  // a multiple of kTapStep
  std::vector<int> first;
  std::vector<int> count;  // taps of output i that lie in the input; the weights behind them are zero
  std::vector<int32_t> weights;
};

Filter MakeFilter(int input, int output) {
  const double scale = static_cast<double>(input) / output;
  const double stretch = std::max(scale, 1.0);
  const double support = 2.0 * stretch;
  Filter filter;
  filter.taps = (2 * static_cast<int>(std::ceil(support)) + 1 + kTapStep - 1) / kTapStep * kTapStep;
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

uint8_t Round(int32_t sum) {
  return static_cast<uint8_t>(std::clamp((sum + (1 << (kWeightBits - 1))) >> kWeightBits, 0, 255));
}

// A filter's weights as high * 256 + low: 16-bit factors, of which one multiply-add instruction takes eight.
struct SplitWeights {
  explicit SplitWeights(const Filter& filter) {
    for (int32_t weight : filter.weights) {
      high.push_back(static_cast<int16_t>(weight >> 8));
      low.push_back(static_cast<int16_t>(weight & 255));
    }
  }
  std::vector<int16_t> high;
  std::vector<int16_t> low;
};

// Planes of one row: out[c][i] for 3 channels, from planes of `stride` 16-bit values each.
void ResizeRow(const Filter& filter, const SplitWeights& weights, const int16_t* planes, size_t stride, uint8_t* out) {
  const int width = static_cast<int>(filter.first.size());
  const int taps = filter.taps;
  for (int i = 0; i < width; ++i) {
    const int16_t* high = &weights.high[static_cast<size_t>(i) * taps];
    const int16_t* low = &weights.low[static_cast<size_t>(i) * taps];
    for (int c = 0; c < 3; ++c) {
      const int16_t* in = planes + c * stride + filter.first[i];
      int32_t high_sum = 0;
      int32_t low_sum = 0;
      for (int t = 0; t < taps; ++t) {
        high_sum += int32_t{in[t]} * int32_t{high[t]};
        low_sum += int32_t{in[t]} * int32_t{low[t]};
      }
      out[c * width + i] = Round(high_sum * 256 + low_sum);
    }
  }
}

// The region resized to `width` columns: region.height rows of 3 planes of `width` values.
std::vector<uint8_t> ResizeColumns(const Image& image, const PixelRect& region, int width) {
  const Filter filter = MakeFilter(region.width, width);
  const SplitWeights weights(filter);
  // The last output may read zero-weighted values up to `taps` behind the row's end.
  const size_t stride = static_cast<size_t>(region.width) + filter.taps;
  std::vector<int16_t> planes(3 * stride);
  const size_t row_size = static_cast<size_t>(width) * 3;
  std::vector<uint8_t> out(row_size * region.height);
  for (int y = 0; y < region.height; ++y) {
    const uint8_t* in = &image.rgb[(static_cast<size_t>(region.y + y) * image.width + region.x) * 3];
    int16_t* red = planes.data();
    int16_t* green = red + stride;
    int16_t* blue = green + stride;
    for (int x = 0; x < region.width; ++x) {
      red[x] = in[3 * x];
      green[x] = in[3 * x + 1];
      blue[x] = in[3 * x + 2];
    }
    ResizeRow(filter, weights, planes.data(), stride, &out[row_size * y]);
  }
  return out;
}

}  // namespace

Image ResizeBicubic(const Image& image, const PixelRect& region, int width, int height) {
  const std::vector<uint8_t> columns = ResizeColumns(image, region, width);
  const Filter filter = MakeFilter(region.height, height);
  const size_t row_size = static_cast<size_t>(width) * 3;
  Image out{width, height, std::vector<uint8_t>(row_size * height), width, height};
  std::vector<int32_t> sums(row_size);
  for (int y = 0; y < height; ++y) {
    std::fill(sums.begin(), sums.end(), 0);
    for (int t = 0; t < filter.count[y]; ++t) {
      const int32_t weight = filter.weights[static_cast<size_t>(y) * filter.taps + t];
      const uint8_t* in = &columns[row_size * (filter.first[y] + t)];
      for (size_t i = 0; i < row_size; ++i) sums[i] += weight * in[i];
    }
    uint8_t* row = &out.rgb[row_size * y];
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < 3; ++c) row[3 * x + c] = Round(sums[static_cast<size_t>(c) * width + x]);
    }
  }
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
