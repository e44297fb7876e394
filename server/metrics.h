// Metrics: everything the server counts, registered at zero from the start, in Prometheus' text format.
//
// Threading: all methods may be called from any thread. Ownership: the object owns its registry. Failure: none.
#ifndef SIGHTLINE_SERVER_METRICS_H_
#define SIGHTLINE_SERVER_METRICS_H_

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace sightline::server {

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // One RPC method's series; resolved once, used without look-ups.
  class Method;
  Method* AddMethod(const std::string& name);

  void RequestStarted();
  void RequestEnded(Method* method, absl::StatusCode code, double seconds);

  // "decode", "queue", "embed", "search", "fetch_tokens", "rerank", "fetch", "explain" or "store".
  void ObserveStage(absl::string_view stage, double seconds);
  void ObserveBatch(const std::string& model, int size);
  // A request refused before any work: "in_flight", "decode_queue", "model_queue", "search_queue", "write_queue",
  // "memory_budget", "transfers".
  void CountRejected(absl::string_view reason);
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
  void SetBuildInfo(const std::string& version, const std::string& commit, const std::string& simd_level);
  void SetServing(bool serving);

  // Values read when they are asked for: queue depths, collection sizes, operations.
  struct Sample {
    std::string name;  // one of kGauges in metrics.cc
    std::map<std::string, std::string> labels;
    double value;
  };
  void SetCollector(std::function<std::vector<Sample>()> collector);

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
