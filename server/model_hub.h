// ModelHub: the models a server has loaded, each with its batchers.
//
// Models come and go while requests run. A request finds a model once and keeps it until it is done, so that it is
// embedded by the model whose space was checked; a model that is unloaded, or replaced by a new load of its name, takes
// no new requests and goes when the last one is done. A model is loaded and warmed up beside the one it replaces, and
// takes its place only when it is ready; one that is refused changes nothing.
//
// A model is loaded on every device of the placement. One that a device refuses, or does not get through its warm-up
// there, is served on the others; where none is left, on the CPU if the placement says so. The same when devices are
// lost later: with the last one goes the model, until it is loaded again or the CPU stands in.
//
// Threading: all methods may be called from any thread. Load and Unload take turns; one that waits blocks its caller.
// Ownership: owns models, batchers and threads. The destructor answers what still waits with UNAVAILABLE.
// Failure: FAILED_PRECONDITION when a model is not loaded; what loading or the model refuse otherwise.
//
//   ModelHub hub({.root = "model/zoo", .load = &model::Model::Load}, limits, metrics);
//   SIGHTLINE_RETURN_IF_ERROR(hub.Load("dtop_tiny"));
//   SIGHTLINE_ASSIGN_OR_RETURN(ModelPtr model, hub.Find("dtop_tiny"));
#ifndef SIGHTLINE_SERVER_MODEL_HUB_H_
#define SIGHTLINE_SERVER_MODEL_HUB_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "base/thread_pool.h"
#include "model/model.h"
#include "server/batcher.h"
#include "server/limits.h"
#include "server/metrics.h"
#include "server/placement.h"
#include "server/run_gate.h"
#include "server/served_model.h"

namespace sightline::server {

// What runs before a model counts as ready.
enum class WarmUp {
  kAll,   // an image of every size, as far as the time for it reaches
  kOne,   // the smallest image there can be
  kNone,  // nothing: the first requests are slower
};

class ModelHub {
 public:
  using LoadModel = std::function<absl::StatusOr<std::unique_ptr<model::Model>>(const std::string& directory,
                                                                                const model::LoadOptions& options)>;

  struct Options {
    std::string root;  // folder of model directories
    LoadModel load = {};
    model::LoadOptions load_options = {};  // but for device and numbers, which the placement says
    Placement placement = {};
    int cores = 1;
    WarmUp warm_up = WarmUp::kAll;
    absl::Duration warm_up_budget = absl::Seconds(2);  // of kAll; zero for no limit
    std::string default_model = {};                    // empty: the first one loaded
  };

  // `limits` and `metrics` must outlive the hub.
  ModelHub(Options options, const Limits& limits, Metrics& metrics);
  ~ModelHub();
  ModelHub(const ModelHub&) = delete;
  ModelHub& operator=(const ModelHub&) = delete;

  // Loads a folder of the root, or loads it again; returns when the model is ready or refused.
  absl::StatusOr<ModelPtr> Load(const std::string& name);

  // From now on nothing is loaded: the server ends. A load under way is refused once its files are read.
  void Drain() { draining_ = true; }

  // NOT_FOUND when no model of that name is loaded.
  absl::Status Unload(const std::string& name);

  // The loaded model of that name; `name` empty: the default model.
  absl::StatusOr<ModelPtr> Find(const std::string& name) const;

  // Those loaded, by name.
  std::vector<ModelPtr> List() const;

  // A name that is loaded, is being loaded, was refused, or has a folder in the root.
  struct Known {
    std::string name;
    ModelPtr model;        // null when it is not loaded
    bool loading = false;  // perhaps to replace `model`
    absl::Status refused;  // why the last load failed; OK when it did not
  };
  // By name.
  std::vector<Known> ListKnown() const;
  // NOT_FOUND when there is no such name.
  absl::StatusOr<Known> FindKnown(const std::string& name) const;

  // The devices that models are placed on, and those they are on instead.
  std::vector<std::string> devices() const;

  // The model for requests that name none; empty when there is none.
  std::string default_model() const;

  size_t model_queue_depth() const;

  // Refuses what is no single path component that a model's folder may have.
  static absl::Status CheckName(const std::string& name);

 private:
  // Hands a model out that ends by Reap.
  ModelPtr Share(std::unique_ptr<ServedModel> model);
  std::unique_ptr<Batcher> MakeBatcher(const std::string& name, const std::string& device,
                                       std::unique_ptr<model::Model> model);
  // Loaded and warmed up on one device.
  absl::StatusOr<std::unique_ptr<Batcher>> LoadOn(const std::string& name, const model::LoadOptions& load,
                                                  ServedModel::Start* start);
  // On the devices of `loads`, or else on the CPU. `left_out`: devices that were lost before.
  absl::StatusOr<ModelPtr> LoadNow(const std::string& name, const std::vector<model::LoadOptions>& loads,
                                   std::vector<ServedModel::DeviceState> left_out)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(load_mutex_);
  // Puts what was loaded in the place of what was there.
  absl::StatusOr<ModelPtr> Publish(const std::string& name, absl::StatusOr<ModelPtr> served)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(load_mutex_);
  absl::Status RunWarmUp(Batcher& batcher, ServedModel::Start* start);
  void OnDeviceLost(const std::string& name, const std::string& device, const absl::Status& why);
  // Loads a model whose devices are all lost on the CPU.
  void StandIn(const std::string& name);
  absl::Status NotLoaded(const std::string& name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Reap(ServedModel* model);
  void Ended();

  const Options options_;
  const Limits& limits_;
  Metrics& metrics_;
  RunGate gate_;
  std::atomic<bool> draining_ = false;
  base::Mutex load_mutex_;  // held by the one Load or Unload at work; taken before mutex_
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  std::string default_model_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, ModelPtr> models_ ABSL_GUARDED_BY(mutex_);
  std::multiset<std::string> loading_ ABSL_GUARDED_BY(mutex_);  // or waiting for their turn
  std::map<std::string, absl::Status> refused_ ABSL_GUARDED_BY(mutex_);
  // Every model there is, also those that only requests still hold.
  std::set<ServedModel*> alive_ ABSL_GUARDED_BY(mutex_);
  int ending_ ABSL_GUARDED_BY(mutex_) = 0;           // models not alive any more and not gone yet, and threads in Reap
  base::ThreadPool reaper_;                          // ends models: a batcher cannot be joined by its own thread
  std::unique_ptr<base::ThreadPool> stand_in_pool_;  // null where the CPU does not stand in
};

}  // namespace sightline::server

#endif  // SIGHTLINE_SERVER_MODEL_HUB_H_
