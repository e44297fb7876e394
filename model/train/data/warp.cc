#include "model/train/data/warp.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <numbers>
#include <optional>
#include <utility>

#include "model/image/geometry.h"
#include "model/image/reduce.h"
#include "model/image/resize.h"

namespace sightline::train {
namespace {

using scene::Random;
using Matrix = std::array<double, 9>;

Matrix Times(const Matrix& a, const Matrix& b) {
  Matrix out{};
  for (size_t r = 0; r < 3; ++r) {
    for (size_t c = 0; c < 3; ++c) {
      for (size_t k = 0; k < 3; ++k) out[r * 3 + c] += a[r * 3 + k] * b[k * 3 + c];
    }
  }
  return out;
}

struct Window {
  double x, y, width, height;  // pixels; may reach beyond the photograph
};

// A crop of at least crop_area of the area, its sides' ratio changed by crop_stretch at most (Szegedy et al. 2015, with
// the ratio counted against the photograph's own), then Yokoo's factor per axis.
Window DrawWindow(double width, double height, const AugmentConfig& config, Random& random) {
  const double area = random.Between(config.crop_area, 1);
  const double stretch = std::exp(random.Between(-1, 1) * std::log(config.crop_stretch));
  Window window{};
  window.width = std::min(width, width * std::sqrt(area * stretch));
  window.height = std::min(height, height * std::sqrt(area / stretch));
  window.x = random.Uniform() * (width - window.width);
  window.y = random.Uniform() * (height - window.height);
  const auto scale_axis = [&](double& origin, double& side) {
    const double scaled = side / random.Between(1 - config.scale_per_axis, 1 + config.scale_per_axis);
    origin += random.Uniform() * (side - scaled);
    side = scaled;
  };
  scale_axis(window.x, window.width);
  scale_axis(window.y, window.height);
  return window;
}

// The homography that takes the corners (0,0), (1,0), (1,1), (0,1) to `corners` (Heckbert 1989, section 2.2.3).
Matrix FromUnitSquare(const std::array<std::array<double, 2>, 4>& corners) {
  const auto [p0, p1, p2, p3] = corners;
  const double dx1 = p1[0] - p2[0], dx2 = p3[0] - p2[0], dx3 = p0[0] - p1[0] + p2[0] - p3[0];
  const double dy1 = p1[1] - p2[1], dy2 = p3[1] - p2[1], dy3 = p0[1] - p1[1] + p2[1] - p3[1];
  const double determinant = dx1 * dy2 - dx2 * dy1;
  const double g = (dx3 * dy2 - dx2 * dy3) / determinant;
  const double h = (dx1 * dy3 - dx3 * dy1) / determinant;
  return {p1[0] - p0[0] + g * p1[0],
          p3[0] - p0[0] + h * p3[0],
          p0[0],
          p1[1] - p0[1] + g * p1[1],
          p3[1] - p0[1] + h * p3[1],
          p0[1],
          g,
          h,
          1};
}

// The unit square with every corner displaced by up to `most` along both axes.
Matrix DrawPerspective(double most, Random& random) {
  std::array<std::array<double, 2>, 4> corners = {{{0, 0}, {1, 0}, {1, 1}, {0, 1}}};
  for (auto& corner : corners) {
    for (double& value : corner) value += random.Between(-most, most);
  }
  return FromUnitSquare(corners);
}

// A turn of the window's content about its middle, in pixels, so that right angles stay right.
Matrix Turned(const Window& window, double radians) {
  const double c = std::cos(radians), s = std::sin(radians);
  const double mx = window.x + window.width / 2, my = window.y + window.height / 2;
  return {c, -s, mx - c * mx + s * my, s, c, my - s * mx - c * my, 0, 0, 1};
}

// The place of a pixel beyond the edge, of an image that goes on mirrored: ... 1 0 0 1 2 ... n-1 n-1 n-2 ...
int Mirrored(int64_t i, int n) {
  i %= 2 * static_cast<int64_t>(n);
  if (i < 0) i += 2 * static_cast<int64_t>(n);
  return static_cast<int>(i < n ? i : 2 * static_cast<int64_t>(n) - 1 - i);
}

// Samples `image` bilinearly at pixel centres displaced by half a pixel, as `view` says.
class Sampler {
 public:
  Sampler(const image::Image& image, bool mirror_beyond) : image_(image), mirror_beyond_(mirror_beyond) {}

  // (x, y): pixels from the outer corner of the first one.
  void Sample(double x, double y, uint8_t* rgb) const {
    const double left = std::floor(x - 0.5), top = std::floor(y - 0.5);
    // Weights of 8 bits: the error is below two steps of the result, and that only between black and white.
    const int wx = static_cast<int>((x - 0.5 - left) * 256), wy = static_cast<int>((y - 0.5 - top) * 256);
    const auto x0 = static_cast<int64_t>(left), y0 = static_cast<int64_t>(top);
    const uint8_t *p00, *p01, *p10, *p11;
    if (x0 >= 0 && y0 >= 0 && x0 + 1 < image_.width && y0 + 1 < image_.height) {
      p00 = image_.rgb.data() + (y0 * image_.width + x0) * 3;
      p01 = p00 + 3;
      p10 = p00 + static_cast<int64_t>(image_.width) * 3;
      p11 = p10 + 3;
    } else {
      p00 = Pixel(x0, y0);
      p01 = Pixel(x0 + 1, y0);
      p10 = Pixel(x0, y0 + 1);
      p11 = Pixel(x0 + 1, y0 + 1);
    }
    for (int c = 0; c < 3; ++c) {
      const int above = p00[c] * (256 - wx) + p01[c] * wx;
      const int below = p10[c] * (256 - wx) + p11[c] * wx;
      rgb[c] = static_cast<uint8_t>((above * (256 - wy) + below * wy + (1 << 15)) >> 16);
    }
  }

 private:
  const uint8_t* Pixel(int64_t x, int64_t y) const {
    static constexpr uint8_t kBlack[3] = {0, 0, 0};
    if (!mirror_beyond_ && (x < 0 || y < 0 || x >= image_.width || y >= image_.height)) return kBlack;
    const int64_t row = Mirrored(y, image_.height), column = Mirrored(x, image_.width);
    return image_.rgb.data() + (row * image_.width + column) * 3;
  }

  const image::Image& image_;
  const bool mirror_beyond_;
};

image::Image Blank(int height, int width) {
  image::Image image;
  image.width = image.original_width = width;
  image.height = image.original_height = height;
  image.rgb.resize(static_cast<size_t>(height) * static_cast<size_t>(width) * 3);
  return image;
}

// Pixels of the photograph per pixel of the result, along the side where they are fewer.
double Reduction(const View& view, int height, int width) {
  const Matrix& m = view.matrix;
  // At the middle, where a perspective has its mean scale.
  const double w = m[6] * 0.5 + m[7] * 0.5 + m[8];
  const double x = (m[0] * 0.5 + m[1] * 0.5 + m[2]) / w, y = (m[3] * 0.5 + m[4] * 0.5 + m[5]) / w;
  const double along_u = std::hypot(m[0] - x * m[6], m[3] - y * m[6]) / std::abs(w) / width;
  const double along_v = std::hypot(m[1] - x * m[7], m[4] - y * m[7]) / std::abs(w) / height;
  return std::min(along_u, along_v);
}

image::Image Reduced(const image::Image& image, int divisor) {
  const int width = image::ReducedSide(image.width, divisor);
  const int height = image::ReducedSide(image.height, divisor);
  image::Image reduced{width, height, std::vector<uint8_t>(size_t{3} * width * height), image.width, image.height};
  image::RowReducer reducer(image.width, image.height, divisor, reduced.rgb.data());
  for (int y = 0; y < image.height; ++y) {
    reducer.Add(image.rgb.data() + static_cast<size_t>(y) * static_cast<size_t>(image.width) * 3);
  }
  return reduced;
}

image::Image RenderWarped(const image::Image& image, const View& view, int height, int width, bool mirror_beyond) {
  // Reduced by a whole number first, so that two neighbours of the result have no pixels between them that are never
  // looked at.
  constexpr int kMostReduction = 16;
  const int divisor = std::clamp(static_cast<int>(std::lround(Reduction(view, height, width))), 1, kMostReduction);
  if (divisor > 1) {
    View scaled = view;
    for (size_t i = 0; i < 6; ++i) scaled.matrix[i] /= divisor;
    scaled.upright = false;
    const image::Image reduced = Reduced(image, divisor);
    return RenderWarped(reduced, scaled, height, width, mirror_beyond);
  }
  image::Image out = Blank(height, width);
  const Sampler sampler(image, mirror_beyond);
  const Matrix& m = view.matrix;
  uint8_t* rgb = out.rgb.data();
  for (int row = 0; row < height; ++row) {
    const double v = (row + 0.5) / height;
    const double xw = m[1] * v + m[2], yw = m[4] * v + m[5], ww = m[7] * v + m[8];
    for (int column = 0; column < width; ++column, rgb += 3) {
      const double u = (column + 0.5) / width;
      const double w = 1 / (m[6] * u + ww);
      sampler.Sample((m[0] * u + xw) * w, (m[3] * u + yw) * w, rgb);
    }
  }
  return out;
}

void Mirror(image::Image& image) {
  for (int y = 0; y < image.height; ++y) {
    uint8_t* row = image.rgb.data() + static_cast<size_t>(y) * static_cast<size_t>(image.width) * 3;
    for (int left = 0, right = image.width - 1; left < right; ++left, --right) {
      std::swap_ranges(row + left * 3, row + left * 3 + 3, row + right * 3);
    }
  }
}

// The whole pixels that an upright view covers, where it lies in the photograph.
std::optional<image::PixelRect> CoveredPixels(const image::Image& image, const View& view) {
  if (!view.upright) return std::nullopt;
  const Matrix& m = view.matrix;
  const double x0 = std::min(m[2], m[2] + m[0]), x1 = std::max(m[2], m[2] + m[0]);
  const int left = static_cast<int>(std::lround(x0)), right = static_cast<int>(std::lround(x1));
  const int top = static_cast<int>(std::lround(m[5])), bottom = static_cast<int>(std::lround(m[5] + m[4]));
  if (left < 0 || top < 0 || right > image.width || bottom > image.height || left >= right || top >= bottom) {
    return std::nullopt;
  }
  return image::PixelRect{left, top, right - left, bottom - top};
}

}  // namespace

View DrawView(int width, int height, const AugmentConfig& config, scene::Random& random) {
  const Window window = DrawWindow(width, height, config, random);
  View view{.matrix = {window.width, 0, window.x, 0, window.height, window.y, 0, 0, 1}};
  const double degrees = random.Between(-config.rotate, config.rotate);
  Random corners(random.Next());
  if (config.perspective > 0) {
    view.matrix = Times(view.matrix, DrawPerspective(config.perspective, corners));
    view.upright = false;
  }
  if (config.rotate > 0) {
    view.matrix = Times(Turned(window, degrees * std::numbers::pi / 180), view.matrix);
    view.upright = false;
  }
  if (random.Chance(config.flip)) view.matrix = Times(view.matrix, {-1, 0, 1, 0, 1, 0, 0, 0, 1});
  return view;
}

image::Image Render(const image::Image& image, const View& view, int height, int width, bool mirror_beyond) {
  const std::optional<image::PixelRect> covered = CoveredPixels(image, view);
  if (!covered) return RenderWarped(image, view, height, width, mirror_beyond);
  image::Image out = image::ResizeBicubic(image, *covered, width, height);
  if (view.matrix[0] < 0) Mirror(out);
  return out;
}

}  // namespace sightline::train
