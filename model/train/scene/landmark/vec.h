// Vec: points, directions and linear light in three numbers, in single precision.
//
// Threading: values. Failure: none.
//
//   const Vec towards = Normal(light - point);
#ifndef SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_VEC_H_
#define SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_VEC_H_

#include <cmath>

namespace sightline::scene::landmark {

struct Vec {
  float x = 0;
  float y = 0;
  float z = 0;
};

inline Vec operator+(const Vec& a, const Vec& b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
inline Vec operator-(const Vec& a, const Vec& b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
inline Vec operator*(const Vec& a, float s) { return {a.x * s, a.y * s, a.z * s}; }
inline Vec operator*(const Vec& a, const Vec& b) { return {a.x * b.x, a.y * b.y, a.z * b.z}; }
inline float Dot(const Vec& a, const Vec& b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
inline Vec Cross(const Vec& a, const Vec& b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
inline float Length(const Vec& a) { return std::sqrt(Dot(a, a)); }
// `a` must not be zero.
inline Vec Normal(const Vec& a) { return a * (1 / Length(a)); }
inline Vec Mix(const Vec& a, const Vec& b, float t) { return a + (b - a) * t; }

}  // namespace sightline::scene::landmark

#endif  // SIGHTLINE_MODEL_TRAIN_SCENE_LANDMARK_VEC_H_
