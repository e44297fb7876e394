#include "server/pace.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <limits>

namespace sightline::server {
namespace {

// Callers choose the shapes of images: some models have a bucket for each.
constexpr size_t kMaxBuckets = 256;

// The weight of a new measurement, after the first few. A change of the machine's pace is known after about five.
constexpr double kNewest = 0.2;

// A larger batch has to save this share of an image's cost: all of its images wait until the last one is done.
constexpr double kWorth = 0.08;
// What a full batch costs is looked at again this often.
constexpr auto kTryAgain = std::chrono::minutes(1);

}  // namespace

void Pace::Moving::Add(double value, base::Clock::Ticks now) {
  ++count;
  measured = now;
  if (count == 1) {
    mean = value;
    deviation = value / 4;  // one measurement does not tell how much they differ
    return;
  }
  const double weight = std::max(kNewest, 1.0 / count);
  deviation += weight * (std::abs(value - mean) - deviation);
  mean += weight * (value - mean);
}

Pace::Estimate Pace::Scaled(const Moving& moving, double factor) {
  return {
      .mean = factor * moving.mean, .safe = factor * (moving.mean + 2 * moving.deviation), .measured = moving.measured};
}

void Pace::Observe(const std::string& bucket, int size, double milliseconds, base::Clock::Ticks now) {
  if (size <= 0) return;
  image_.Add(milliseconds / size, now);
  if (buckets_.size() >= kMaxBuckets && !buckets_.contains(bucket)) buckets_.clear();
  buckets_[bucket][size].Add(milliseconds, now);
}

Pace::Estimate Pace::Expect(const std::string& bucket, int size) const {
  const auto found = buckets_.find(bucket);
  if (found == buckets_.end()) return Scaled(image_, size);
  // The measured size nearest to it, the larger one of two: its images cost less each, so that nothing is refused for
  // an exaggeration.
  const Sizes& sizes = found->second;
  const auto larger = sizes.lower_bound(size);
  const auto& [measured_size, moving] = larger != sizes.end() ? *larger : *std::prev(sizes.end());
  return Scaled(moving, static_cast<double>(size) / measured_size);
}

int Pace::WorthHaving(const Sizes& sizes, int most) {
  if (sizes.size() == 1) return most;  // nothing to compare with
  double cheapest = std::numeric_limits<double>::infinity();
  for (const auto& [size, moving] : sizes) cheapest = std::min(cheapest, moving.mean / size);
  const auto worth = [&](const auto& entry) { return entry.second.mean / entry.first <= (1 + kWorth) * cheapest; };
  return std::min(most, std::find_if(sizes.begin(), sizes.end(), worth)->first);
}

int Pace::WorthHaving(const std::string& bucket, int most) const {
  const auto found = buckets_.find(bucket);
  return found == buckets_.end() ? most : WorthHaving(found->second, most);
}

int Pace::WorthTaking(const std::string& bucket, int waiting, base::Clock::Ticks now) const {
  const auto found = buckets_.find(bucket);
  if (found == buckets_.end()) return waiting;
  const auto tried = found->second.lower_bound(waiting);
  if (tried == found->second.end() || now - tried->second.measured >= kTryAgain) return waiting;
  return WorthHaving(found->second, waiting);
}

}  // namespace sightline::server
