#include "server/status_page.h"

#include <array>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/version.h"
#include "server/code_names.h"
#include "server/observe/columns.h"

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
  if (stats.card_images > 0) {
    absl::StrAppendFormat(&out, "  on the card %d images, %.1f MiB, %d scans\n", stats.card_images,
                          static_cast<double>(stats.card_bytes) / kMib, stats.card_scans);
  }
  if (stats.read_only) absl::StrAppend(&out, "  READ-ONLY: ", Printable(stats.read_only_reason), "\n");
  return out;
}

std::string DamagedText(const index::DamagedCollection& damaged) {
  return absl::StrCat("collection ", Printable(damaged.name),
                      damaged.readable ? ": DAMAGED, read as far as possible: " : ": SET ASIDE, not served: ",
                      Printable(damaged.status.message()), "\n");
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
    const std::vector<ServedModel::DeviceState> devices = known.model->devices();
    if (devices.size() > 1 || !devices.front().status.ok()) {
      for (const ServedModel::DeviceState& one : devices) {
        absl::StrAppend(&out, "  ", one.device, one.status.ok() ? "" : ": NOT USED: ", Printable(one.status.message()),
                        "\n");
      }
    }
  }
  if (known.loading) absl::StrAppend(&out, "model ", known.name, ": being loaded\n");
  if (!known.refused.ok())
    absl::StrAppend(&out, "model ", known.name, ": REFUSED: ", Printable(known.refused.message()), "\n");
  return out;
}

std::string IncidentsText(const char* title, const std::vector<Incident>& incidents) {
  if (incidents.empty()) return absl::StrCat(title, ": none\n");
  std::string out = absl::StrCat(title, ", newest first:\n");
  for (const Incident& incident : incidents) {
    const CallInfo& call = incident.call;
    absl::StrAppendFormat(&out, "  %s %s %s %.1f ms",
                          absl::FormatTime("%m-%d %H:%M:%SZ", incident.time, absl::UTCTimeZone()), call.method,
                          CodeName(incident.code), incident.milliseconds);
    if (!incident.reason.empty()) absl::StrAppend(&out, " ", incident.reason);
    if (!call.collection.empty()) absl::StrAppend(&out, ", collection ", Printable(call.collection));
    absl::StrAppend(&out, ", request ", call.request_id);
    if (!call.trace_id.empty()) absl::StrAppend(&out, ", trace ", call.trace_id);
    if (!call.caller.empty()) absl::StrAppend(&out, ", caller ", Printable(call.caller));
    absl::StrAppend(&out, "\n");
    if (!incident.stages.empty()) {
      absl::StrAppend(&out, "   ");
      for (const Stage& stage : incident.stages) {
        absl::StrAppendFormat(&out, " %s %.1f", stage.name, stage.milliseconds);
        if (stage.batch_size > 0) absl::StrAppendFormat(&out, " (batch of %d)", stage.batch_size);
      }
      absl::StrAppend(&out, "\n");
    }
    // Not a line of its own for each line of a message: what callers wrote must not look like the page's own.
    if (!incident.message.empty()) absl::StrAppend(&out, "    ", Printable(incident.message), "\n");
  }
  return out;
}

std::string SettingsText(const std::vector<std::pair<std::string, std::string>>& settings) {
  if (settings.empty()) return "settings: all as they come\n";
  std::string out = "settings that are not the default:\n";
  for (const auto& [name, value] : settings) absl::StrAppend(&out, "  ", name, " = ", Printable(value), "\n");
  return out;
}

// Gauges of one collection, or the sums over several.
struct CollectionGauges {
  std::map<std::string, int64_t> values;
  std::map<std::pair<const char*, const char*>, int64_t> bytes;  // by place and layer

  void Add(const index::CollectionStats& stats) {
    values["sightline_collection_images"] += stats.images;
    values["sightline_collection_deleted_images"] += stats.deleted_images;
    values["sightline_collection_segments"] += stats.segments;
    values["sightline_collection_tail_images"] += stats.tail_images;
    values["sightline_collection_graph_backlog"] += stats.graph_backlog;
    values["sightline_collection_card_images"] += stats.card_images;
    values["sightline_collection_card_scans_total"] += stats.card_scans;
    values["sightline_collection_read_only"] += stats.read_only ? 1 : 0;
    for (const auto& [place, layers] : {std::pair("memory", &stats.memory), std::pair("disk", &stats.disk)}) {
      for (const auto& [layer, value] : LayersOf(*layers)) bytes[{place, layer}] += value;
    }
    bytes[{"card", "descriptors"}] += stats.card_bytes;
  }
};

}  // namespace

std::string StatusPage(const ServerFacts& facts, bool serving, const Metrics& metrics, const index::Database& database,
                       const ModelHub& models, const Operations& operations, const Limits& limits,
                       const StatusExtras& extras) {
  std::string out =
      absl::StrCat("sightline-server ", base::VersionText(), "\nup ",
                   absl::FormatDuration(absl::Trunc(base::Clock::Real().Now() - facts.start_time, absl::Seconds(1))),
                   ", simd ", facts.simd_level, facts.cpu_capability.empty() ? "" : ", models ", facts.cpu_capability,
                   ", on ", absl::StrJoin(models.devices(), ", "), serving ? ", serving\n\n" : ", not serving\n\n");
  for (const std::string& warning : WarningsOf(facts, models))
    absl::StrAppend(&out, "warning: ", Printable(warning), "\n\n");
  absl::StrAppend(&out, SettingsText(extras.settings), "\n", metrics.StageTable(), "\n");
  if (!extras.queues.empty()) {
    absl::StrAppend(&out, "queues:");
    for (const auto& [queue, depth] : extras.queues) absl::StrAppend(&out, " ", queue, " ", depth);
    absl::StrAppend(&out, "\n");
  }
  absl::StrAppendFormat(
      &out, "decoding %s, %.1f of %.1f MiB in use\n",
      facts.decodes_apart
          ? absl::StrCat("in processes of its own, ", absl::FormatDuration(limits.decode_timeout), " for an image")
          : "INSIDE THE SERVER",
      static_cast<double>(extras.decode_memory) / kMib, static_cast<double>(limits.decode_memory_bytes) / kMib);
  for (const ModelHub::Known& known : models.ListKnown())
    absl::StrAppend(&out, ModelText(known, models.default_model()));
  absl::StrAppendFormat(&out, "memory of the collections %.1f MiB, budget %s\n",
                        static_cast<double>(database.memory_bytes()) / kMib,
                        limits.memory_budget_bytes == 0
                            ? "none"
                            : absl::StrFormat("%.1f MiB", static_cast<double>(limits.memory_budget_bytes) / kMib));
  absl::StrAppend(&out, extras.card);
  for (const index::DamagedCollection& damaged : database.damaged()) absl::StrAppend(&out, DamagedText(damaged));
  for (const auto& collection : database.List()) absl::StrAppend(&out, CollectionText(*collection));
  absl::StrAppend(&out, "operations:");
  for (const auto& [state, count] : operations.CountByState()) absl::StrAppend(&out, " ", count, " ", StateName(state));
  absl::StrAppend(&out, "\n\n", IncidentsText("last slow requests", extras.slow),
                  IncidentsText("last failures", extras.failures));
  return FitColumns(out);
}

void AddSamples(const index::Database& database, const ModelHub& models, const Operations& operations,
                const Limits& limits, CollectionSeries* series, std::vector<Metrics::Sample>* samples) {
  const auto add = [samples](const char* name, std::map<std::string, std::string> labels, auto value) {
    samples->push_back({name, std::move(labels), static_cast<double>(value)});
  };
  for (const ModelPtr& model : models.List()) {
    const std::map<std::string, std::string> labels = {{"model", model->info().name}};
    add("sightline_model_load_seconds", labels, model->start().load_milliseconds / 1e3);
    add("sightline_model_warm_up_seconds", labels, model->start().warm_up_milliseconds / 1e3);
    for (const ServedModel::DeviceState& one : model->devices()) {
      add("sightline_model_device_up", {{"model", model->info().name}, {"device", one.device}},
          one.status.ok() ? 1 : 0);
    }
  }
  add("sightline_memory_budget_bytes", {}, limits.memory_budget_bytes);
  add("sightline_memory_bytes", {}, database.memory_bytes());
  add("sightline_damaged_collections", {}, database.damaged().size());
  for (const auto& [state, count] : operations.CountByState()) {
    add("sightline_operations", {{"state", StateName(state)}}, count);
  }
  const std::vector<std::shared_ptr<index::Collection>> collections = database.List();
  std::vector<std::string> names;
  for (const auto& collection : collections) names.push_back(collection->config().name);
  series->Keep(names);
  std::map<std::string, CollectionGauges> gauges;
  for (const auto& collection : collections) {
    gauges[series->LabelOf(collection->config().name)].Add(collection->Stats());
  }
  for (const auto& [label, sums] : gauges) {
    for (const auto& [name, value] : sums.values) add(name.c_str(), {{"collection", label}}, value);
    for (const auto& [where, value] : sums.bytes) {
      add("sightline_collection_bytes", {{"collection", label}, {"place", where.first}, {"layer", where.second}},
          value);
    }
  }
}

}  // namespace sightline::server
