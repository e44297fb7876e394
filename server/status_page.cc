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

}  // namespace

std::string StatusPage(const ServerFacts& facts, bool serving, const Metrics& metrics, const index::Database& database,
                       const Operations& operations, const Limits& limits) {
  std::string out =
      absl::StrCat("sightline-server ", VersionText(), "\nup ",
                   absl::FormatDuration(absl::Trunc(base::Clock::Real().Now() - facts.start_time, absl::Seconds(1))),
                   ", simd ", facts.simd_level, serving ? ", serving\n\n" : ", not serving\n\n");
  for (const std::string& warning : facts.warnings) absl::StrAppend(&out, "warning: ", warning, "\n\n");
  absl::StrAppend(&out, metrics.StageTable(), "\n");
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

void AddSamples(const index::Database& database, const Operations& operations, const Limits& limits,
                std::vector<Metrics::Sample>* samples) {
  const auto add = [samples](const char* name, std::map<std::string, std::string> labels, auto value) {
    samples->push_back({name, std::move(labels), static_cast<double>(value)});
  };
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
