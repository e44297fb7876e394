// Device: where a model computes.
//
// Threading: values and functions that any thread may call; "auto", CardCount, CheckDevice and FindDevices ask the
// driver. Failure: INVALID_ARGUMENT for text that names no device, FAILED_PRECONDITION for one that is not there, with
// what is.
//
//   SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<Device> devices, FindDevices("cuda:0,cuda:1"));
#ifndef SIGHTLINE_MODEL_DEVICE_DEVICE_H_
#define SIGHTLINE_MODEL_DEVICE_DEVICE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace sightline::model {

// The reason of a batch that a device did not compute. The next one may fare better, or the device is lost.
inline constexpr char kDeviceFailed[] = "DEVICE_FAILED";

struct Device {
  bool cuda = false;
  int index = 0;  // of the card; 0 for the CPU

  // "cpu", "cuda:0". Here, for those who know of devices and link no LibTorch.
  std::string Name() const { return cuda ? absl::StrCat("cuda:", index) : "cpu"; }
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

// ParseDevices, and CheckDevice of each.
absl::StatusOr<std::vector<Device>> FindDevices(absl::string_view text);

}  // namespace sightline::model

#endif  // SIGHTLINE_MODEL_DEVICE_DEVICE_H_
