#include "model/train/scene/landmark/field.h"

#include <algorithm>
#include <cmath>

namespace sightline::scene::landmark {
namespace {

// Where each of `pixels` positions falls on a grid of `cells`, and how far towards the next grid line, eased.
struct Steps {
  std::vector<int> cell;
  std::vector<float> towards;
};

Steps MakeSteps(int pixels, double cells, double shift) {
  Steps steps;
  steps.cell.reserve(static_cast<size_t>(pixels));
  steps.towards.reserve(static_cast<size_t>(pixels));
  for (int i = 0; i < pixels; ++i) {
    const double position = (i + 0.5) * cells / pixels + shift;
    const int cell = static_cast<int>(position);
    const double t = position - cell;
    steps.cell.push_back(cell);
    steps.towards.push_back(static_cast<float>(t * t * (3 - 2 * t)));
  }
  return steps;
}

void AddOctave(double cells_x, double cells_y, float weight, Random* random, Field* field) {
  const Steps across = MakeSteps(field->width, cells_x, random->Uniform());
  const Steps down = MakeSteps(field->height, cells_y, random->Uniform());
  const auto columns = static_cast<size_t>(across.cell.back()) + 2;
  const auto rows = static_cast<size_t>(down.cell.back()) + 2;
  std::vector<float> grid(columns * rows);
  for (float& value : grid) value = weight * static_cast<float>(2 * random->Uniform() - 1);
  std::vector<float> line(columns);
  for (int y = 0; y < field->height; ++y) {
    const float* top = grid.data() + static_cast<size_t>(down.cell[y]) * columns;
    for (size_t i = 0; i < columns; ++i) line[i] = top[i] + (top[i + columns] - top[i]) * down.towards[y];
    float* out = &field->at(0, y);
    for (int x = 0; x < field->width; ++x) {
      const float* left = line.data() + across.cell[x];
      out[x] += left[0] + (left[1] - left[0]) * across.towards[x];
    }
  }
}

}  // namespace

Field MakeField(int width, int height, const FieldShape& shape, Random* random) {
  Field field{width, height, std::vector<float>(static_cast<size_t>(width) * height)};
  double cells_x = shape.cells_x;
  double cells_y = shape.cells_y;
  double weight = 1;
  for (int i = 0; i < shape.octaves; ++i) {
    if (i > 0 && (cells_x > width / 2.0 || cells_y > height / 2.0)) break;
    AddOctave(cells_x, cells_y, static_cast<float>(weight), random, &field);
    cells_x *= 2;
    cells_y *= 2;
    weight *= shape.gain;
  }
  double sum = 0;
  double squares = 0;
  for (const float value : field.values) {
    sum += value;
    squares += static_cast<double>(value) * value;
  }
  const double count = static_cast<double>(field.values.size());
  const double mean = sum / count;
  const double deviation = std::sqrt(std::max(1e-12, squares / count - mean * mean));
  const auto scale = static_cast<float>(1 / deviation);
  for (float& value : field.values) value = (value - static_cast<float>(mean)) * scale;
  return field;
}

}  // namespace sightline::scene::landmark
