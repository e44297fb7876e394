#include "index/rerank/evidence.h"

#include <algorithm>
#include <cstddef>

namespace sightline::index::rerank {

Evidence MakeEvidence(const Plan& plan, const Similarities& similarities, int most) {
  Evidence evidence;
  evidence.query_heat.resize(similarities.columns);
  evidence.result_heat.resize(similarities.rows);
  std::vector<Correspondence>& found = evidence.correspondences;
  for (size_t i = 0; i < similarities.rows; ++i) {
    for (size_t j = 0; j < similarities.columns; ++j) {
      const double mass = plan.transport[i * similarities.columns + j];
      const double cosine = similarities.values[i * similarities.columns + j];
      evidence.query_heat[j] += mass;
      evidence.result_heat[i] += mass;
      if (mass * cosine > 0) found.push_back({static_cast<int>(j), static_cast<int>(i), mass, cosine});
    }
  }
  const auto stronger = [](const Correspondence& a, const Correspondence& b) {
    const double strength_a = a.mass * a.cosine, strength_b = b.mass * b.cosine;
    if (strength_a != strength_b) return strength_a > strength_b;
    return a.result_cell != b.result_cell ? a.result_cell < b.result_cell : a.query_cell < b.query_cell;
  };
  const size_t kept = std::min(found.size(), static_cast<size_t>(std::max(most, 0)));
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(kept), found.end(), stronger);
  found.resize(kept);
  return evidence;
}

}  // namespace sightline::index::rerank
