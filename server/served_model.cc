#include "server/served_model.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace sightline::server {
namespace {

// Of the first device, with the names of the others behind it: "bf16/cuda:0,cuda:1".
model::ModelInfo InfoOf(const std::string& name, const std::vector<std::unique_ptr<Batcher>>& batchers) {
  model::ModelInfo info = batchers.front()->model().info();
  info.name = name;
  for (size_t i = 1; i < batchers.size(); ++i) absl::StrAppend(&info.numeric, ",", batchers[i]->device());
  return info;
}

// Which of two refusals tells the caller more: one that may be tried again, and sooner.
bool IsBetter(const absl::Status& one, const absl::Status& other) {
  const std::optional<absl::Duration> mine = base::GetErrorInfo(one).retry_after;
  const std::optional<absl::Duration> others = base::GetErrorInfo(other).retry_after;
  return mine.has_value() && (!others.has_value() || *mine < *others);
}

}  // namespace

ServedModel::ServedModel(const std::string& name, std::vector<std::unique_ptr<Batcher>> batchers,
                         std::vector<DeviceState> left_out)
    : info_(InfoOf(name, batchers)), left_out_(std::move(left_out)), batchers_(std::move(batchers)) {}

const model::Model& ServedModel::model() const {
  for (const auto& batcher : batchers_) {
    if (batcher->lost().ok()) return batcher->model();
  }
  return batchers_.front()->model();
}

absl::StatusOr<Batcher::Place> ServedModel::Reserve(const Request& request, Priority priority, int images) {
  std::vector<std::pair<Batcher::Expectation, Batcher*>> choice;
  for (const auto& batcher : batchers_) {
    if (batcher->lost().ok()) choice.emplace_back(batcher->Expect(request, priority, images), batcher.get());
  }
  if (choice.empty()) return batchers_.front()->Reserve(request, priority, images);  // which says why not
  // Stable: devices that are alike are asked in the order they were given.
  std::stable_sort(choice.begin(), choice.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  absl::Status refusal;
  for (const auto& [expected, batcher] : choice) {
    absl::StatusOr<Batcher::Place> place = batcher->Reserve(request, priority, images);
    if (place.ok()) return place;
    if (refusal.ok() || IsBetter(place.status(), refusal)) refusal = place.status();
  }
  return refusal;
}

void ServedModel::Stop() {
  for (const auto& batcher : batchers_) batcher->Stop();
}

size_t ServedModel::queue_depth() const {
  size_t depth = 0;
  for (const auto& batcher : batchers_) depth += batcher->queue_depth();
  return depth;
}

std::vector<ServedModel::DeviceState> ServedModel::devices() const {
  std::vector<DeviceState> devices;
  for (const auto& batcher : batchers_) devices.push_back({batcher->device(), batcher->lost()});
  devices.insert(devices.end(), left_out_.begin(), left_out_.end());
  return devices;
}

bool ServedModel::lost() const {
  return std::none_of(batchers_.begin(), batchers_.end(), [](const auto& batcher) { return batcher->lost().ok(); });
}

}  // namespace sightline::server
