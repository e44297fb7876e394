#include "model/train/data/gps_sampler.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/train/data/draw.h"

namespace sightline::train {
namespace {

using scene::Random;

// Negatives that are looked at for every one that is wanted: some are near what the batch has already.
constexpr int kCandidatesPerNegative = 4;

class BatchBuilder {
 public:
  BatchBuilder(const Dataset& dataset, const GpsPairs& pairs, const SamplerConfig& config)
      : dataset_(dataset), pairs_(pairs), config_(config) {}

  // Whether there was room for a group round this query.
  bool Add(const GpsPairs::Query& query, Random& random) {
    const size_t before = batch_.photos.size();
    if (AddPlace(query, random) && AddNegatives(query, random)) return true;
    batch_.photos.resize(before);
    batch_.labels.resize(before);
    return false;
  }

  bool full() const { return batch_.photos.size() == static_cast<size_t>(config_.batch); }

  BatchPlan Take() {
    batch_.height = config_.sizes.front().height;
    batch_.width = config_.sizes.front().width;
    return std::exchange(batch_, {});
  }

 private:
  bool AddPlace(const GpsPairs::Query& query, Random& random) {
    const auto chosen = static_cast<size_t>(random.Uniform() * static_cast<double>(query.positives.size()));
    const int64_t positive = query.positives[chosen];
    if (!IsElsewhere(query.photo) || !IsElsewhere(positive)) return false;
    const int64_t label = NextLabel();
    Append(query.photo, label);
    Append(positive, label);
    return true;
  }

  bool AddNegatives(const GpsPairs::Query& query, Random& random) {
    int left = config_.negatives;
    for (const int64_t photo : DrawNegatives(dataset_, pairs_, query, kCandidatesPerNegative * left, random)) {
      if (left == 0) break;
      if (!IsElsewhere(photo)) continue;
      Append(photo, NextLabel());
      --left;
    }
    return left == 0;
  }

  // Whether the photograph shows none of the places of the batch.
  bool IsElsewhere(int64_t photo) const {
    return std::all_of(batch_.photos.begin(), batch_.photos.end(), [&](int64_t other) {
      return Metres(*dataset_.photos[static_cast<size_t>(photo)].position,
                    *dataset_.photos[static_cast<size_t>(other)].position) > pairs_.negative_metres;
    });
  }

  int64_t NextLabel() const { return batch_.labels.empty() ? 0 : batch_.labels.back() + 1; }

  void Append(int64_t photo, int64_t label) {
    batch_.photos.push_back(photo);
    batch_.labels.push_back(label);
  }

  const Dataset& dataset_;
  const GpsPairs& pairs_;
  const SamplerConfig& config_;
  BatchPlan batch_;
};

// One pass over the queries in the order drawn. Those that a batch has no room for go first for the next one.
std::vector<BatchPlan> PlanPass(const Dataset& dataset, const GpsPairs& pairs, const SamplerConfig& config,
                                const std::vector<int64_t>& draws, Random& random) {
  std::vector<BatchPlan> plan;
  std::deque<int64_t> waiting(draws.begin(), draws.end());
  BatchBuilder builder(dataset, pairs, config);
  std::vector<int64_t> refused;
  while (!waiting.empty()) {
    const int64_t query = waiting.front();
    waiting.pop_front();
    if (!builder.Add(pairs.queries[static_cast<size_t>(query)], random)) {
      refused.push_back(query);
    } else if (builder.full()) {
      plan.push_back(builder.Take());
      waiting.insert(waiting.begin(), refused.begin(), refused.end());
      refused.clear();
    }
  }
  return plan;
}

}  // namespace

absl::StatusOr<std::vector<BatchPlan>> PlanGpsEpoch(const Dataset& dataset, const GpsPairs& pairs,
                                                    const SamplerConfig& config, uint64_t seed, int64_t epoch) {
  const int group = config.negatives + 2;
  if (config.negatives < 1 || config.batch < group || config.batch % group != 0 || config.sizes.size() != 1) {
    return base::InvalidArgument(
        "SAMPLER_INVALID",
        absl::StrCat("the sampler has batch ", config.batch, ", negatives ", config.negatives, " and ",
                     config.sizes.size(), " sizes. Let negatives + 2 divide batch, and give one size."));
  }
  std::vector<double> weights;
  for (const GpsPairs::Query& query : pairs.queries) {
    weights.push_back(dataset.photos[static_cast<size_t>(query.photo)].weight);
  }
  const auto wanted = static_cast<size_t>(config.batches);
  std::vector<BatchPlan> plan;
  for (uint64_t pass = 0; pass == 0 || plan.size() < wanted; ++pass) {
    Random random = Random::For(seed, {static_cast<uint64_t>(epoch), pass});
    SIGHTLINE_ASSIGN_OR_RETURN(const std::vector<int64_t> draws, DrawByWeight(weights, random));
    std::vector<BatchPlan> of_pass = PlanPass(dataset, pairs, config, draws, random);
    if (of_pass.empty() && plan.empty()) {
      return base::InvalidArgument(
          "BATCH_NEVER_FULL",
          absl::StrCat(pairs.queries.size(), " queries with positives fill no batch of ", config.batch,
                       " photographs whose places are more than ", pairs.negative_metres,
                       " m apart. Lower sampler.batch or sampler.negatives, or give more photographs."),
          {{"field", "sampler.batch"}});
    }
    std::move(of_pass.begin(), of_pass.end(), std::back_inserter(plan));
  }
  if (wanted > 0) plan.resize(wanted);
  return plan;
}

}  // namespace sightline::train
