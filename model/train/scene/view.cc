#include "model/train/scene/view.h"

#include <cmath>

namespace sightline::scene {
namespace {

using Matrix = std::array<double, 9>;

// Up to a factor, which a homography does not care about.
Matrix Inverse(const Matrix& m) {
  return {m[4] * m[8] - m[5] * m[7], m[2] * m[7] - m[1] * m[8], m[1] * m[5] - m[2] * m[4],
          m[5] * m[6] - m[3] * m[8], m[0] * m[8] - m[2] * m[6], m[2] * m[3] - m[0] * m[5],
          m[3] * m[7] - m[4] * m[6], m[1] * m[6] - m[0] * m[7], m[0] * m[4] - m[1] * m[3]};
}

Matrix ObjectToFrame(double aspect, Random* random) {
  const double angle = random->Between(-0.6, 0.6);
  const double half = 0.5 * random->Between(0.9, 1.3);
  const double width = half * std::sqrt(aspect);
  const double height = half / std::sqrt(aspect);
  const double middle_x = 0.5 + random->Between(-0.16, 0.16);
  const double middle_y = 0.5 + random->Between(-0.16, 0.16);
  // Seen at an angle, the far side is shorter and the turned axis is foreshortened.
  const double tilt_u = random->Between(-0.18, 0.18);
  const double tilt_v = random->Between(-0.18, 0.18);
  const double squeeze_u = 1 - 0.8 * std::abs(tilt_u);
  const double squeeze_v = 1 - 0.8 * std::abs(tilt_v);
  const Matrix affine = {std::cos(angle) * width * squeeze_u,
                         -std::sin(angle) * height * squeeze_v,
                         0,
                         std::sin(angle) * width * squeeze_u,
                         std::cos(angle) * height * squeeze_v,
                         0,
                         tilt_u,
                         tilt_v,
                         1};
  // The shift comes after the division by the last row, so that the object's middle is seen where it says.
  Matrix out = affine;
  for (size_t i = 0; i < 3; ++i) {
    out[i] += middle_x * affine[6 + i];
    out[3 + i] += middle_y * affine[6 + i];
  }
  return out;
}

Light MakeLight(Random* random) {
  Light light;
  light.gain = std::exp2(random->Between(-0.12, 0.12));
  light.gamma = std::exp2(random->Between(-0.1, 0.1));
  for (float& value : light.cast) value = static_cast<float>(random->Between(0.97, 1.03));
  light.gradient_x = random->Between(-0.15, 0.15);
  light.gradient_y = random->Between(-0.15, 0.15);
  const double direction = random->Between(0, 6.283185);
  light.relief_u = 0.35 * std::cos(direction);
  light.relief_v = 0.35 * std::sin(direction);
  light.noise = random->Between(0.005, 0.02);
  return light;
}

}  // namespace

std::pair<double, double> View::ToObject(double x, double y) const {
  const Matrix& m = frame_to_object;
  const double w = m[6] * x + m[7] * y + m[8];
  constexpr double kFar = 1e9;
  if (std::abs(w) < 1e-12) return {kFar, kFar};
  return {(m[0] * x + m[1] * y + m[2]) / w, (m[3] * x + m[4] * y + m[5]) / w};
}

View MakeView(double aspect, Random* random) {
  View view;
  view.frame_to_object = Inverse(ObjectToFrame(aspect, random));
  view.light = MakeLight(random);
  const int occluders = random->Below(3);
  for (int i = 0; i < occluders; ++i) view.occluders.push_back(MakeShape(random, 0.08, 0.28));
  view.jpeg_quality = 72 + random->Below(20);
  return view;
}

}  // namespace sightline::scene
