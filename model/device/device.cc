#include "model/device/device.h"

#include <torch/cuda.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace sightline::model {
namespace {

constexpr int kMostCards = 64;

absl::Status NoSuchDevice(absl::string_view text, absl::string_view why) {
  return base::InvalidArgument("DEVICE_INVALID",
                               absl::StrCat("the device is \"", text, "\"", why, ". Give cpu, cuda:N or auto."),
                               {{"field", "device"}, {"actual", std::string(text)}});
}

}  // namespace

absl::StatusOr<Device> ParseDevice(absl::string_view text) {
  if (text == "cpu") return Device{};
  if (text == "cuda") return Device{.cuda = true};
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  int index = -1;
  const bool digits =
      !parts.second.empty() && std::all_of(parts.second.begin(), parts.second.end(), absl::ascii_isdigit);
  if (parts.first != "cuda" || !digits || !absl::SimpleAtoi(parts.second, &index) || index >= kMostCards) {
    return NoSuchDevice(text, "");
  }
  return Device{.cuda = true, .index = index};
}

absl::StatusOr<std::vector<Device>> ParseDevices(absl::string_view text) {
  std::vector<Device> devices;
  if (text == "auto") {
    for (int card = 0; card < CardCount(); ++card) devices.push_back({.cuda = true, .index = card});
    if (devices.empty()) devices.push_back({});
    return devices;
  }
  for (const absl::string_view one : absl::StrSplit(text, ',')) {
    SIGHTLINE_ASSIGN_OR_RETURN(const Device device, ParseDevice(one));
    if (std::find(devices.begin(), devices.end(), device) != devices.end()) {
      return NoSuchDevice(text, absl::StrCat(", which names ", device.Name(), " twice"));
    }
    devices.push_back(device);
  }
  if (devices.size() > 1 && std::find(devices.begin(), devices.end(), Device{}) != devices.end()) {
    return NoSuchDevice(text, ", and the CPU cannot stand beside cards");
  }
  return devices;
}

int CardCount() { return torch::cuda::is_available() ? static_cast<int>(torch::cuda::device_count()) : 0; }

absl::Status CheckDevice(const Device& device) {
  const int cards = CardCount();
  if (!device.cuda || device.index < cards) return absl::OkStatus();
  const std::string there = cards == 0 ? "LibTorch finds no card on this machine, or was built without CUDA"
                                       : absl::StrCat("this machine has ", cards, ", cuda:0 to cuda:", cards - 1);
  return base::FailedPrecondition(
      "DEVICE_MISSING",
      absl::StrCat("the device ", device.Name(), " is not there: ", there,
                   ". Use --device cpu, or docs/troubleshooting.md on what may be missing."),
      {{"actual", device.Name()}});
}

absl::StatusOr<std::vector<Device>> FindDevices(absl::string_view text) {
  SIGHTLINE_ASSIGN_OR_RETURN(std::vector<Device> devices, ParseDevices(text));
  for (const Device& device : devices) SIGHTLINE_RETURN_IF_ERROR(CheckDevice(device));
  return devices;
}

}  // namespace sightline::model
