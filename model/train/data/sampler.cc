#include "model/train/data/sampler.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/train/data/draw.h"

namespace sightline::train {
namespace {

using scene::Random;
using Indices = std::vector<int64_t>;

absl::StatusOr<Indices> DrawPhotos(const Dataset& dataset, Random& random) {
  std::vector<double> weights;
  for (const Photo& photo : dataset.photos) weights.push_back(photo.weight);
  return DrawByWeight(weights, random);
}

// Batches of `config.batch` in the order of the draws; what is left is dropped.
void FillInOrder(const Indices& draws, const SamplerConfig& config, std::vector<Indices>& batches) {
  const auto batch = static_cast<size_t>(config.batch);
  for (size_t first = 0; first + batch <= draws.size(); first += batch) {
    const auto begin = draws.begin() + static_cast<std::ptrdiff_t>(first);
    batches.emplace_back(begin, begin + config.batch);
  }
}

// Sets of `config.per_class` photographs of one class, in a random order. A class with fewer photographs repeats them,
// one with more drops what does not fill a set.
std::vector<Indices> ClassSets(const Dataset& dataset, const Indices& draws, const SamplerConfig& config,
                               Random& random) {
  absl::flat_hash_map<int64_t, size_t> place;
  std::vector<Indices> by_class;
  for (const int64_t photo : draws) {
    const int64_t label = dataset.photos[static_cast<size_t>(photo)].label;
    const auto [found, added] = place.try_emplace(label, by_class.size());
    if (added) by_class.emplace_back();
    by_class[found->second].push_back(photo);
  }
  const auto per_class = static_cast<size_t>(config.per_class);
  std::vector<Indices> sets;
  for (const Indices& photos : by_class) {
    const size_t count = std::max<size_t>(1, photos.size() / per_class);
    for (size_t set = 0; set < count; ++set) {
      Indices& members = sets.emplace_back();
      for (size_t i = 0; i < per_class; ++i) members.push_back(photos[(set * per_class + i) % photos.size()]);
    }
  }
  Shuffle(sets, random);
  return sets;
}

// Batches of sets of different classes. A set whose class is in the batch already waits for the next ones.
void FillByClass(const Dataset& dataset, const std::vector<Indices>& sets, const SamplerConfig& config,
                 std::vector<Indices>& batches) {
  const auto label_of = [&](const Indices& set) { return dataset.photos[static_cast<size_t>(set.front())].label; };
  absl::flat_hash_map<int64_t, std::deque<const Indices*>> waiting;
  std::deque<int64_t> waiting_classes;              // each once
  absl::flat_hash_map<int64_t, size_t> last_batch;  // of every class, the number of the batch that has it, from 1
  Indices batch;
  const auto add = [&](const Indices& set) {
    batch.insert(batch.end(), set.begin(), set.end());
    last_batch[label_of(set)] = batches.size() + 1;
    if (batch.size() < static_cast<size_t>(config.batch)) return false;
    batches.push_back(std::move(batch));
    batch.clear();
    return true;
  };
  // Those that wait go first, one of a class.
  const auto start_batch = [&] {
    bool full = true;
    while (full && !waiting_classes.empty()) {
      full = false;
      for (size_t left = waiting_classes.size(); left > 0 && !full; --left) {
        const int64_t label = waiting_classes.front();
        waiting_classes.pop_front();
        std::deque<const Indices*>& of_class = waiting[label];
        full = add(*of_class.front());
        of_class.pop_front();
        if (!of_class.empty()) waiting_classes.push_back(label);
      }
    }
  };
  for (const Indices& set : sets) {
    const int64_t label = label_of(set);
    const auto last = last_batch.find(label);
    if (last != last_batch.end() && last->second == batches.size() + 1) {
      std::deque<const Indices*>& of_class = waiting[label];
      if (of_class.empty()) waiting_classes.push_back(label);
      of_class.push_back(&set);
    } else if (add(set)) {
      start_batch();
    }
  }
}

// np.digitize: how many of the ascending edges are at most `aspect`.
size_t GroupOf(double aspect, const std::vector<double>& edges) {
  return static_cast<size_t>(std::upper_bound(edges.begin(), edges.end(), aspect) - edges.begin());
}

absl::Status CheckPlan(const Dataset& dataset, const std::vector<double>& aspects, const SamplerConfig& config) {
  if (config.batch < 1 || config.per_class < 0 || (config.per_class > 0 && config.batch % config.per_class != 0) ||
      config.sizes.size() != config.edges.size() + 1) {
    return base::InvalidArgument(
        "SAMPLER_INVALID", absl::StrCat("the sampler has batch ", config.batch, ", per_class ", config.per_class, ", ",
                                        config.edges.size(), " edges and ", config.sizes.size(),
                                        " sizes. Let per_class divide batch, and give one size more than edges."));
  }
  if (!config.edges.empty() && aspects.size() != dataset.photos.size()) {
    return base::InvalidArgument(
        "SAMPLER_INVALID", absl::StrCat("there are ", aspects.size(), " aspect ratios for ", dataset.photos.size(),
                                        " photographs. Give one for each."));
  }
  return absl::OkStatus();
}

absl::Status NoBatch(const Dataset& dataset, const SamplerConfig& config) {
  const std::string classes =
      config.per_class == 0 ? "" : absl::StrCat(" of ", config.batch / config.per_class, " different classes");
  return base::InvalidArgument("BATCH_NEVER_FULL",
                               absl::StrCat(dataset.photos.size(), " photographs of ", dataset.classes.size(),
                                            " classes in ", config.sizes.size(), " groups of sizes fill no batch of ",
                                            config.batch, classes, ". Lower sampler.batch or give more photographs."),
                               {{"field", "sampler.batch"}});
}

}  // namespace

absl::StatusOr<std::vector<BatchPlan>> PlanEpoch(const Dataset& dataset, const std::vector<double>& aspects,
                                                 const SamplerConfig& config, uint64_t seed, int64_t epoch) {
  SIGHTLINE_RETURN_IF_ERROR(CheckPlan(dataset, aspects, config));
  if (dataset.photos.empty()) return NoBatch(dataset, config);
  const auto wanted = static_cast<size_t>(config.batches);
  std::vector<BatchPlan> plan;
  // Every pass goes over all photographs once; an epoch of more batches than that takes several.
  for (uint64_t pass = 0; pass == 0 || plan.size() < wanted; ++pass) {
    Random random = Random::For(seed, {static_cast<uint64_t>(epoch), pass});
    SIGHTLINE_ASSIGN_OR_RETURN(const Indices draws, DrawPhotos(dataset, random));
    std::vector<Indices> groups(config.sizes.size());
    for (const int64_t photo : draws) {
      groups[config.edges.empty() ? 0 : GroupOf(aspects[static_cast<size_t>(photo)], config.edges)].push_back(photo);
    }
    std::vector<BatchPlan> of_pass;
    for (size_t group = 0; group < groups.size(); ++group) {
      std::vector<Indices> batches;
      if (config.per_class == 0) {
        FillInOrder(groups[group], config, batches);
      } else {
        FillByClass(dataset, ClassSets(dataset, groups[group], config, random), config, batches);
      }
      const SamplerConfig::Size& size = config.sizes[group];
      for (Indices& photos : batches)
        of_pass.push_back({.photos = std::move(photos), .height = size.height, .width = size.width});
    }
    if (of_pass.empty() && plan.empty()) return NoBatch(dataset, config);
    Shuffle(of_pass, random);
    std::move(of_pass.begin(), of_pass.end(), std::back_inserter(plan));
  }
  if (wanted > 0) plan.resize(wanted);
  return plan;
}

}  // namespace sightline::train
