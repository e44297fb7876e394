#include "server/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <atomic>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/mutex.h"
#include "server/code_names.h"
#include "server/collection_series.h"

namespace sightline::server {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;

const prometheus::Histogram::BucketBoundaries kSeconds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                          0.1,    0.25,  0.5,    1,     2.5,  5,     10};
const prometheus::Histogram::BucketBoundaries kBatch = {1, 2, 4, 8, 16, 32, 64};

constexpr std::array<absl::string_view, 12> kStages = {"decode_queue", "decode",  "queue",        "embed",
                                                       "search_queue", "search",  "fetch_tokens", "rerank",
                                                       "fetch",        "explain", "store",        "total"};
constexpr auto kRejections =
    std::to_array<absl::string_view>({"connections", "connections_of_address", "resets", "in_flight", "message_memory",
                                      "unsent_replies", "decode_queue", "model_queue", "deadline", "search_queue",
                                      "write_queue", "memory_budget", "transfers", "key_rate", "key_in_flight"});
constexpr std::array<absl::string_view, 7> kAuthFailures = {"missing", "malformed",  "unknown", "expired",
                                                            "scope",   "collection", "listener"};
constexpr std::array<absl::string_view, 3> kIndexes = {"exact", "hnsw", "ivf"};
constexpr std::array<absl::string_view, 5> kRefinements = {"off", "average", "alpha_weighted", "super_global",
                                                           "k_reciprocal"};

constexpr std::array<absl::string_view, 3> kReadHeaders = {"traceparent", "tracestate", "x-request-id"};
constexpr std::array<absl::string_view, 2> kBoundedLines = {"failure", "slow"};

constexpr std::array<absl::string_view, 2> kRestarts = {"crash", "timeout"};

struct CollectedSpec {
  const char* name;
  const char* help;
  prometheus::MetricType type = prometheus::MetricType::Gauge;
};
constexpr auto kCollected = std::to_array<CollectedSpec>({
    {"sightline_api_keys", "Keys in force; absent without --api_keys."},
    {"sightline_tls_certificate_expiry_seconds", "Time until the certificate that is served ends; absent without TLS."},
    {"sightline_connections", "gRPC connections that are open, by listener."},
    {"sightline_queue_depth", "Tasks or images that wait, by queue."},
    {"sightline_decode_memory_bytes", "Memory taken by images that are being decoded, as --decode_memory counts it."},
    {"sightline_model_load_seconds", "Time that reading a loaded model took, by model."},
    {"sightline_model_warm_up_seconds", "Time that a loaded model ran before it was ready, by model."},
    {"sightline_model_device_up",
     "1 for a device that a loaded model computes on, 0 for one that it should and does not."},
    {"sightline_operations", "Operations that are known, by state; ended ones are kept for a while."},
    {"sightline_memory_budget_bytes", "Memory that the collections may use together; 0 for no limit."},
    {"sightline_memory_bytes", "Memory that the collections use together, as the budget counts it."},
    {"sightline_collection_images", "Images that a search can find, by collection."},
    {"sightline_collection_deleted_images", "Deleted images whose space is not reclaimed yet, by collection."},
    {"sightline_collection_segments", "Sealed segments, by collection."},
    {"sightline_collection_tail_images", "Images in the tail that is not sealed yet, by collection."},
    {"sightline_collection_graph_backlog", "Images that a graph is to hold and does not yet, by collection."},
    {"sightline_collection_card_images", "Images that a graphics card holds and compares, by collection."},
    {"sightline_collection_card_scans_total", "Segments that a graphics card has compared with a query, by collection.",
     prometheus::MetricType::Counter},
    {"sightline_collection_bytes", "Bytes by collection, place (memory, disk or card) and layer."},
    {"sightline_collection_read_only", "1 while a collection takes no writes."},
    {"sightline_card_budget_bytes", "Memory that the index may take of a graphics card, by card and use."},
    {"sightline_card_used_bytes", "Memory that the index uses of a graphics card, by card and use."},
    {"sightline_card_lost", "1 when a graphics card has failed and is not used again."},
    {"sightline_card_failures_total", "What was left to the CPU because a graphics card failed or was full, by card.",
     prometheus::MetricType::Counter},
    {"sightline_card_scans_total", "Segments that a graphics card has compared with a query, by card.",
     prometheus::MetricType::Counter},
    {"sightline_card_uncertified_scans_total",
     "Comparisons left to the CPU because a graphics card's scores were too close together, by card.",
     prometheus::MetricType::Counter},
    {"sightline_card_pairs_total",
     "Results re-ranked on a graphics card, or left to the CPU by it, by card and result.",
     prometheus::MetricType::Counter},
    {"sightline_card_token_images", "Images whose patch tokens are on a graphics card, by card."},
    {"sightline_card_token_hits_total", "Times that patch tokens were on a graphics card already, by card.",
     prometheus::MetricType::Counter},
    {"sightline_card_token_uploads_total", "Times that patch tokens were copied to a graphics card, by card.",
     prometheus::MetricType::Counter},
    {"sightline_card_token_evictions_total",
     "Times that patch tokens made room for others on a graphics card, by card.", prometheus::MetricType::Counter},
    {"sightline_damaged_collections", "Collections that could not be opened, or only in part; see the log."},
    {"sightline_disk_bytes", "Size of the file system that holds the data."},
    {"sightline_disk_free_bytes", "Bytes that the server may still write there."},
    {"sightline_uptime_seconds", "Time since the server started."},
    {"process_cpu_seconds_total", "Processor time that the process used.", prometheus::MetricType::Counter},
    {"process_max_fds", "File descriptors that the process may have open."},
    {"process_open_fds", "File descriptors that the process has open."},
    {"process_resident_memory_bytes", "Memory of the process that is in RAM."},
    {"process_start_time_seconds", "When the process started, in seconds since 1970."},
    {"process_threads", "Threads of the process."},
    {"process_virtual_memory_bytes", "Address space of the process."},
});

std::string String(absl::string_view text) { return std::string(text); }

std::string SearchKey(absl::string_view index, bool filtered, absl::string_view refinement) {
  return absl::StrCat(index, filtered ? " filtered " : " ", refinement);
}

}  // namespace

// Histograms of failures are made when the first failure comes: one for every code of every method would make a page of
// a megabyte. The counters of every code are there from the start.
class Metrics::Method {
 public:
  std::string name;
  std::array<prometheus::Counter*, kCodeCount> requests{};
  std::array<std::atomic<prometheus::Histogram*>, kCodeCount> seconds{};
};

struct Metrics::State {
  std::shared_ptr<prometheus::Registry> registry = std::make_shared<prometheus::Registry>();
  prometheus::Family<prometheus::Histogram>* request_seconds;
  prometheus::Family<prometheus::Counter>* requests;
  prometheus::Gauge* in_flight;
  std::map<std::string, prometheus::Histogram*, std::less<>> stages;
  prometheus::Family<prometheus::Histogram>* batch_size;
  std::map<std::string, prometheus::Counter*, std::less<>> rejected;
  std::map<std::string, prometheus::Counter*, std::less<>> auth_failures;
  prometheus::Counter* audit_written;
  prometheus::Counter* audit_dropped;
  prometheus::Counter* model_seconds;
  prometheus::Counter* wasted_seconds;
  prometheus::Counter* indexed;
  std::map<std::string, prometheus::Counter*, std::less<>> decoder_restarts;  // by reason
  std::map<std::string, prometheus::Counter*, std::less<>> searches;          // by SearchKey
  prometheus::Counter* reranked_whole;
  prometheus::Counter* reranked_in_part;
  prometheus::Family<prometheus::Gauge>* model_loaded;
  prometheus::Counter* models_loaded_well;
  prometheus::Counter* models_refused;
  prometheus::Family<prometheus::Counter>* device_failures;
  prometheus::Family<prometheus::Gauge>* build_info;
  prometheus::Gauge* serving;
  std::map<std::string, prometheus::Counter*, std::less<>> ignored_headers;
  std::map<std::string, prometheus::Counter*, std::less<>> dropped_lines;
  prometheus::Counter* slow_requests;
  CollectionSeries collections;

  base::Mutex mutex;
  std::vector<std::unique_ptr<Method>> methods ABSL_GUARDED_BY(mutex);
  std::function<std::vector<Sample>()> collector ABSL_GUARDED_BY(mutex);

  explicit State(int max_collections) : collections(max_collections) {}
};

Metrics::Metrics(int max_collections) : state_(std::make_unique<State>(max_collections)) {
  State& s = *state_;
  prometheus::Registry& r = *s.registry;
  s.request_seconds = &BuildHistogram()
                           .Name("sightline_request_duration_seconds")
                           .Help("Time from a request's arrival to its reply, by method and code.")
                           .Register(r);
  s.requests =
      &BuildCounter().Name("sightline_requests_total").Help("Requests answered, by method and code.").Register(r);
  s.in_flight = &BuildGauge().Name("sightline_requests_in_flight").Help("Requests in hand.").Register(r).Add({});
  auto& stage_family = BuildHistogram()
                           .Name("sightline_stage_duration_seconds")
                           .Help("Time spent in one stage of a request.")
                           .Register(r);
  for (const absl::string_view stage : kStages) {
    s.stages[String(stage)] = &stage_family.Add({{"stage", String(stage)}}, kSeconds);
  }
  s.batch_size =
      &BuildHistogram().Name("sightline_batch_size").Help("Images in one batch, by model and device.").Register(r);
  auto& rejected_family = BuildCounter()
                              .Name("sightline_rejected_total")
                              .Help("Requests refused before any work, by the queue that was full.")
                              .Register(r);
  for (const absl::string_view reason : kRejections) {
    s.rejected[String(reason)] = &rejected_family.Add({{"reason", String(reason)}});
  }
  auto& auth_family = BuildCounter()
                          .Name("sightline_auth_failures_total")
                          .Help("Calls whose caller is not known or not allowed, by what was wrong.")
                          .Register(r);
  for (const absl::string_view reason : kAuthFailures) {
    s.auth_failures[String(reason)] = &auth_family.Add({{"reason", String(reason)}});
  }
  auto& audit_family =
      BuildCounter().Name("sightline_audit_lines_total").Help("Lines of the audit log, by result.").Register(r);
  s.audit_written = &audit_family.Add({{"result", "written"}});
  s.audit_dropped = &audit_family.Add({{"result", "dropped"}});
  s.model_seconds =
      &BuildCounter().Name("sightline_model_seconds_total").Help("Time that models worked.").Register(r).Add({});
  s.wasted_seconds = &BuildCounter()
                          .Name("sightline_wasted_model_seconds_total")
                          .Help("Time that models worked for requests that were dead when the batch ended.")
                          .Register(r)
                          .Add({});
  s.indexed =
      &BuildCounter().Name("sightline_indexed_images_total").Help("Images written durably.").Register(r).Add({});
  auto& restarts_family = BuildCounter()
                              .Name("sightline_decoder_restarts_total")
                              .Help("Decoder processes that were replaced, by why: crash or timeout.")
                              .Register(r);
  for (const absl::string_view reason : kRestarts) {
    s.decoder_restarts[String(reason)] = &restarts_family.Add({{"reason", String(reason)}});
  }
  auto& searches_family = BuildCounter()
                              .Name("sightline_searches_total")
                              .Help("Searches done, by index, whether they were filtered, and refinement.")
                              .Register(r);
  for (const absl::string_view index : kIndexes) {
    for (const bool filtered : {false, true}) {
      for (const absl::string_view refinement : kRefinements) {
        s.searches[SearchKey(index, filtered, refinement)] = &searches_family.Add(
            {{"index", String(index)}, {"filtered", filtered ? "true" : "false"}, {"refinement", String(refinement)}});
      }
    }
  }
  auto& reranked_family = BuildCounter()
                              .Name("sightline_reranked_searches_total")
                              .Help("Searches re-ranked by patches: complete, or partial for want of time or tokens.")
                              .Register(r);
  s.reranked_whole = &reranked_family.Add({{"result", "complete"}});
  s.reranked_in_part = &reranked_family.Add({{"result", "partial"}});
  s.model_loaded = &BuildGauge()
                        .Name("sightline_model_loaded")
                        .Help("1 for a loaded model; `untrained` is true when it has no trained weights.")
                        .Register(r);
  auto& loads_family = BuildCounter()
                           .Name("sightline_model_loads_total")
                           .Help("Models loaded or loaded again, by result: ok, or refused.")
                           .Register(r);
  s.models_loaded_well = &loads_family.Add({{"result", "ok"}});
  s.models_refused = &loads_family.Add({{"result", "refused"}});
  s.device_failures = &BuildCounter()
                           .Name("sightline_device_failures_total")
                           .Help("Models that could not be loaded on a device, or have lost it, by device.")
                           .Register(r);
  s.build_info = &BuildGauge().Name("sightline_build_info").Help("1; the labels say what was built.").Register(r);
  s.serving = &BuildGauge()
                   .Name("sightline_serving")
                   .Help("1 while the server takes requests, 0 while it starts or drains.")
                   .Register(r)
                   .Add({});
  auto& headers_family = BuildCounter()
                             .Name("sightline_ignored_headers_total")
                             .Help("Headers of requests that were not sane and not used, by name.")
                             .Register(r);
  for (const absl::string_view header : kReadHeaders) {
    s.ignored_headers[String(header)] = &headers_family.Add({{"header", String(header)}});
  }
  auto& lines_family = BuildCounter()
                           .Name("sightline_dropped_log_lines_total")
                           .Help("Log lines left out because too many came in one second, by what they tell.")
                           .Register(r);
  for (const absl::string_view kind : kBoundedLines) {
    s.dropped_lines[String(kind)] = &lines_family.Add({{"line", String(kind)}});
  }
  s.slow_requests = &BuildCounter()
                         .Name("sightline_slow_requests_total")
                         .Help("Requests that took --slow_request or longer.")
                         .Register(r)
                         .Add({});
}

Metrics::~Metrics() = default;

Metrics::Method* Metrics::AddMethod(const std::string& name) {
  auto method = std::make_unique<Method>();
  method->name = name;
  for (int code = 0; code < kCodeCount; ++code) {
    method->requests[code] =
        &state_->requests->Add({{"method", name}, {"code", CodeName(static_cast<absl::StatusCode>(code))}});
  }
  method->seconds[0] = &state_->request_seconds->Add({{"method", name}, {"code", "OK"}}, kSeconds);
  Method* raw = method.get();
  base::MutexLock lock(state_->mutex);
  state_->methods.push_back(std::move(method));
  return raw;
}

void Metrics::RequestStarted() { state_->in_flight->Increment(); }

void Metrics::RequestEnded(Method* method, absl::StatusCode code, double seconds) {
  state_->in_flight->Decrement();
  int index = static_cast<int>(code);
  if (index < 0 || index >= kCodeCount) index = static_cast<int>(absl::StatusCode::kUnknown);
  method->requests[index]->Increment();
  prometheus::Histogram* histogram = method->seconds[index].load(std::memory_order_acquire);
  if (histogram == nullptr) {
    // Add returns the same object for the same labels, so a race between two threads does no harm.
    histogram = &state_->request_seconds->Add(
        {{"method", method->name}, {"code", CodeName(static_cast<absl::StatusCode>(index))}}, kSeconds);
    method->seconds[index].store(histogram, std::memory_order_release);
  }
  histogram->Observe(seconds);
}

void Metrics::ObserveStage(absl::string_view stage, double seconds) {
  const auto it = state_->stages.find(std::string(stage));
  if (it != state_->stages.end()) it->second->Observe(seconds);
}

void Metrics::ObserveBatch(const std::string& model, const std::string& device, int size) {
  state_->batch_size->Add({{"model", model}, {"device", device}}, kBatch).Observe(size);
}

void Metrics::AddModelTime(double seconds, double wasted) {
  state_->model_seconds->Increment(seconds);
  state_->wasted_seconds->Increment(wasted);
}

void Metrics::CountRejected(absl::string_view reason) {
  const auto it = state_->rejected.find(std::string(reason));
  if (it != state_->rejected.end()) it->second->Increment();
}

void Metrics::CountAuthFailure(absl::string_view reason) {
  const auto it = state_->auth_failures.find(reason);
  if (it != state_->auth_failures.end()) it->second->Increment();
}

void Metrics::CountAuditLines(int64_t written, int64_t dropped) {
  state_->audit_written->Increment(static_cast<double>(written));
  state_->audit_dropped->Increment(static_cast<double>(dropped));
}

void Metrics::CountDecoderRestart(absl::string_view reason) {
  const auto counter = state_->decoder_restarts.find(reason);
  if (counter != state_->decoder_restarts.end()) counter->second->Increment();
}

void Metrics::CountIndexedImages(int count) { state_->indexed->Increment(count); }

void Metrics::CountSearch(absl::string_view index, bool filtered, absl::string_view refinement) {
  const auto it = state_->searches.find(SearchKey(index, filtered, refinement));
  if (it != state_->searches.end()) it->second->Increment();
}

void Metrics::CountRerank(bool all) { (all ? state_->reranked_whole : state_->reranked_in_part)->Increment(); }

void Metrics::SetModelLoaded(const std::string& model, bool untrained, bool loaded) {
  state_->model_loaded->Add({{"model", model}, {"untrained", untrained ? "true" : "false"}}).Set(loaded ? 1 : 0);
}

void Metrics::AddModelDevice(const std::string& model, const std::string& device) {
  state_->batch_size->Add({{"model", model}, {"device", device}}, kBatch);
}

void Metrics::AddDevice(const std::string& device) { state_->device_failures->Add({{"device", device}}); }

void Metrics::CountDeviceFailure(const std::string& device) {
  state_->device_failures->Add({{"device", device}}).Increment();
}

void Metrics::CountModelLoad(bool ok) { (ok ? state_->models_loaded_well : state_->models_refused)->Increment(); }

void Metrics::SetBuildInfo(const std::string& version, const std::string& commit, const std::string& simd_level) {
  state_->build_info->Add({{"version", version}, {"commit", commit}, {"simd_level", simd_level}}).Set(1);
}

void Metrics::SetServing(bool serving) { state_->serving->Set(serving ? 1 : 0); }

void Metrics::SetCollector(std::function<std::vector<Sample>()> collector) {
  base::MutexLock lock(state_->mutex);
  state_->collector = std::move(collector);
}

void Metrics::CountIgnoredHeader(absl::string_view header) {
  const auto it = state_->ignored_headers.find(std::string(header));
  if (it != state_->ignored_headers.end()) it->second->Increment();
}

void Metrics::CountSlowRequest() { state_->slow_requests->Increment(); }

void Metrics::CountDroppedLine(absl::string_view kind) {
  const auto it = state_->dropped_lines.find(std::string(kind));
  if (it != state_->dropped_lines.end()) it->second->Increment();
}

CollectionSeries& Metrics::collections() { return state_->collections; }

std::string Metrics::Text() const {
  std::function<std::vector<Sample>()> collector;
  {
    base::MutexLock lock(state_->mutex);
    collector = state_->collector;
  }
  // Every name is there from the start, with or without values.
  std::map<std::string, prometheus::MetricFamily> collected;
  for (const CollectedSpec& spec : kCollected) collected[spec.name] = {spec.name, spec.help, spec.type, {}};
  if (collector) {
    for (const Sample& sample : collector()) {
      const auto it = collected.find(sample.name);
      if (it == collected.end()) continue;
      prometheus::ClientMetric metric;
      for (const auto& [name, value] : sample.labels) metric.label.push_back({name, value});
      metric.gauge.value = sample.value;
      metric.counter.value = sample.value;
      it->second.metric.push_back(std::move(metric));
    }
  }
  std::vector<prometheus::MetricFamily> families = state_->registry->Collect();
  for (auto& [name, family] : collected) families.push_back(std::move(family));
  for (prometheus::MetricFamily& family : state_->collections.Collect()) families.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(families);
}

std::string Metrics::StageTable() const {
  struct Row {
    std::string stage;
    double count;
    double seconds;
  };
  std::vector<Row> rows;
  double all = 0;
  for (const auto& [stage, histogram] : state_->stages) {
    if (stage == "total") continue;
    const auto& data = histogram->Collect().histogram;
    rows.push_back({stage, static_cast<double>(data.sample_count), data.sample_sum});
    all += data.sample_sum;
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.seconds > b.seconds; });
  std::string out = absl::StrFormat("%-12s %12s %12s %10s %7s\n", "stage", "count", "seconds", "mean ms", "share");
  for (const Row& row : rows) {
    absl::StrAppendFormat(&out, "%-12s %12.0f %12.3f %10.3f %6.1f%%\n", row.stage, row.count, row.seconds,
                          row.count > 0 ? 1e3 * row.seconds / row.count : 0.0, all > 0 ? 100 * row.seconds / all : 0.0);
  }
  return out;
}

}  // namespace sightline::server
