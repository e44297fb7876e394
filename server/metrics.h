// Metrics: everything the server counts, registered at zero from the start, in Prometheus' text format.
//
// Threading: all methods may be called from any thread. Ownership: the object owns its registry. Failure: none.
#ifndef SIGHTLINE_SERVER_METRICS_H_
#define SIGHTLINE_SERVER_METRICS_H_

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sightline::server {

class CollectionSeries;

class Metrics {
 public:
  // `max_collections`: those that have series of their own.
  explicit Metrics(int max_collections = 100);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // One RPC method's series; resolved once, used without look-ups.
  class Method;
  Method* AddMethod(const std::string& name);

  void RequestStarted();
  void RequestEnded(Method* method, absl::StatusCode code, double seconds);

  // "decode_queue", "decode", "queue", "embed", "search_queue", "search", "fetch_tokens", "rerank", "fetch", "explain",
  // "store" or "total". The first and the fifth are waits for a thread that decodes or searches, "queue" is that for
  // the model.
  void ObserveStage(absl::string_view stage, double seconds);
  void ObserveBatch(const std::string& model, const std::string& device, int size);
  // Time that models worked, and how much of it for requests that were dead when their batch ended.
  void AddModelTime(double seconds, double wasted);
  // A connection ("connections", "connections_of_address", "resets") or a request refused before any work: "in_flight",
  // "message_memory", "unsent_replies", "decode_queue", "model_queue", "deadline" (too short for the model),
  // "search_queue", "write_queue", "memory_budget", "transfers", "key_rate", "key_in_flight".
  void CountRejected(absl::string_view reason);
  // A call whose caller is not known or not allowed: "missing", "malformed", "unknown", "expired", "scope",
  // "collection", "listener".
  void CountAuthFailure(absl::string_view reason);
  // Lines of the audit log, and those that were lost because the disk was too slow or refused them.
  void CountAuditLines(int64_t written, int64_t dropped);
  void CountIndexedImages(int count);
  // `index` is "exact", "hnsw" or "ivf"; `refinement` "off", "average", "alpha_weighted", "super_global" or
  // "k_reciprocal".
  void CountSearch(absl::string_view index, bool filtered, absl::string_view refinement);

  // A search whose results were re-ranked by their patches: all that was asked for, or only some of them.
  void CountRerank(bool all);

  // A decoder process that was replaced: "crash" or "timeout".
  void CountDecoderRestart(absl::string_view reason);

  void SetModelLoaded(const std::string& model, bool untrained, bool loaded);
  void CountModelLoad(bool ok);
  // The series of a model on a device that it was loaded on.
  void AddModelDevice(const std::string& model, const std::string& device);
  // The series of a device that models are placed on.
  void AddDevice(const std::string& device);
  // A model that could not be loaded on the device, or has lost it.
  void CountDeviceFailure(const std::string& device);
  void SetBuildInfo(const std::string& version, const std::string& commit, const std::string& simd_level);
  void SetServing(bool serving);

  // A header that was not sane: "x-request-id", "traceparent" or "tracestate".
  void CountIgnoredHeader(absl::string_view header);
  void CountSlowRequest();
  // A line that the log did not take, because too many came in that second: "slow" or "failure".
  void CountDroppedLine(absl::string_view kind);

  // Values read when they are asked for: queue depths, collection sizes, operations, what the process uses.
  struct Sample {
    std::string name;  // one of kCollected in metrics.cc
    std::map<std::string, std::string> labels;
    double value;
  };
  void SetCollector(std::function<std::vector<Sample>()> collector);

  // The series of the collections.
  CollectionSeries& collections();

  // Prometheus' text exposition format.
  std::string Text() const;

  // A plain-text table of the stages, ranked by their share of the total time.
  std::string StageTable() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_METRICS_H_
