// Calibration: the scales that inputs of convolutions become bytes with, found on images and kept beside the weights in
// `calibration.json`:
//
//   {"format": 1, "embedding_space": "<64 hex digits>", "images": 64,
//    "inputs": {"backbone.layer1.0.conv1": {"scale": 0.0231, "signed": false}}}
//
// An input x becomes round(x / scale), cut off at 0 and 255, or at -127 and 127 if signed. The file belongs to the
// weights whose embedding space it names. Nothing in it changes that space: descriptors of one model are comparable
// whatever numbers they were computed with.
//
// Threading: pure functions and values. Failure: INVALID_ARGUMENT with reason MALFORMED_JSON or INVALID_CALIBRATION.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const Calibration calibration, ParseCalibration(text));
#ifndef SIGHTLINE_MODEL_CALIBRATION_CALIBRATION_H_
#define SIGHTLINE_MODEL_CALIBRATION_CALIBRATION_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::model {

inline constexpr absl::string_view kCalibrationFile = "calibration.json";
// Far beyond the convolutions of any network here, and the bytes their names and scales take.
inline constexpr int64_t kMaxCalibratedInputs = 4096;
inline constexpr int64_t kMaxCalibrationBytes = 1 << 20;

struct InputScale {
  float scale = 1;
  bool is_signed = false;
  bool operator==(const InputScale&) const = default;
};

struct Calibration {
  std::string embedding_space;
  int64_t images = 0;                        // how many it was found on
  std::map<std::string, InputScale> inputs;  // by the name of the layer

  // Null for a layer that has none.
  const InputScale* Find(const std::string& layer) const {
    const auto found = inputs.find(layer);
    return found == inputs.end() ? nullptr : &found->second;
  }
};

absl::StatusOr<Calibration> ParseCalibration(absl::string_view text);
std::string CalibrationText(const Calibration& calibration);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_CALIBRATION_CALIBRATION_H_
