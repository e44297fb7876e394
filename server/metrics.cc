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

namespace sightline::server {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;

const prometheus::Histogram::BucketBoundaries kSeconds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                          0.1,    0.25,  0.5,    1,     2.5,  5,     10};
const prometheus::Histogram::BucketBoundaries kBatch = {1, 2, 4, 8, 16, 32, 64};

constexpr std::array<absl::string_view, 10> kStages = {"decode", "queue", "embed",   "search", "fetch_tokens",
                                                       "rerank", "fetch", "explain", "store",  "total"};
constexpr std::array<absl::string_view, 7> kRejections = {"in_flight",   "decode_queue",  "model_queue", "search_queue",
                                                          "write_queue", "memory_budget", "transfers"};
constexpr std::array<absl::string_view, 3> kIndexes = {"exact", "hnsw", "ivf"};
constexpr std::array<absl::string_view, 5> kRefinements = {"off", "average", "alpha_weighted", "super_global",
                                                           "k_reciprocal"};

constexpr std::array<absl::string_view, 2> kRestarts = {"crash", "timeout"};

struct GaugeSpec {
  const char* name;
  const char* help;
};
constexpr std::array<GaugeSpec, 14> kGauges = {{
    {"sightline_queue_depth", "Tasks or images that wait, by queue."},
    {"sightline_decode_memory_bytes", "Memory taken by images that are being decoded, as --decode_memory counts it."},
    {"sightline_model_load_seconds", "Time that reading a loaded model took, by model."},
    {"sightline_model_warm_up_seconds", "Time that a loaded model ran before it was ready, by model."},
    {"sightline_operations", "Operations that are known, by state; ended ones are kept for a while."},
    {"sightline_memory_budget_bytes", "Memory that the collections may use together; 0 for no limit."},
    {"sightline_memory_bytes", "Memory that the collections use together, as the budget counts it."},
    {"sightline_collection_images", "Images that a search can find, by collection."},
    {"sightline_collection_deleted_images", "Deleted images whose space is not reclaimed yet, by collection."},
    {"sightline_collection_segments", "Sealed segments, by collection."},
    {"sightline_collection_tail_images", "Images in the tail that is not sealed yet, by collection."},
    {"sightline_collection_graph_backlog", "Images that a graph is to hold and does not yet, by collection."},
    {"sightline_collection_bytes", "Bytes by collection, place (memory or disk) and layer."},
    {"sightline_collection_read_only", "1 while a collection takes no writes."},
}};

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
  prometheus::Counter* indexed;
  std::map<std::string, prometheus::Counter*, std::less<>> decoder_restarts;  // by reason
  std::map<std::string, prometheus::Counter*, std::less<>> searches;          // by SearchKey
  prometheus::Counter* reranked_whole;
  prometheus::Counter* reranked_in_part;
  prometheus::Family<prometheus::Gauge>* model_loaded;
  prometheus::Counter* models_loaded_well;
  prometheus::Counter* models_refused;
  prometheus::Family<prometheus::Gauge>* build_info;
  prometheus::Gauge* serving;
  std::map<std::string, prometheus::Family<prometheus::Gauge>*> collected;

  base::Mutex mutex;
  std::vector<std::unique_ptr<Method>> methods ABSL_GUARDED_BY(mutex);
  std::function<std::vector<Sample>()> collector ABSL_GUARDED_BY(mutex);
  // What the last collection set, so that series of deleted collections go away.
  std::vector<std::pair<prometheus::Family<prometheus::Gauge>*, prometheus::Gauge*>> shown ABSL_GUARDED_BY(mutex);
};

Metrics::Metrics() : state_(std::make_unique<State>()) {
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
  s.batch_size = &BuildHistogram().Name("sightline_batch_size").Help("Images in one batch, by model.").Register(r);
  auto& rejected_family = BuildCounter()
                              .Name("sightline_rejected_total")
                              .Help("Requests refused before any work, by the queue that was full.")
                              .Register(r);
  for (const absl::string_view reason : kRejections) {
    s.rejected[String(reason)] = &rejected_family.Add({{"reason", String(reason)}});
  }
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
  s.build_info = &BuildGauge().Name("sightline_build_info").Help("1; the labels say what was built.").Register(r);
  s.serving = &BuildGauge()
                   .Name("sightline_serving")
                   .Help("1 while the server takes requests, 0 while it starts or drains.")
                   .Register(r)
                   .Add({});
  for (const GaugeSpec& spec : kGauges) {
    s.collected[spec.name] = &BuildGauge().Name(spec.name).Help(spec.help).Register(r);
  }
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

void Metrics::ObserveBatch(const std::string& model, int size) {
  state_->batch_size->Add({{"model", model}}, kBatch).Observe(size);
}

void Metrics::CountRejected(absl::string_view reason) {
  const auto it = state_->rejected.find(std::string(reason));
  if (it != state_->rejected.end()) it->second->Increment();
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
  state_->batch_size->Add({{"model", model}}, kBatch);
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

std::string Metrics::Text() const {
  base::MutexLock lock(state_->mutex);
  if (state_->collector) {
    for (const auto& [family, gauge] : state_->shown) family->Remove(gauge);
    state_->shown.clear();
    for (const Sample& sample : state_->collector()) {
      const auto it = state_->collected.find(sample.name);
      if (it == state_->collected.end()) continue;
      prometheus::Gauge& gauge = it->second->Add(sample.labels);
      gauge.Set(sample.value);
      state_->shown.emplace_back(it->second, &gauge);
    }
  }
  return prometheus::TextSerializer().Serialize(state_->registry->Collect());
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
