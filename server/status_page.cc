#include "server/status_page.h"

#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "server/version.h"

namespace sightline::server {
namespace {

constexpr double kMib = 1 << 20;
constexpr size_t kShownSpace = 12;  // of an embedding space's name

std::array<std::pair<const char*, int64_t>, 7> LayersOf(const index::LayerBytes& bytes) {
  return {{{"descriptors", bytes.descriptors},
           {"codes", bytes.codes},
           {"graph", bytes.graph},
           {"tokens", bytes.tokens},
           {"attributes", bytes.attributes},
           {"images", bytes.images},
           {"log", bytes.log}}};
}

// "running" for STATE_RUNNING.
std::string StateName(v1::Operation::State state) {
  return absl::AsciiStrToLower(absl::StripPrefix(v1::Operation::State_Name(state), "STATE_"));
}

// "memory 12.3 MiB: codes 8.1, graph 4.2".
std::string BytesLine(const char* place, const index::LayerBytes& bytes) {
  std::string line = absl::StrFormat("  %s %.1f MiB", place, static_cast<double>(bytes.total()) / kMib);
  const char* separator = ": ";
  for (const auto& [layer, value] : LayersOf(bytes)) {
    if (value == 0) continue;
    absl::StrAppendFormat(&line, "%s%s %.1f", separator, layer, static_cast<double>(value) / kMib);
    separator = ", ";
  }
  return line + "\n";
}

std::string CollectionText(const index::Collection& collection) {
  const index::CollectionStats stats = collection.Stats();
  std::string out =
      absl::StrCat("collection ", collection.config().name, ": ", stats.images, " images, ", stats.index_choice, "\n  ",
                   stats.segments, " segments, ", stats.tail_images, " images in the tail, ", stats.graph_backlog,
                   " not in a graph yet, ", stats.deleted_images, " deleted\n", BytesLine("memory", stats.memory),
                   BytesLine("disk", stats.disk));
  if (stats.read_only) absl::StrAppend(&out, "  READ-ONLY: ", stats.read_only_reason, "\n");
  return out;
}

// Nothing for a folder that was never loaded.
std::string ModelText(const ModelHub::Known& known, const std::string& default_model) {
  std::string out;
  if (known.model != nullptr) {
    const model::ModelInfo& info = known.model->info();
    const ServedModel::Start& start = known.model->start();
    absl::StrAppendFormat(&out,
                          "model %s%s: %s, %s, space %s, %d images wait\n  loaded in %.0f ms, warmed up in %.0f ms "
                          "(%d of %d sizes)\n",
                          info.name, info.name == default_model ? " (default)" : "", info.architecture, info.numeric,
                          info.embedding_space.substr(0, kShownSpace), static_cast<int>(known.model->queue_depth()),
                          start.load_milliseconds, start.warm_up_milliseconds, start.warm_sizes, start.sizes);
  }
  if (known.loading) absl::StrAppend(&out, "model ", known.name, ": being loaded\n");
  if (!known.refused.ok()) absl::StrAppend(&out, "model ", known.name, ": REFUSED: ", known.refused.message(), "\n");
  return out;
}

}  // namespace

std::string StatusPage(const ServerFacts& facts, bool serving, const Metrics& metrics, const index::Database& database,
                       const ModelHub& models, const Operations& operations, const Limits& limits) {
  std::string out =
      absl::StrCat("sightline-server ", VersionText(), "\nup ",
                   absl::FormatDuration(absl::Trunc(base::Clock::Real().Now() - facts.start_time, absl::Seconds(1))),
                   ", simd ", facts.simd_level, facts.cpu_capability.empty() ? "" : ", models ", facts.cpu_capability,
                   serving ? ", serving\n\n" : ", not serving\n\n");
  for (const std::string& warning : WarningsOf(facts, models)) absl::StrAppend(&out, "warning: ", warning, "\n\n");
  absl::StrAppend(&out, metrics.StageTable(), "\n");
  for (const ModelHub::Known& known : models.ListKnown())
    absl::StrAppend(&out, ModelText(known, models.default_model()));
  absl::StrAppendFormat(&out, "memory of the collections %.1f MiB, budget %s\n",
                        static_cast<double>(database.memory_bytes()) / kMib,
                        limits.memory_budget_bytes == 0
                            ? "none"
                            : absl::StrFormat("%.1f MiB", static_cast<double>(limits.memory_budget_bytes) / kMib));
  for (const auto& collection : database.List()) absl::StrAppend(&out, CollectionText(*collection));
  absl::StrAppend(&out, "operations:");
  for (const auto& [state, count] : operations.CountByState()) absl::StrAppend(&out, " ", count, " ", StateName(state));
  return out + "\n";
}

void AddSamples(const index::Database& database, const ModelHub& models, const Operations& operations,
                const Limits& limits, std::vector<Metrics::Sample>* samples) {
  const auto add = [samples](const char* name, std::map<std::string, std::string> labels, auto value) {
    samples->push_back({name, std::move(labels), static_cast<double>(value)});
  };
  for (const ModelPtr& model : models.List()) {
    const std::map<std::string, std::string> labels = {{"model", model->info().name}};
    add("sightline_model_load_seconds", labels, model->start().load_milliseconds / 1e3);
    add("sightline_model_warm_up_seconds", labels, model->start().warm_up_milliseconds / 1e3);
  }
  add("sightline_memory_budget_bytes", {}, limits.memory_budget_bytes);
  add("sightline_memory_bytes", {}, database.memory_bytes());
  for (const auto& [state, count] : operations.CountByState()) {
    add("sightline_operations", {{"state", StateName(state)}}, count);
  }
  for (const auto& collection : database.List()) {
    const std::string& name = collection->config().name;
    const index::CollectionStats stats = collection->Stats();
    add("sightline_collection_images", {{"collection", name}}, stats.images);
    add("sightline_collection_deleted_images", {{"collection", name}}, stats.deleted_images);
    add("sightline_collection_segments", {{"collection", name}}, stats.segments);
    add("sightline_collection_tail_images", {{"collection", name}}, stats.tail_images);
    add("sightline_collection_graph_backlog", {{"collection", name}}, stats.graph_backlog);
    add("sightline_collection_read_only", {{"collection", name}}, stats.read_only ? 1 : 0);
    for (const auto& [place, bytes] : {std::pair("memory", &stats.memory), std::pair("disk", &stats.disk)}) {
      for (const auto& [layer, value] : LayersOf(*bytes)) {
        add("sightline_collection_bytes", {{"collection", name}, {"place", place}, {"layer", layer}}, value);
      }
    }
  }
}

}  // namespace sightline::server
