// Device: where a model computes.
//
// Threading: values and pure functions; Resolve asks the driver. Failure: INVALID_ARGUMENT for text that names no
// device, FAILED_PRECONDITION for one that is not there, with what is.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const Device device, ParseDevice("cuda:1"));
//   SIGHTLINE_RETURN_IF_ERROR(CheckDevice(device));
#ifndef SIGHTLINE_MODEL_DEVICE_DEVICE_H_
#define SIGHTLINE_MODEL_DEVICE_DEVICE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace sightline::model {

struct Device {
  bool cuda = false;
  int index = 0;  // of the card; 0 for the CPU

  std::string Name() const;  // "cpu", "cuda:0"
  friend bool operator==(const Device&, const Device&) = default;
};

// "cpu", "cuda" (the first card) or "cuda:N".
absl::StatusOr<Device> ParseDevice(absl::string_view text);

// "auto": every card there is, or the CPU where there is none. Otherwise devices with commas between them, each once;
// the CPU stands alone.
absl::StatusOr<std::vector<Device>> ParseDevices(absl::string_view text);

// Cards that LibTorch can use; 0 where it was built without CUDA or there is no driver.
int CardCount();

// Whether the device can be used by this process.
absl::Status CheckDevice(const Device& device);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_DEVICE_DEVICE_H_
