#include "server/collection_series.h"

#include <prometheus/metric_family.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

namespace sightline::server {

void CollectionSeries::Durations::Add(double seconds) {
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  ++buckets[static_cast<size_t>(bound - kBounds.begin())];
  sum += seconds;
}

CollectionSeries::Series& CollectionSeries::Find(absl::string_view collection) {
  const auto known = series_.find(collection);
  if (known != series_.end()) return known->second;
  if (static_cast<int>(series_.size()) < most_) return series_[std::string(collection)];
  has_other_ = true;
  return other_;
}

void CollectionSeries::Observe(absl::string_view collection, absl::StatusCode code, const std::vector<Stage>& stages,
                               double milliseconds) {
  int index = static_cast<int>(code);
  if (index < 0 || index >= kCodeCount) index = static_cast<int>(absl::StatusCode::kUnknown);
  base::MutexLock lock(mutex_);
  Series& series = Find(collection);
  ++series.requests[static_cast<size_t>(index)];
  for (const Stage& stage : stages) series.stages[stage.name].Add(stage.milliseconds / 1e3);
  series.stages["total"].Add(milliseconds / 1e3);
}

void CollectionSeries::Keep(const std::vector<std::string>& collections) {
  const std::set<absl::string_view> kept(collections.begin(), collections.end());
  base::MutexLock lock(mutex_);
  for (auto it = series_.begin(); it != series_.end();) {
    it = kept.count(it->first) > 0 ? std::next(it) : series_.erase(it);
  }
  for (const std::string& name : collections) Find(name);
}

std::string CollectionSeries::LabelOf(absl::string_view collection) const {
  base::MutexLock lock(mutex_);
  return series_.find(collection) != series_.end() ? std::string(collection) : kOtherCollections;
}

std::vector<prometheus::MetricFamily> CollectionSeries::Collect() const {
  using prometheus::ClientMetric;
  prometheus::MetricFamily requests;
  requests.name = "sightline_collection_requests_total";
  requests.help = "Requests about a collection, by collection and code.";
  requests.type = prometheus::MetricType::Counter;
  prometheus::MetricFamily seconds;
  seconds.name = "sightline_collection_stage_duration_seconds";
  seconds.help = "Time spent in one stage of a request, by collection; the stage total is the whole request.";
  seconds.type = prometheus::MetricType::Histogram;

  const auto add = [&](const std::string& name, const Series& series) {
    for (int code = 0; code < kCodeCount; ++code) {
      const uint64_t count = series.requests[static_cast<size_t>(code)];
      if (count == 0 && code != 0) continue;
      ClientMetric metric;
      metric.label = {{"code", CodeName(static_cast<absl::StatusCode>(code))}, {"collection", name}};
      metric.counter.value = static_cast<double>(count);
      requests.metric.push_back(std::move(metric));
    }
    for (const auto& [stage, durations] : series.stages) {
      ClientMetric metric;
      metric.label = {{"collection", name}, {"stage", stage}};
      uint64_t count = 0;
      for (size_t i = 0; i < durations.buckets.size(); ++i) {
        count += durations.buckets[i];
        const double bound = i < kBounds.size() ? kBounds[i] : std::numeric_limits<double>::infinity();
        metric.histogram.bucket.push_back({count, bound});
      }
      metric.histogram.sample_count = count;
      metric.histogram.sample_sum = durations.sum;
      seconds.metric.push_back(std::move(metric));
    }
  };
  base::MutexLock lock(mutex_);
  for (const auto& [name, series] : series_) add(name, series);
  if (has_other_) add(kOtherCollections, other_);
  return {std::move(requests), std::move(seconds)};
}

}  // namespace sightline::server
