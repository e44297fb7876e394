// Evidence for tests of what shows it.
#ifndef SIGHTLINE_TESTS_CLIENT_SUPPORT_EVIDENCE_H_
#define SIGHTLINE_TESTS_CLIENT_SUPPORT_EVIDENCE_H_

#include "sightline/v1/search_service.pb.h"

namespace sightline::testing {

// Two pairs of patches on grids of 2 x 2, with heat-maps.
inline v1::Evidence TwoPairs() {
  v1::Evidence evidence;
  const auto box = [](double x, double y, v1::CropBox* out) {
    out->set_x0(x);
    out->set_y0(y);
    out->set_x1(x + 0.5);
    out->set_y1(y + 0.5);
    out->set_unit(v1::CropBox::UNIT_FRACTION);
  };
  for (const double mass : {0.5, 0.25}) {
    auto& pair = *evidence.add_correspondences();
    box(0, 0.5, pair.mutable_query_box());
    box(0.5, 0, pair.mutable_result_box());
    pair.set_mass(mass);
    pair.set_cosine(0.5 + mass / 2);
  }
  for (v1::HeatMap* map : {evidence.mutable_query_heat_map(), evidence.mutable_result_heat_map()}) {
    map->set_height(2);
    map->set_width(2);
    for (const float value : {0.0f, 0.0f, 0.75f, 0.0f}) map->add_values(value);
  }
  evidence.set_score(0.8);
  evidence.set_structural_score(0.5);
  evidence.set_weight(2);
  evidence.set_rerank_score(1.8);
  evidence.set_mass(0.75);
  evidence.set_confidence(0.97);
  return evidence;
}

// What passes for a JPEG where nothing decodes it.
inline constexpr char kJpegBytes[] = "\xFF\xD8\xFF\xE0 picture";

}  // namespace sightline::testing

#endif  // SIGHTLINE_TESTS_CLIENT_SUPPORT_EVIDENCE_H_
